"""How small a defect may be and still be seen, when a picture is shrunk to the network's square."""

from __future__ import annotations

from collections.abc import Iterable

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
    longest = [max(size) for size in sizes]
    shrunk = float(np.median(longest)) / side if longest else 0.0
    if shrunk <= MOST_SHRUNK:
        return None
    return shrunk, shrunk * max(LEAST_PIXELS, LEAST_CELLS * stride)
