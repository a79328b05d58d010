"""The true defects of one image, prepared for the exact curves of `localisation`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from flawsight.core import FlawsightError


class Defect(NamedTuple):
    """One true defect, in one piece or several: `mask` (H, W), non-zero where it may be marked, and what is enough.

    `saturation` is the number of its pixels from which on it counts as found in full; None: all of them. So may a
    missing part be marked anywhere in the space for it (Bergmann et al. 2022, MVTec LOCO AD).

    >>> Defect(np.eye(4), saturation=2).saturation
    2
    """

    mask: NDArray[Any]
    saturation: float | None = None


class ImageTruth(NamedTuple):
    """Where one image is defective, and which of these pixels belong together."""

    number: int  # its index in the whole set, for messages
    shape: tuple[int, int] | None  # None: a good image without a mask, of any size
    pixels: NDArray[np.intp]  # flat positions of the defect pixels
    regions: int
    # For each pixel of each region; where defects overlap, a pixel is in several.
    members: NDArray[np.intp]  # its place in `pixels`
    numbers: NDArray[np.intp]  # of its region
    weights: NDArray[np.float64]  # one over its region's saturation area
    can_saturate: bool = False  # whether any region is larger than its saturation area

    @classmethod
    def of_mask(cls, mask: NDArray[Any] | None, index: int) -> ImageTruth:
        """Regions are the mask's 8-connected components, which saturate with their whole area."""
        nothing = np.empty(0, np.intp)
        if mask is None:
            return cls(index, None, nothing, 0, nothing, nothing, np.empty(0))
        defective = _marked(mask, index)
        pixels = np.flatnonzero(defective)
        if not pixels.size:
            return cls(index, defective.shape, nothing, 0, nothing, nothing, np.empty(0))
        count, components = cv2.connectedComponents(defective.astype(np.uint8), connectivity=8)
        component = components.reshape(-1)[pixels].astype(np.intp)
        weights = 1.0 / np.bincount(component)[component]
        return cls(index, defective.shape, pixels, count - 1, np.arange(pixels.size), component - 1, weights)

    @classmethod
    def of_defects(cls, defects: Sequence[Defect], index: int) -> ImageTruth:
        """Each defect is one region; where none is, the image is normal."""
        if not defects:
            return cls.of_mask(None, index)
        masks = [_marked(defect.mask, index) for defect in defects]
        if len({mask.shape for mask in masks}) > 1:
            raise FlawsightError(f"The masks of image {index}'s defects differ in shape; draw them on the same image.")
        positions = [np.flatnonzero(mask) for mask in masks]
        areas = np.array([place.size for place in positions])
        enough = [area if one.saturation is None else one.saturation for area, one in zip(areas, defects, strict=True)]
        if not areas.all() or not np.min(enough) > 0:
            raise FlawsightError(f"A defect of image {index} has no pixel, or a saturation area that is not above 0.")
        pixels, members = np.unique(np.concatenate(positions), return_inverse=True)
        weights = np.repeat(1.0 / np.minimum(enough, areas), areas)
        numbers = np.repeat(np.arange(areas.size), areas)
        can_saturate = bool((np.array(enough) < areas).any())
        return cls(index, masks[0].shape, pixels, areas.size, members, numbers, weights, can_saturate)


def saturated(weights: NDArray[np.float64], numbers: NDArray[np.intp]) -> NDArray[np.float64]:
    """The weights of pixels that are found in this order, without what exceeds their regions' saturation areas."""
    by_region = np.argsort(numbers, kind="stable")
    counts = np.bincount(numbers)
    found_before = np.empty(numbers.size)
    found_before[by_region] = np.arange(numbers.size) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.clip(1.0 - weights * found_before, 0.0, weights)


def _marked(mask: NDArray[Any], index: int) -> NDArray[np.bool_]:
    defective = np.asarray(mask) != 0
    if defective.ndim != 2:
        raise FlawsightError(f"Mask {index} must have the shape (H, W), but it has {defective.shape}.")
    return defective
