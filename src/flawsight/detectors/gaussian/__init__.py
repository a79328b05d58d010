"""Gaussian-AD (paper C), with PaDiM's map."""

from flawsight.detectors.gaussian.detector import Gaussian

__all__ = ["Gaussian"]
