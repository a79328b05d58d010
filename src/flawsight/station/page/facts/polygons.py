"""Polygons that people draw on a picture, as text, as pixels, and as a region for a fit."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

import cv2
import numpy as np

from flawsight.core import FlawsightError
from flawsight.data.masks import Outline

Point = tuple[float, float]
Polygon = tuple[Point, ...]
_PAIR = re.compile(r"\s*(-?\d+(?:\.\d+)?)\s*,\s*(-?\d+(?:\.\d+)?)\s*")
SHADE = (24, 24, 24, 175)
"""BGRA of what is left out."""


def text_of(polygon: Polygon) -> str:
    """`x,y x,y x,y` in pixels."""
    return " ".join(f"{x:g},{y:g}" for x, y in polygon)


def polygon_of(text: str, size: tuple[int, int]) -> Polygon:
    """Read what `text_of` wrote; FlawsightError where it is no polygon within a picture of (H, W)."""
    pairs = [_PAIR.fullmatch(part) for part in re.sub(r"\s*,\s*", ",", text.strip()).split()]
    if None in pairs or len(pairs) < 3:
        raise FlawsightError(f"'{text}' is no polygon: write at least three points, such as 10,10 60,10 60,40")
    points = tuple((float(pair[1]), float(pair[2])) for pair in pairs if pair)
    height, width = size
    if any(not (0 <= x <= width and 0 <= y <= height) for x, y in points):
        raise FlawsightError(f"'{text}' leaves the picture, which has {width} x {height} pixels")
    return points


def mask_of(polygons: Sequence[Polygon], size: tuple[int, int]) -> np.ndarray:
    """(H, W) bool: the pixels in any of the polygons."""
    mask = np.zeros(size, bool)
    for polygon in polygons:
        Outline(polygon).draw(mask)
    return mask


def shade_png(mask: np.ndarray) -> bytes:
    """A mask (H, W) bool as an RGBA PNG to lay over the picture: dark stripes where it is true."""
    rows, columns = np.indices(mask.shape, dtype=np.int32)
    step = max(2, round(max(mask.shape) / 90))
    stripes = ((rows + columns) // step) % 2 == 0
    shade = np.zeros((*mask.shape, 4), np.uint8)
    shade[mask] = SHADE
    shade[mask & stripes] = (*SHADE[:3], 110)
    return cv2.imencode(".png", shade)[1].tobytes()


def region_document(inspect: Sequence[Polygon], ignore: Sequence[Polygon]) -> str:
    """The region.json that `fit --region` reads."""
    return json.dumps({"polygons": list(inspect), "ignore": list(ignore)}, indent=1) + "\n"
