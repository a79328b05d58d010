"""The maps of a test set beside what is true of their pixels, at a scale at which all fit in memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import cv2
import numpy as np

from flawsight.core import FlawsightError
from flawsight.data import DEFECTIVE, Dataset, Masks, Sample, image_size, read_saturation_rules
from flawsight.metrics import Defect

Resolution = int | Literal["native"]
MAX_BYTES = 2**30
"""All maps (float32) of a test set together; to measure them takes about as much again."""


class PixelResults:
    """Maps, masks and defects, one for each image that was added; None, all of them, where no image has a mask."""

    def __init__(self, dataset: Dataset, samples: Sequence[Sample], truth: Masks, resolution: Resolution) -> None:
        self._truth = truth
        has_masks = any(sample.masks for sample in samples if sample.label == DEFECTIVE)
        is_loco = has_masks and dataset.layout == "loco"
        self._rules = read_saturation_rules(dataset.root) if is_loco else None
        self._resolution = resolution
        self._scale, self.warnings = 1.0, []
        if is_loco and self._rules is None:
            self.warnings.append(
                f"'{dataset.root}' has no defects_config.json: auspro_0.05 takes each connected part of a mask as one "
                "defect, which saturates with its whole area"
            )
        if has_masks and resolution == "native":
            self._fit_in_memory(samples)
        self.maps: list[np.ndarray] | None = [] if has_masks else None
        self.masks: list[np.ndarray | None] | None = [] if has_masks else None
        self.defects: list[list[Defect]] | None = [] if self._rules else None

    def _fit_in_memory(self, samples: Sequence[Sample]) -> None:
        needed = 4 * sum(_pixels(sample) for sample in samples)
        if needed > MAX_BYTES:
            self._scale = (MAX_BYTES / needed) ** 0.5
            self.warnings.append(
                f"the maps of {len(samples)} test images take {needed / 2**30:.1f} GiB at the images' own size: pixel "
                f"figures were measured at {self._scale:.0%} of their width and height (--resolution N for N x N)"
            )

    def add(self, sample: Sample, anomaly_map: np.ndarray) -> np.ndarray | None:
        """Take the next image's map (H, W), at the image's own size; its mask (H, W), where there is one."""
        if self.maps is None or self.masks is None:
            return None
        mask = self._truth.of(sample, anomaly_map.shape)
        self.maps.append(self._resized(anomaly_map, cv2.INTER_LINEAR))
        self.masks.append(None if mask is None else self._marked(mask))
        if self.defects is not None and self._rules is not None:
            shares = self.maps[-1].size / anomaly_map.size
            found = self._rules.defects(sample, anomaly_map.shape)
            defects = [Defect(self._marked(own), saturation * shares) for own, saturation in found]
            self.defects.append([one for one in defects if one.mask.any()])
        return mask

    def _marked(self, mask: np.ndarray) -> np.ndarray:
        return self._resized(mask.view(np.uint8), cv2.INTER_NEAREST) > 0

    def _resized(self, values: np.ndarray, interpolation: int) -> np.ndarray:
        if self._resolution != "native":
            return cv2.resize(values, (self._resolution, self._resolution), interpolation=interpolation)
        if self._scale == 1:
            return values
        height, width = (max(1, int(side * self._scale)) for side in values.shape)
        return cv2.resize(values, (width, height), interpolation=interpolation)


def _pixels(sample: Sample) -> int:
    """Of its image, from the header; none where that cannot be read, which is said when the image is."""
    try:
        height, width = image_size(sample.path)
    except FlawsightError:
        return 0
    return height * width
