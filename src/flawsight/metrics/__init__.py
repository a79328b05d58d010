"""Anomaly scores, maps and masks in, numbers out: pure functions on NumPy arrays."""

from flawsight.core import lazy_names
from flawsight.metrics._truth import Defect
from flawsight.metrics.at_threshold import ThresholdCounts, seg_f1, threshold_counts
from flawsight.metrics.chi_square import chi_square_threshold
from flawsight.metrics.combined import Metrics, harmonic_mean
from flawsight.metrics.conformal import OperatingPoint, one_a_part, operating_point, p_values, rate_at
from flawsight.metrics.detection import Rates, auroc, f1_max, rates
from flawsight.metrics.evaluation import evaluate_maps
from flawsight.metrics.localisation import PixelMetrics, PixelTruth, aupro, aupro_curve, auspro, pixel_auroc
from flawsight.metrics.pod import Pod, pod_curve

__all__ = [
    "Defect",
    "Metrics",
    "OperatingPoint",
    "PixelMetrics",
    "PixelTruth",
    "Pod",
    "Rates",
    "ThresholdCounts",
    "aupro",
    "aupro_curve",
    "auroc",
    "auspro",
    "chi_square_threshold",
    "evaluate_maps",
    "f1_max",
    "harmonic_mean",
    "one_a_part",
    "operating_point",
    "p_values",
    "pixel_auroc",
    "pod_curve",
    "rate_at",
    "rates",
    "seg_f1",
    "threshold_counts",
]
__getattr__ = lazy_names(
    __name__,
    renamed={"WorkingPoint": "OperatingPoint", "working_point": "operating_point", "PixelFigures": "PixelMetrics"},
)
