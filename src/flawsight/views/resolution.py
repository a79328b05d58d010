"""How small a defect may be and still be seen, when a picture is shrunk to the network's square."""

from __future__ import annotations

from collections.abc import Iterable
from math import ceil

import numpy as np

MOST_SHRUNK = 4.0
"""Pictures that are shrunk more often than this deserve a word about small defects."""
LEAST_PIXELS = 3.0
"""So many pixels across, a defect in the square begins to be found, however fine the layer: see docs/selection.md."""
LEAST_CELLS = 0.25
"""So many values of the finest layer across, a defect begins to be found."""


def smallest_defect(sizes: Iterable[tuple[int, int]], side: int, stride: float) -> tuple[float, float] | None:
    """How often pictures of these (height, width) are shrunk, and pixels across of what will hardly be found.

    The usual picture counts (the median). None where pictures are shrunk no more than 4 times.

    >>> smallest_defect([(2048, 2048)], side=256, stride=8)
    (8.0, 24.0)
    """
    shrunk = _shrunk(sizes, side)
    if shrunk <= MOST_SHRUNK:
        return None
    return shrunk, shrunk * _least(stride)


def least_seen(sizes: Iterable[tuple[int, int]], side: int, stride: float) -> float:
    """Pixels across of the smallest defect that can be seen in pictures of these (height, width), shrunk or not.

    >>> least_seen([(512, 512)], side=256, stride=8)
    6.0
    """
    return _shrunk(sizes, side) * _least(stride)


def side_to_see(sizes: Iterable[tuple[int, int]], pixels: float, stride: float) -> int:
    """The image size, a multiple of 32, at which a defect so many pixels across can be seen.

    >>> side_to_see([(512, 512)], pixels=4, stride=8)
    384
    """
    return max(32, 32 * ceil(_shrunk(sizes, 1) * _least(stride) / pixels / 32 - 1e-9))


def _shrunk(sizes: Iterable[tuple[int, int]], side: int) -> float:
    longest = [max(size) for size in sizes]
    return float(np.median(longest)) / side if longest else 0.0


def _least(stride: float) -> float:
    """Pixels of the network's input."""
    return max(LEAST_PIXELS, LEAST_CELLS * stride)
