"""A connected part of an anomaly map that exceeds the threshold, in the picture's own pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flawsight.data.masks import Outline

NAME = "defect"
"""What a region is called in documents of other programs."""


@dataclass(frozen=True)
class Region:
    """Where it lies, how large it is, and how far the map rises in it.

    Places are (x, y) from the picture's upper left corner, so that the first pixel spans 0 to 1 in both. `box` is
    (left, top, width, height) in the whole pixels that the region touches; `contour` is the closed outline, holes
    filled; `area_px` and `area_mm2` (None where a pixel's size is unknown) do not count holes; `peak` is the map's
    highest value, in the pixel `peak_at`.

    >>> (region,) = find_regions(np.pad(np.ones((4, 6)), 2), threshold=0.5, size=(8, 10))
    >>> region.box, region.area_px, region.centroid, region.contour[0]
    ((2, 2, 6, 4), 24.0, (5.0, 4.0), (2.0, 2.0))
    """

    box: tuple[int, int, int, int]
    contour: tuple[tuple[float, float], ...]
    area_px: float
    area_mm2: float | None
    centroid: tuple[float, float]
    peak: float
    peak_at: tuple[int, int]

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain JSON values."""
        return {
            "box": list(self.box),
            "contour": [list(point) for point in self.contour],
            "area_px": self.area_px,
            "area_mm2": self.area_mm2,
            "centroid": list(self.centroid),
            "peak": self.peak,
            "peak_at": list(self.peak_at),
        }

    def filled(self) -> NDArray[np.bool_]:
        """The pixels of `box`, (height, width) bool, whose centre the outline encloses; those it touches if none."""
        left, top, width, height = self.box
        canvas = np.zeros((height, width), bool)
        Outline(tuple((x - left, y - top) for x, y in self.contour)).draw(canvas)
        return canvas
