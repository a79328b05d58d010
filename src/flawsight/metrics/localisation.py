"""Pixel-level figures: does the anomaly map mark the defect? Exact AU-PRO, AU-sPRO and pixel AU-ROC.

The official AU-PRO sorts every pixel of a category. Here only the defect pixels, which are few, are ranked one by one.
Between two consecutive distinct defect scores the per-region overlap (PRO) cannot change, so the curve is flat there,
and where normal pixels tie with a defect score it is one straight segment. The counts of normal pixels above, and at,
every defect score therefore give the whole curve; and the normal scores that lie past the limit are never sorted.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from flawsight.core import FlawsightError
from flawsight.metrics._checks import floating_type
from flawsight.metrics._ranks import mann_whitney
from flawsight.metrics._truth import Defect, ImageTruth, saturated

Maps = Sequence[NDArray[Any]] | NDArray[Any]
Masks = Sequence[NDArray[Any] | None] | NDArray[Any]


class PixelMetrics(NamedTuple):
    """Pixel AU-ROC, and the AU-PRO at every limit asked for.

    >>> PixelTruth([np.eye(4)]).figures([np.eye(4)], fpr_limits=[0.3, 0.05])
    PixelMetrics(pixel_auroc=1.0, aupro=(1.0, 1.0))
    """

    pixel_auroc: float
    aupro: tuple[float, ...]


class PixelTruth:
    """The ground truth of a set of images, prepared once to measure many sets of maps against it.

    `masks`: one (H, W) array per image, non-zero where defective, or None for a good image. Regions are the
    8-connected components of each mask.

    >>> truth = PixelTruth([None, np.eye(4)])
    >>> truth.regions, truth.aupro([np.zeros((4, 4)), np.eye(4)])
    (1, 1.0)
    """

    def __init__(self, masks: Masks) -> None:
        self._images = [ImageTruth.of_mask(mask, index) for index, mask in enumerate(masks)]

    def __len__(self) -> int:
        return len(self._images)

    @classmethod
    def of_defects(cls, defects: Sequence[Sequence[Defect]]) -> Self:
        """Return the truth whose regions are these defects, none for a good image: `aupro` is then their AU-sPRO."""
        truth = cls([])
        truth._images = [ImageTruth.of_defects(some, index) for index, some in enumerate(defects)]
        return truth

    def subset(self, indices: Sequence[int]) -> Self:
        """Return the truth of some of the images, in the order given; errors keep naming them by their first index."""
        part = type(self)([])
        part._images = [self._images[index] for index in indices]
        return part

    @property
    def regions(self) -> int:
        """The number of defect regions in all images together."""
        return sum(image.regions for image in self._images)

    def aupro(self, maps: Maps, fpr_limit: float = 0.3) -> float:
        """Return the AU-PRO of `maps`; see the function `aupro`."""
        return _area(*self.aupro_curve(maps, fpr_limit))

    def aupro_curve(self, maps: Maps, fpr_limit: float = 0.3) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the corners of the PRO curve of `maps`; see the function `aupro_curve`."""
        limit = _checked_limit(fpr_limit)
        scores, defect = self._split(maps)
        kept = _kept(limit, scores.size - defect.size)
        first = scores.size - kept
        scores.partition(first)
        scores[first:].sort()
        return self._curve(scores, defect, limit)

    def pixel_auroc(self, maps: Maps) -> float:
        """Return the pixel AU-ROC of `maps`; see the function `pixel_auroc`."""
        return self.figures(maps, ()).pixel_auroc

    def figures(self, maps: Maps, fpr_limits: Sequence[float] = (0.3,)) -> PixelMetrics:
        """Return the pixel AU-ROC and the AU-PRO at each limit for the price of one sort of all pixels."""
        limits = [_checked_limit(limit) for limit in fpr_limits]
        scores, defect = self._split(maps)
        scores.sort()
        area = mann_whitney(scores[defect.size :], np.sort(defect))
        return PixelMetrics(area, tuple(_area(*self._curve(scores, defect, limit)) for limit in limits))

    def _split(self, maps: Maps) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return (all scores with -inf in place of every defect pixel, the scores of the defect pixels).

        Once sorted, the first `defect.size` scores are those place-holders and the rest are the normal pixels: one
        copy of the maps, and nothing to compress.
        """
        arrays = _checked_maps(maps, self._images)
        scores = np.empty(sum(array.size for array in arrays), floating_type(*(array.dtype for array in arrays)))
        defect = np.empty(sum(image.pixels.size for image in self._images), scores.dtype)
        if not defect.size:
            raise FlawsightError("No mask has a defect region; pixel figures need at least one defective pixel.")
        if defect.size == scores.size:
            raise FlawsightError("Every pixel is defective; pixel figures need normal pixels too.")
        start = taken = 0
        for array, image in zip(arrays, self._images, strict=True):
            part = scores[start : start + array.size]
            part[:] = array.reshape(-1)
            if np.isnan(part.max()):  # the maximum of an array with a NaN is NaN
                raise FlawsightError(f"Map {image.number} contains NaN; a detector must give every pixel a number.")
            defect[taken : taken + image.pixels.size] = part[image.pixels]
            part[image.pixels] = -np.inf
            start, taken = start + array.size, taken + image.pixels.size
        return scores, defect

    def _curve(
        self, scores: NDArray[Any], defect: NDArray[Any], limit: float
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the curve up to `limit`, given scores of which the last `_kept` are in order and the largest."""
        normals = scores.size - defect.size
        first = scores.size - _kept(limit, normals)
        top, lowest = scores[first:], scores[first]
        # Normal pixels that tie with the lowest kept score, but were not kept, still belong to its point.
        # At -inf they cannot be told from the place-holders by value, but all that were left out are among them.
        left_out = np.count_nonzero(scores[:first] == lowest) if lowest > -np.inf else normals - top.size
        thresholds, pro = self._overlap(defect, lowest)
        above = top.size - np.searchsorted(top, thresholds, side="right")
        at_or_above = top.size - np.searchsorted(top, thresholds, side="left") + left_out * (thresholds == lowest)
        # A defect score adds two corners: where the flat part before it ends, and where its ties end.
        fpr = np.concatenate(([0.0], np.column_stack((above, at_or_above)).ravel() / normals, [1.0]))
        pro = np.concatenate(([0.0, 0.0], np.repeat(pro, 2)))
        inside = int(np.searchsorted(fpr, limit, side="right"))
        end = np.interp(limit, fpr, pro)
        return np.append(fpr[:inside], limit), np.append(pro[:inside], end)

    def _overlap(self, defect: NDArray[Any], lowest: float) -> tuple[NDArray[Any], NDArray[np.float64]]:
        """Return the distinct defect scores >= lowest, descending, and the mean region overlap at each."""
        scores = defect[self._joined("members", [image.pixels.size for image in self._images])]
        order = np.flatnonzero(scores >= lowest)
        order = order[np.argsort(scores[order])[::-1]]
        ranked, weights = scores[order], np.concatenate([image.weights for image in self._images])[order]
        if any(image.can_saturate for image in self._images):
            weights = saturated(weights, self._joined("numbers", [image.regions for image in self._images])[order])
        last_of_ties = np.append(ranked[1:] != ranked[:-1], True)[: ranked.size]
        overlap = np.minimum(np.cumsum(weights) / self.regions, 1.0)
        return ranked[last_of_ties], overlap[last_of_ties]

    def _joined(self, name: str, counts: Sequence[int]) -> NDArray[np.intp]:
        """Return what every image numbers from 0, numbered through; `counts` is how much each has of it."""
        starts = np.cumsum([0, *counts])
        return np.concatenate([getattr(image, name) + s for image, s in zip(self._images, starts, strict=False)])


