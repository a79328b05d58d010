"""Artificial defects of a given size and contrast, in the pixels of the picture that they are drawn on.

What is marked is exactly what changed. Contrast is in standard deviations of the grey levels around the place.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from flawsight.core import FlawsightError, unknown
from flawsight.defects.base import Image, Mask, as_image, changed, check_image
from flawsight.defects.kinds.local import local_sigmas

LOWEST_SIGMA = 3.0
"""Grey levels that stand in where the product is smoother than that."""
NEAR = 8
"""The spread is that of so many pixels to each side, or as many as the defect is large."""
LONG = (8.0, 32.0)
"""A scratch is so many times as long as it is wide, and no longer than `LONGEST` of the picture's short side."""
LONGEST = 0.6
WHOLE = 0.8
"""So much of a defect must lie where it may, in one piece, and show."""
BEND = 0.12
SEGMENTS = 16
_REDRAWS = 20
Box = tuple[int, int, int, int]
Outline = Callable[[Mask, tuple[int, int], int, float, np.random.Generator], Mask]


@dataclass(frozen=True)
class SizedKind:
    """What many and one of a kind are called, which way it is measured, and how it looks.

    >>> SIZED["scratch"].title, SIZED["scratch"].measured
    ('Scratches', 'wide')
    """

    title: str
    single: str
    measured: str
    looks: str
    is_foreign: bool = False


SIZED = {
    "scratch": SizedKind("Scratches", "scratch", "wide", "winding lines, darker or brighter"),
    "spot": SizedKind("Spots", "spot", "across", "darker or brighter places, through which the surface shows"),
    "patch": SizedKind("Patches", "patch", "across", "turned pieces of another good picture, darker or brighter", True),
}
"""Kinds of defects that can be made at a size: the width of a scratch, the side of a square as large as the others."""


def draw_sized(
    kind: str,
    image: Image,
    size: int,
    contrast: float,
    rng: np.random.Generator,
    *,
    allowed: Mask | None = None,
    source: Image | None = None,
) -> tuple[Image, Mask]:
    """A copy of image (H, W, 3) with a defect of this size (pixels), and the mask of exactly what changed.

    `allowed` (H, W): where it may lie. A piece of `source`, another good image, is taken for a patch. FlawsightError
    where there is no room.

    >>> bad, mask = draw_sized("spot", images[0], 5, contrast=4.0, rng=np.random.default_rng(0))
    >>> int(mask.sum()), bool(((bad != images[0]).any(axis=2) == mask).all())
    (25, True)
    """
    check_image(image, "the image")
    if kind not in SIZED:
        raise unknown("kind of defect that can be sized", kind, list(SIZED))
    if size < 1 or contrast <= 0:
        raise FlawsightError(f"a defect needs a size of 1 pixel or more and a contrast above 0, not {size}, {contrast}")
    room = np.ones(image.shape[:2], bool) if allowed is None else allowed
    places = np.flatnonzero(room)
    outline = _line if kind == "scratch" else _blob
    for _ in range(_REDRAWS if len(places) else 0):
        row, column = divmod(int(places[rng.integers(len(places))]), room.shape[1])
        shape = outline(room, (row, column), size, LONGEST * min(image.shape[:2]), rng)
        if not shape.any():
            continue
        sigma = local_sigmas(image, room, (row, column), max(NEAR, size))[0]
        filling = _foreign(image, source, shape, rng) if SIZED[kind].is_foreign else image
        bad = _shifted(image, filling, shape, contrast * max(sigma, LOWEST_SIGMA), rng)
        mask = changed(image, bad)
        if side_of(mask) ** 2 >= WHOLE * np.count_nonzero(shape):
            return bad, mask
    raise FlawsightError(
        f"no {kind} of {size} pixels could be placed on an image of {image.shape[1]}x{image.shape[0]} pixels: is it "
        "larger than the part that is inspected, or the picture all black or white?"
    )


def side_of(mask: Mask) -> float:
    """The side of a square as large as the largest connected part (8-connected) of a mask (H, W); 0 for none.

    >>> mask = np.zeros((20, 20), bool)
    >>> mask[2:6, 2:11] = True
    >>> side_of(mask)
    6.0
    """
    count, _, about, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    return float(about[1:, cv2.CC_STAT_AREA].max() ** 0.5) if count > 1 else 0.0


