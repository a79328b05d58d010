"""The part's outline from good pictures of one size: what stands out from the background, less what only shades it."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from flawsight.core import FlawsightError, spread
from flawsight.defects import Image, Mask, estimate_product
from flawsight.views import RegionOfInterest

_MOST_IMAGES = 32
_SIDE = 192  # outlines are found at this length of the longer side
_RING = 3  # pixels of the border that are background wherever the part does not run through it
_TYPICAL = 0.6  # of the part's usual distance from the background: shadows mostly stay below
_UNUSUAL = 2.0  # outlines so many times larger than the usual one hold more than the part
_MARGIN = 0.03  # of the part's longer side
_WHOLE = 0.95
_ROUNDS = 5
_FEWEST = 16  # pixels; GrabCut describes each side by five colours


def propose_region(images: Sequence[Image]) -> RegionOfInterest | None:
    """Propose where the part lies in good images (H, W, 3) uint8: the outlines of all of them together, and a margin.

    Looks at no more than 32, spread evenly. Shadows beside the part are left out as far as they differ from it. None
    where no object stands out from a background, or it fills the picture: then the whole picture is to be inspected.
    FlawsightError for no images, or those of several sizes.

    >>> propose_region(images) is None
    True
    """
    small, size = _looked_at(images)
    product = estimate_product(small)
    if product.background is None:
        return None
    brightness, threshold = product.background
    # Medians keep specks and the grain of the background from reaching the outline.
    small = [np.asarray(cv2.medianBlur(image, 5), np.uint8) for image in small]
    far = [np.asarray(image.mean(axis=2) - brightness, np.float64) for image in small]
    # Beside a bright part, what is darker than the background is shadow; a dark part and its shadow are told by colour.
    if np.median([_area(one > threshold) - _area(one < -threshold) for one in far]) < 0:
        far = [-one for one in far]
    outlines = [_outline(image, one, threshold) for image, one in zip(small, far, strict=True)]
    mask = _together([one for one in outlines if one.any()])
    if mask is None or mask.mean() > _WHOLE:
        return None
    # As shares between 0 and 1, or else the outline would have steps.
    large = cv2.resize(mask.astype(np.float32), (size[1], size[0]), interpolation=cv2.INTER_LINEAR)
    return RegionOfInterest(np.asarray(large > 0.5))


def _looked_at(images: Sequence[Image]) -> tuple[list[Image], tuple[int, int]]:
    """Some of the images made small, and the (H, W) that they all have."""
    if len(images) == 0:
        raise FlawsightError("no good pictures were given: --region auto needs some in which to look for the part")
    small: list[Image] = []
    first: tuple[int, int] = (0, 0)
    for number in spread(len(images), _MOST_IMAGES):
        image = images[number]
        size = (image.shape[0], image.shape[1])
        first = first if small else size
        if size != first:
            raise FlawsightError(
                f"--region auto needs pictures of one size, but number {number + 1} is {size[1]} x {size[0]} pixels "
                f"and the first {first[1]} x {first[0]}: cut them to one size, or leave --region out"
            )
        scale = min(1.0, _SIDE / max(size))
        small_size = (max(1, round(size[1] * scale)), max(1, round(size[0] * scale)))
        small.append(np.asarray(cv2.resize(image, small_size, interpolation=cv2.INTER_AREA), np.uint8))
    return small, first


def _outline(image: Image, far: NDArray[np.float64], threshold: float) -> Mask:
    """The part's filled outline in one image; nothing where it does not stand out.

    GrabCut starts from what is surely the part and lets colour and edges decide on the rest.
    """
    part = _filled(_largest(_opened(far > threshold, 2)))
    core = part & (far >= _TYPICAL * np.percentile(far[part], 75)) if part.any() else part
    core = cv2.erode(core.astype(np.uint8), _disc(2)) > 0
    ring = np.ones(core.shape, dtype=bool)
    ring[_RING:-_RING, _RING:-_RING] = False
    if min(core.sum(), (ring & ~core).sum()) < _FEWEST:
        return np.zeros(core.shape, dtype=bool)
    labels = np.full(core.shape, cv2.GC_PR_BGD, dtype=np.uint8)
    labels[core] = cv2.GC_PR_FGD
    labels[ring & ~core] = cv2.GC_BGD
    cv2.setRNGSeed(0)  # the models of colour begin with k-means
    models = np.zeros((1, 65)), np.zeros((1, 65))
    colours = cv2.cvtColor(image, cv2.COLOR_RGB2LAB)
    cv2.grabCut(colours, labels, (0, 0, 1, 1), *models, _ROUNDS, cv2.GC_INIT_WITH_MASK)
    found = _opened((labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD), 2)
    return _filled(_largest(found))


def _together(outlines: Sequence[Mask]) -> Mask | None:
    """The union of the usual outlines, closed and with a margin."""
    if not outlines:
        return None
    usual = _UNUSUAL * float(np.median([outline.sum() for outline in outlines]))
    union = np.logical_or.reduce([outline for outline in outlines if outline.sum() <= usual])
    rows, columns = union.any(axis=1).sum(), union.any(axis=0).sum()
    margin = max(1, round(_MARGIN * float(max(rows, columns))))
    # Padded, so that the border is not taken for a part of the background that is grown into.
    padded = np.pad(union.astype(np.uint8), 3 * margin)
    grown = cv2.erode(cv2.dilate(padded, _disc(3 * margin)), _disc(2 * margin))
    return _filled(grown[3 * margin : -3 * margin, 3 * margin : -3 * margin] > 0)


def _area(mask: Mask) -> float:
    return float(_largest(mask).mean())


def _largest(mask: Mask) -> Mask:
    """The largest connected piece."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    return np.asarray(labels == 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())) if count > 1 else mask


def _filled(mask: Mask) -> Mask:
    outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return cv2.drawContours(np.zeros(mask.shape, np.uint8), outlines, -1, 1, cv2.FILLED) > 0


def _opened(mask: Mask, radius: int) -> Mask:
    """Without spikes; as it is where only thin pieces stand out, as of a wire."""
    opened = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, _disc(radius)) > 0
    return opened if 2 * opened.sum() > mask.sum() else mask


def _disc(radius: int) -> NDArray[np.uint8]:
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1)), np.uint8)
