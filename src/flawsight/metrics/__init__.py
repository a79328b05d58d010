"""Anomaly scores, maps and masks in, numbers out: pure functions on NumPy arrays."""

from flawsight.metrics.chi_square import chi_square_threshold
from flawsight.metrics.combined import harmonic_mean
from flawsight.metrics.conformal import WorkingPoint, p_values, working_point
from flawsight.metrics.detection import Rates, auroc, f1_max, rates
from flawsight.metrics.evaluation import evaluate_maps
from flawsight.metrics.localisation import PixelFigures, PixelTruth, aupro, aupro_curve, pixel_auroc

__all__ = [
    "PixelFigures",
    "PixelTruth",
    "Rates",
    "WorkingPoint",
    "aupro",
    "aupro_curve",
    "auroc",
    "chi_square_threshold",
    "evaluate_maps",
    "f1_max",
    "harmonic_mean",
    "p_values",
    "pixel_auroc",
    "rates",
    "working_point",
]