def aupro(maps: Maps, masks: Masks, fpr_limit: float = 0.3) -> float:
    """Return the area under the per-region overlap curve up to a pixel false-positive rate, divided by that rate.

    Exact, as MVTec's evaluation script defines it: all images of the category together, every score a threshold
    (positive at score >= threshold), ties merged, 8-connected regions, linear interpolation at the limit.
    `maps`: (N, H, W), or N arrays (H, W) of any sizes; `masks` likewise, None for a good image.

    >>> aupro(maps=[np.eye(4)], masks=[np.eye(4)])
    1.0
    """
    return PixelTruth(masks).aupro(maps, fpr_limit)


def aupro_curve(maps: Maps, masks: Masks, fpr_limit: float = 0.3) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the corners (false-positive rates, mean overlaps) of the curve that `aupro` measures, up to the limit.

    >>> false_positive_rates, overlaps = aupro_curve(maps=[np.eye(4)], masks=[np.eye(4)])
    >>> false_positive_rates, overlaps
    (array([0. , 0. , 0. , 0.3]), array([0., 0., 1., 1.]))
    """
    return PixelTruth(masks).aupro_curve(maps, fpr_limit)


def auspro(maps: Maps, defects: Sequence[Sequence[Defect]], fpr_limit: float = 0.05) -> float:
    """Return the area under the saturated per-region overlap (sPRO) curve up to a false-positive rate, divided by it.

    As MVTec LOCO AD defines it (Bergmann et al. 2022), for all thresholds: the mean over all defects of
    min(pixels found / saturation area, 1); false positives are pixels outside every defect. `defects`: those of each
    image, none for a good one. It equals `aupro` where each is one 8-connected component that saturates with its area.

    >>> auspro(maps=[np.diag([1, 0, 0, 0])], defects=[[Defect(np.eye(4), saturation=1)]])
    1.0
    """
    return PixelTruth.of_defects(defects).aupro(maps, fpr_limit)


def pixel_auroc(maps: Maps, masks: Masks) -> float:
    """Return the exact area under the ROC curve over all pixels of all images; `maps` and `masks` as in `aupro`.

    >>> pixel_auroc(maps=[np.eye(4)], masks=[np.eye(4)])
    1.0
    """
    return PixelTruth(masks).pixel_auroc(maps)


def _kept(limit: float, normals: int) -> int:
    """Return how many of the largest normal scores decide the curve: the first to pass the limit is the last."""
    return min(normals, math.floor(limit * normals) + 1)


def _area(fpr: NDArray[np.float64], pro: NDArray[np.float64]) -> float:
    return float(np.sum(np.diff(fpr) * (pro[1:] + pro[:-1])) / (2 * fpr[-1]))


def _checked_limit(limit: float) -> float:
    if not 0 < limit <= 1:
        raise FlawsightError(f"The false-positive limit must be above 0 and at most 1, but it is {limit}.")
    return float(limit)


def _checked_maps(maps: Maps, images: Sequence[ImageTruth]) -> list[NDArray[Any]]:
    arrays = [np.asarray(array) for array in maps]
    if len(arrays) != len(images):
        raise FlawsightError(f"There are {len(arrays)} maps but {len(images)} masks; give one mask (or None) per map.")
    for array, image in zip(arrays, images, strict=True):
        if array.ndim != 2 or not array.size:
            raise FlawsightError(f"Map {image.number} must have the shape (H, W), but it has {array.shape}.")
        if array.dtype.kind not in "buif":
            raise FlawsightError(f"Map {image.number} must hold real numbers, but its type is {array.dtype}.")
        if image.shape is not None and array.shape != image.shape:
            raise FlawsightError(
                f"Map {image.number} has the shape {array.shape} but its mask has {image.shape}; "
                "resize the map to its mask."
            )
    return arrays
