"""What one fixed threshold of the anomaly map finds: pixels, defects, and regions where nothing is.

The threshold is given, never tuned on the test images, as in the benchmark of MVTec AD 2 (Heckler-Kram et al. 2025).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from flawsight.core import FlawsightError
from flawsight.metrics.localisation import Maps, Masks


@dataclass(frozen=True)
class ThresholdCounts:
    """Counts over any number of images, to be added up by `total`; a rate is None where there is nothing to divide by.

    Defects are the 8-connected components of the true masks, regions those of the map above the threshold. A defect is
    hit if a region shares a pixel with it; a region is false if it shares none with any defect.

    >>> counts = threshold_counts(np.diag([0, 0, 5, 9]), np.diag([0, 0, 0, 1]), threshold=1.0)
    >>> counts.defects_hit, counts.false_regions, round(counts.seg_f1, 2)
    (1, 0, 0.67)
    """

    images: int = 0
    true_positives: int = 0
    false_positives: int = 0
    false_negatives: int = 0
    defects: int = 0
    defects_hit: int = 0
    false_regions: int = 0

    @classmethod
    def total(cls, parts: Iterable[Self]) -> Self:
        """The counts of all parts together."""
        listed = list(parts)
        return cls(**{one.name: sum(getattr(part, one.name) for part in listed) for one in fields(cls)})

    @property
    def seg_f1(self) -> float | None:
        """F1 of all pixels of all images together, defective being the positive class; see the function `seg_f1`."""
        defective = self.true_positives + self.false_negatives
        return 2 * self.true_positives / (defective + self.true_positives + self.false_positives) if defective else None

    @property
    def hit_rate(self) -> float | None:
        """The share of defects that are hit."""
        return self.defects_hit / self.defects if self.defects else None

    @property
    def false_regions_per_image(self) -> float | None:
        """False regions divided by the number of images, good and defective ones alike."""
        return self.false_regions / self.images if self.images else None


def threshold_counts(anomaly_map: NDArray[Any], mask: NDArray[Any] | None, threshold: float) -> ThresholdCounts:
    """Count in one image: map (H, W) strictly above the threshold, against its mask, None for a good image.

    >>> threshold_counts(np.eye(4), None, threshold=0.5)
    ThresholdCounts(images=1, ..., false_positives=4, ..., defects=0, defects_hit=0, false_regions=1)
    """
    values = np.asarray(anomaly_map)
    true = np.zeros(values.shape, bool) if mask is None else np.asarray(mask) != 0
    if true.shape != values.shape or values.ndim != 2:
        raise FlawsightError(
            f"A map has the shape {values.shape} but its mask has {true.shape}; resize it to its mask."
        )
    if values.size and np.isnan(values.max()):
        raise FlawsightError("A map contains NaN; a detector must give every pixel a number.")
    # In float64: NumPy would round the threshold to float32 before comparing it with float32 maps.
    above = np.greater(values, threshold, signature="dd->?")
    defects, defect_of = cv2.connectedComponents(true.view(np.uint8), connectivity=8)
    regions, region_of = cv2.connectedComponents(above.view(np.uint8), connectivity=8)
    both = above & true
    found, marked, defective = (int(np.count_nonzero(one)) for one in (both, above, true))
    return ThresholdCounts(
        images=1,
        true_positives=found,
        false_positives=marked - found,
        false_negatives=defective - found,
        defects=defects - 1,
        defects_hit=np.unique(defect_of[both]).size,
        false_regions=regions - 1 - np.unique(region_of[both]).size,
    )


def seg_f1(maps: Maps, masks: Masks, threshold: float) -> float:
    """Return the F1 of the pixels of all images together at one fixed threshold (SegF1 of MVTec AD 2).

    `maps` and `masks` as in `aupro`; a pixel is marked if its value exceeds the threshold.

    >>> round(seg_f1(maps=[np.ones((2, 2))], masks=[np.eye(2)], threshold=0.5), 2)
    0.67
    """
    if len(maps) != len(masks):
        raise FlawsightError(f"There are {len(maps)} maps but {len(masks)} masks; give one mask (or None) per map.")
    pairs = zip(maps, masks, strict=True)
    figure = ThresholdCounts.total(threshold_counts(values, mask, threshold) for values, mask in pairs).seg_f1
    if figure is None:
        raise FlawsightError("No mask has a defect region; pixel figures need at least one defective pixel.")
    return figure