def _blob(room: Mask, centre: tuple[int, int], size: int, longest: float, rng: np.random.Generator) -> Mask:
    """The size x size pixels that lie deepest in a random, wavy outline around the centre; nothing without room."""
    del longest
    rows, columns = np.mgrid[: room.shape[0], : room.shape[1]].astype(np.float32)
    y, x = rows - centre[0], columns - centre[1]
    turn, stretch = rng.uniform(0, np.pi), rng.uniform(0.6, 1.0)
    along, across = np.cos(turn) * x + np.sin(turn) * y, (np.cos(turn) * y - np.sin(turn) * x) / stretch
    angle = np.arctan2(across, along)
    radius = 1 + sum(rng.normal(0, 0.2 / k) * np.cos(k * angle + rng.uniform(0, 2 * np.pi)) for k in range(2, 5))
    depth = np.hypot(along, across) / np.clip(radius, 0.5, 2.0)
    depth[~room] = np.inf
    found = np.zeros(room.shape, bool)
    if np.count_nonzero(room) >= size * size:
        found.flat[np.argpartition(depth, size * size - 1, axis=None)[: size * size]] = True
    return found


def _line(room: Mask, centre: tuple[int, int], size: int, longest: float, rng: np.random.Generator) -> Mask:
    """What is within half of `size` of a path whose heading walks at random through the centre."""
    length = min(max(longest, size), size * float(np.exp(rng.uniform(*np.log(LONG)))))
    heading = rng.uniform(0, 2 * np.pi) + np.cumsum(rng.normal(0, BEND, SEGMENTS))
    steps = length / SEGMENTS * np.stack([np.sin(heading), np.cos(heading)], axis=1)
    path = np.concatenate([np.zeros((1, 2)), np.cumsum(steps, axis=0)])
    path += np.array(centre) - path[SEGMENTS // 2]
    if (path.min(axis=0) < 0).any() or (path.max(axis=0) > np.subtract(room.shape, 1)).any():
        return np.zeros(room.shape, bool)
    found = np.zeros(room.shape, bool)
    for start, end in pairwise(path):
        low = np.maximum(np.floor(np.minimum(start, end) - size / 2), 0).astype(int)
        high = np.ceil(np.maximum(start, end) + size / 2 + 1).astype(int)
        part = np.s_[low[0] : max(high[0], 0), low[1] : max(high[1], 0)]
        found[part] |= _near(start - low, end - low, found[part].shape, size / 2)
    is_inside = np.count_nonzero(found & room) >= WHOLE * np.count_nonzero(found)
    return found & room if is_inside else np.zeros(room.shape, bool)


def _near(start: NDArray[np.floating], end: NDArray[np.floating], shape: tuple[int, ...], reach: float) -> Mask:
    """Pixels no farther than `reach` from a line between two points (row, column)."""
    rows, columns = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    across = end - start
    share = ((rows - start[0]) * across[0] + (columns - start[1]) * across[1]) / max(float(across @ across), 1e-12)
    share = np.clip(share, 0, 1)
    found: Mask = np.hypot(rows - start[0] - share * across[0], columns - start[1] - share * across[1]) <= reach
    return found


def _foreign(image: Image, source: Image | None, shape: Mask, rng: np.random.Generator) -> NDArray[np.floating]:
    """The image with a turned piece of the source where the shape is, as bright as what was there."""
    left, top, width, height = cv2.boundingRect(shape.astype(np.uint8))
    other: NDArray[np.generic] = np.rot90(image if source is None else source, int(rng.integers(1, 4)))
    if other.shape[0] < height or other.shape[1] < width:
        other = cv2.resize(np.ascontiguousarray(other), (max(width, other.shape[1]), max(height, other.shape[0])))
    y, x = (int(rng.integers(have - need + 1)) for have, need in zip(other.shape, (height, width), strict=False))
    inside = shape[top : top + height, left : left + width]
    piece = other[y : y + height, x : x + width].astype(np.float32)
    filled = image.astype(np.float32)
    here = filled[top : top + height, left : left + width]
    here[inside] = piece[inside] + here[inside].mean(axis=0) - piece[inside].mean(axis=0)
    return filled


def _shifted(image: Image, filling: NDArray[np.generic], shape: Mask, shift: float, rng: np.random.Generator) -> Image:
    """The image with the filling, darker or brighter, in the shape; the other way where saturation leaves more."""
    sign = rng.choice([-1.0, 1.0])
    pixels = filling[shape].astype(np.float32)
    both = [as_image(pixels + one * shift) for one in (sign, -sign)]
    moved = [abs(float(one.mean()) - float(pixels.mean())) for one in both]
    bad = image.copy()
    bad[shape] = both[0] if moved[0] >= 0.9 * shift or moved[0] >= moved[1] else both[1]
    return bad
