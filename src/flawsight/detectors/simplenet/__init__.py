"""SimpleNet (paper D)."""

from flawsight.detectors.simplenet.detector import SimpleNet

__all__ = ["SimpleNet"]
