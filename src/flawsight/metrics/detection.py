"""Image-level figures: does the score tell defective images from good ones?"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from flawsight.metrics._checks import labelled_scores, split_by_label
from flawsight.metrics._ranks import mann_whitney


class Rates(NamedTuple):
    """What a threshold does; None where there is no image to measure it on.

    >>> rates([0.2, 0.8], [1, 1], threshold=0.5)  # no good image
    Rates(false_alarm_rate=None, detection_rate=0.5)
    """

    false_alarm_rate: float | None
    detection_rate: float | None


def auroc(scores: ArrayLike, labels: ArrayLike) -> float:
    """Return the exact area under the ROC curve, ties counting one half (the Mann-Whitney statistic).

    `scores` (n,) higher is more anomalous; `labels` (n,) 0 good, 1 defective. Both classes must be present.

    >>> auroc([0.1, 0.4, 0.3, 0.9], [0, 0, 1, 1])
    0.75
    """
    good, defective = split_by_label(scores, labels)
    return mann_whitney(np.sort(good), defective)


def f1_max(scores: ArrayLike, labels: ArrayLike) -> float:
    """Return the largest F1 over all thresholds, defective being the positive class; optimistic by construction.

    >>> f1_max([0.1, 0.4, 0.3, 0.9], [0, 0, 1, 1])
    0.8
    """
    good, defective = (np.sort(part) for part in split_by_label(scores, labels))
    thresholds = np.unique(defective)  # F1 can only rise where a threshold takes in one more defective image
    hits = defective.size - np.searchsorted(defective, thresholds)
    false_alarms = good.size - np.searchsorted(good, thresholds)
    return float(np.max(2 * hits / (hits + false_alarms + defective.size)))


def rates(scores: ArrayLike, labels: ArrayLike, threshold: float) -> Rates:
    """Return the shares of good and of defective images with score > threshold.

    >>> rates([0.1, 0.4, 0.3, 0.9], [0, 0, 1, 1], threshold=0.35)
    Rates(false_alarm_rate=0.5, detection_rate=0.5)
    """
    values, defective = labelled_scores(scores, labels)
    # In float64: NumPy would round the threshold to float32 before comparing it with float32 scores.
    alarm = values.astype(np.float64) > threshold
    return Rates(_share(alarm[~defective]), _share(alarm[defective]))


def _share(flags: np.ndarray) -> float | None:
    return float(flags.mean()) if flags.size else None
