"""Every figure of one detector on one test set, as plain JSON-able values."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flawsight.core import FlawsightError
from flawsight.metrics._checks import labelled_scores
from flawsight.metrics._truth import Defect
from flawsight.metrics.at_threshold import ThresholdCounts, threshold_counts
from flawsight.metrics.combined import harmonic_mean
from flawsight.metrics.detection import Rates, auroc, f1_max, rates
from flawsight.metrics.localisation import Maps, Masks, PixelTruth


def evaluate_maps(
    scores: ArrayLike,
    labels: ArrayLike,
    maps: Maps | None,
    masks: Masks | None,
    threshold: float | None = None,
    *,
    kinds: Sequence[str | None] | None = None,
    pixel_threshold: float | None = None,
    defects: Sequence[Sequence[Defect]] | None = None,
) -> dict[str, Any]:
    """Return image and pixel figures over all images and, under "kinds", of each kind of defect with all good images.

    One entry per image: `scores`, `labels` (0 good, 1 defective), `maps` (H, W), `masks` (H, W) or None where there is
    none, `kinds` (ignored for good images), and `defects`, those that the mask unites, where it is known which pixels
    are one defect and when it saturates; without, each 8-connected component is one. A figure that cannot be computed
    is None, never 0: pixel figures without maps or masks, what needs `threshold` or `pixel_threshold` without it, and
    what needs good and defective images where one class is missing. Defective images without a mask count in the image
    figures only; "pixel_images" says how many the pixel figures saw. "p_h" is the harmonic mean of auroc and aupro_0.30
    (Eq. 3 of paper A); "auspro_0.05" is that of `auspro`; "seg_f1", "defects", "defects_hit", "hit_rate" and
    "false_regions_per_image" are those of `ThresholdCounts` at `pixel_threshold`.

    >>> maps, masks = [np.zeros((4, 4)), np.eye(4)], [None, np.eye(4)]
    >>> figures = evaluate_maps([0.1, 0.9], [0, 1], maps, masks, threshold=0.5, kinds=["good", "scratch"])
    >>> figures["auroc"], figures["aupro_0.30"], figures["detection_rate"], list(figures["kinds"])
    (1.0, 1.0, 1.0, ['scratch'])
    """
    values, defective = labelled_scores(scores, labels)
    for name, entries in (("maps", maps), ("masks", masks), ("kinds", kinds), ("defects", defects)):
        if entries is not None and len(entries) != values.size:
            raise FlawsightError(f"There are {values.size} scores but {len(entries)} {name}; give one per image.")
    pixels = None if maps is None or masks is None else _Pixels(maps, masks, defective, pixel_threshold, defects)

    def figures(chosen: NDArray[np.bool_]) -> dict[str, Any]:
        indices = np.flatnonzero(chosen)
        image = _image_figures(values[indices], defective[indices], threshold)
        pixel = _NO_PIXEL_FIGURES if pixels is None else pixels.figures(indices)
        return {"images": int(indices.size), **image, **pixel, "p_h": _p_h(image["auroc"], pixel["aupro_0.30"])}

    result = figures(np.ones(values.size, bool))
    by_kind = _by_kind(kinds, defective)
    result["kinds"] = {kind: figures(~defective | members) for kind, members in by_kind.items()}
    return result


def _image_figures(scores: NDArray[Any], defective: NDArray[np.bool_], threshold: float | None) -> dict[str, Any]:
    both = defective.any() and not defective.all()
    alarms = Rates(None, None) if threshold is None else rates(scores, defective, threshold)
    return {
        "auroc": auroc(scores, defective) if both else None,
        "f1_max": f1_max(scores, defective) if both else None,
        **alarms._asdict(),
    }


_NO_CURVES: dict[str, Any] = dict.fromkeys(("pixel_auroc", "aupro_0.30", "aupro_0.05", "auspro_0.05"))
_COUNTED = ("seg_f1", "defects", "defects_hit", "hit_rate", "false_regions_per_image")
_NO_PIXEL_FIGURES: dict[str, Any] = {"pixel_images": 0, **_NO_CURVES, **dict.fromkeys(_COUNTED)}


class _Pixels:
    """Maps and prepared masks of a test set, of which some defective images may lack a mask."""

    def __init__(
        self,
        maps: Maps,
        masks: Masks,
        defective: NDArray[np.bool_],
        threshold: float | None,
        defects: Sequence[Sequence[Defect]] | None,
    ) -> None:
        self._maps = maps
        self._truth = PixelTruth(masks)
        self._saturating = None if defects is None else PixelTruth.of_defects(defects)
        self._known = np.array([mask is not None for mask in masks], bool) | ~defective
        for index in np.flatnonzero(~defective).tolist():
            if self._truth.subset([index]).regions or (defects and defects[index]):
                raise FlawsightError(
                    f"Image {index} is labelled good but its mask marks a defect; correct one of them."
                )
        self._counts: dict[int, ThresholdCounts] = {}
        if threshold is not None:
            known = np.flatnonzero(self._known).tolist()
            self._counts = {index: threshold_counts(maps[index], masks[index], threshold) for index in known}

    def figures(self, indices: NDArray[np.intp]) -> dict[str, Any]:
        known = indices[self._known[indices]].tolist()
        curves = self._curves(known)
        total = ThresholdCounts.total(self._counts[index] for index in known if self._counts)
        counted = {name: getattr(total, name) if total.images else None for name in _COUNTED}
        return {"pixel_images": len(known) if curves is not _NO_CURVES else 0, **curves, **counted}

    def _curves(self, known: list[int]) -> dict[str, Any]:
        truth = self._truth.subset(known)
        if not truth.regions:
            return _NO_CURVES
        maps = [self._maps[index] for index in known]
        area, overlaps = truth.figures(maps, (0.30, 0.05))
        saturated = None if self._saturating is None else self._saturating.subset(known).aupro(maps, 0.05)
        return {
            "pixel_auroc": area,
            "aupro_0.30": overlaps[0],
            "aupro_0.05": overlaps[1],
            "auspro_0.05": overlaps[1] if saturated is None else saturated,
        }


def _p_h(image: float | None, pixel: float | None) -> float | None:
    return None if image is None or pixel is None else harmonic_mean(image, pixel)


def _by_kind(kinds: Sequence[str | None] | None, defective: NDArray[np.bool_]) -> dict[str, NDArray[np.bool_]]:
    """Return, for each kind of defect in alphabetical order, which images show it."""
    if kinds is None:
        return {}
    present = {kind for kind, bad in zip(kinds, defective, strict=True) if bad and kind is not None}
    return {kind: np.array([other == kind for other in kinds]) & defective for kind in sorted(present)}
