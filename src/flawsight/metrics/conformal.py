"""An operating point with a stated false-alarm rate, from good images alone (conformal p-values).

The guarantee: if the calibration scores and the score of a new good image are exchangeable, the new image is called
defective with probability at most `OperatingPoint.rate`, whatever the distribution of the scores. It holds on average
over calibration sets, not for each one, and only if the calibration images took no part in fitting (split conformal).
Scores from cross-validation (cross-conformal) come from detectors that each saw fewer images than the final one: the
rate is then approximate. Drift of the camera or the product breaks exchangeability, and with it the guarantee.

Pictures of one part are not exchangeable with those of another, but parts are: `one_a_part` makes of all scores as many
as there are parts, and what is stated then holds for a picture of a new part.
"""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flawsight.core import FlawsightError
from flawsight.metrics._checks import score_vector


@dataclass(frozen=True)
class OperatingPoint:
    """A threshold and the false-alarm rate that it keeps: defective iff score > threshold iff p-value <= rate.

    `rate` is the largest attainable p-value (a multiple of 1 / (calibration_size + 1)) up to `requested_rate`; where
    the calibration images are too few for any, it is the smallest, 1 / (calibration_size + 1), and `is_supported` is
    False: the threshold is then the largest calibration score, and may alarm more often than was asked for.

    >>> point = operating_point(np.arange(19.0), rate=0.01)
    >>> point.rate, point.is_supported, point.needed_images
    (0.05, False, 99)
    """

    requested_rate: float
    rate: float
    threshold: float
    calibration_size: int

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    def __post_init__(self) -> None:
        if not (0 < self.requested_rate < 1 and 0 < self.rate <= 1):
            raise FlawsightError(f"false-alarm rates lie between 0 and 1, got {self.requested_rate} and {self.rate}")

    @property
    def is_supported(self) -> bool:
        """Whether the calibration images suffice to keep the requested rate."""
        return self.rate <= self.requested_rate

    @property
    def needed_images(self) -> int:
        """The number of good images from which on the requested rate can be kept: ceil(1 / requested_rate) - 1."""
        images = math.ceil(1 / self.requested_rate) - 1
        # 1 / rate may round up past an integer; ask the division that `p_values` uses.
        return images - 1 if images > 1 and 1 / images <= self.requested_rate else images


def p_values(scores: ArrayLike, calibration_scores: ArrayLike) -> NDArray[np.float64]:
    """Return (1 + number of calibration scores >= score) / (n + 1) for each score.

    `scores` (m,) and `calibration_scores` (n,) of good images; small means anomalous.

    >>> p_values([0.5, 2.5], calibration_scores=[1, 2, 3])
    array([1. , 0.5])
    """
    calibration = _calibration(calibration_scores)
    values = score_vector(scores, "Scores")
    reached = calibration.size - np.searchsorted(calibration, values, side="left")
    return (1 + reached) / (calibration.size + 1)


def operating_point(calibration_scores: ArrayLike, rate: float) -> OperatingPoint:
    """Return the threshold that calls at most a share `rate` of good images defective; see `OperatingPoint`.

    `calibration_scores` (n,) are scores of good images that the detector was not fitted on; 0 < `rate` < 1.

    >>> point = operating_point(np.arange(19.0), rate=0.1)
    >>> point.threshold, point.rate
    (17.0, 0.1)
    """
    if not 0 < rate < 1:
        raise FlawsightError(f"The false-alarm rate must lie strictly between 0 and 1, but it is {rate}.")
    calibration = _calibration(calibration_scores)
    attainable = np.arange(1, calibration.size + 1) / (calibration.size + 1)
    alarms = max(1, int(np.searchsorted(attainable, rate, side="right")))
    # p <= alarms / (n + 1) means that fewer than `alarms` calibration scores reach the score.
    threshold = calibration[calibration.size - alarms]
    return OperatingPoint(float(rate), float(attainable[alarms - 1]), float(threshold), calibration.size)


def one_a_part(scores: ArrayLike, parts: ArrayLike) -> NDArray[np.float64]:
    """Return as many calibration scores as there are parts, ascending; `parts` (n,) name the part of each score.

    Each part counts as one, shared by its scores (Lee, Barber and Willett's hierarchical conformal p-value, rounded up
    to a multiple of 1 / (parts + 1)): if parts are exchangeable, a picture of a new part gets p <= rate with at most
    that probability, however many pictures each part has. Where every part has one, the scores stay as they are.

    >>> one_a_part([1, 2, 3, 9, 9, 9], parts=["a", "b", "c", "d", "d", "d"])
    array([1., 2., 3., 9.])
    >>> one_a_part([1, 2, 3, 7, 8, 9], parts=["a", "a", "a", "b", "b", "b"])
    array([3., 9.])
    """
    values = score_vector(scores, "Calibration scores")
    _, part_of, sizes = np.unique(np.asarray(parts), return_inverse=True, return_counts=True)
    if len(part_of) != len(values):
        raise FlawsightError(f"There are {len(values)} calibration scores, but the parts of {len(part_of)}.")
    order = np.argsort(values)[::-1]
    falling = values[order]
    # How many parts lie above each score, in shares of parts; equal scores are above each other in no order.
    above = np.concatenate([[0.0], np.cumsum(1 / sizes[part_of[order]])])[np.searchsorted(-falling, -falling)]
    # The j-th highest of the new ones: the lowest score that at most j - 1 parts exceed.
    highest = np.searchsorted(above, np.arange(len(sizes)) + 1e-9, side="right") - 1
    return np.asarray(falling[highest][::-1], np.float64)


def rate_at(threshold: float, calibration_scores: ArrayLike) -> float:
    """Return the stated false-alarm rate of a threshold: (1 + number of calibration scores above it) / (n + 1).

    A new good image exceeds `threshold` with at most this probability; `operating_point`'s inverse.

    >>> rate_at(17.0, calibration_scores=np.arange(19.0))
    0.1
    """
    calibration = _calibration(calibration_scores)
    above = calibration.size - np.searchsorted(calibration, threshold, side="right")
    return float(1 + above) / (calibration.size + 1)


def _calibration(scores: ArrayLike) -> NDArray[Any]:
    """Return the calibration scores in ascending order, checked."""
    values = score_vector(scores, "Calibration scores")
    if not values.size:
        raise FlawsightError("There are no calibration scores; an operating point needs at least one good image.")
    if not np.isfinite(values).all():
        raise FlawsightError("Calibration scores contain infinity; check the detector, or leave those images out.")
    return np.sort(values)
