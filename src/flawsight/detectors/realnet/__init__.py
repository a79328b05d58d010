"""RealNet (paper E)."""

from flawsight.detectors.realnet.detector import RealNet

__all__ = ["RealNet"]
