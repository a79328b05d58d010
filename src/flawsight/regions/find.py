"""From an anomaly map to its regions."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from flawsight.core import FlawsightError
from flawsight.regions.region import Region


def find_regions(
    anomaly_map: NDArray[Any],
    threshold: float,
    size: tuple[int, int],
    mm_per_pixel: float | None = None,
    offset: tuple[int, int] = (0, 0),
) -> tuple[Region, ...]:
    """The 8-connected parts of a map strictly above the threshold, the highest peak first.

    `anomaly_map` (h, w), of any resolution, stands for an area of `size` (H, W) pixels whose upper left corner is the
    picture's pixel `offset` (x, y). Values and threshold are compared as float64, so that there is a region exactly
    where the map's maximum exceeds the threshold; -inf is below any. FlawsightError for other values that are not
    finite, and for sizes that are not positive.

    >>> regions = find_regions(np.eye(8), threshold=0.5, size=(64, 80), mm_per_pixel=0.1)
    >>> len(regions), regions[0].box, regions[0].area_px, round(regions[0].area_mm2, 2)
    (1, (0, 0, 80, 64), 640.0, 6.4)
    """
    _check(anomaly_map, threshold, size, mm_per_pixel)
    above = np.greater(anomaly_map, threshold, signature="dd->?").view(np.uint8)
    count, labels, stats, centroids = cv2.connectedComponentsWithStats(above, connectivity=8)
    grid = _Grid(anomaly_map.shape, size, offset)
    regions = []
    for label in range(1, count):
        left, top, width, height, cells = stats[label].tolist()
        window = slice(top, top + height), slice(left, left + width)
        inside = labels[window] == label
        values = np.where(inside, anomaly_map[window], -np.inf)
        row, column = divmod(int(values.argmax()), width)
        area = cells * size[0] * size[1] / anomaly_map.size
        regions.append(
            Region(
                box=grid.box(left, top, width, height),
                contour=tuple(grid.place(left + x, top + y) for x, y in _outline(inside)),
                area_px=area,
                area_mm2=None if mm_per_pixel is None else area * mm_per_pixel**2,
                centroid=grid.place(centroids[label, 0].item() + 0.5, centroids[label, 1].item() + 0.5),
                peak=float(values[row, column]),
                peak_at=grid.pixel(left + column, top + row),
            )
        )
    return tuple(sorted(regions, key=lambda region: -region.peak))


class _Grid(NamedTuple):
    """The cells of a map (h, w) over an area of (H, W) pixels, of which one corner is the pixel `offset`."""

    shape: tuple[int, ...]
    size: tuple[int, int]
    offset: tuple[int, int]

    def place(self, x: float, y: float) -> tuple[float, float]:
        # Multiplied first: the map's far edge is then the area's, to the last bit.
        (h, w), (height, width) = self.shape, self.size
        return x * width / w + self.offset[0], y * height / h + self.offset[1]

    def box(self, left: int, top: int, width: int, height: int) -> tuple[int, int, int, int]:
        x, x_end = _covering(left, left + width, self.size[1], self.shape[1])
        y, y_end = _covering(top, top + height, self.size[0], self.shape[0])
        return x + self.offset[0], y + self.offset[1], x_end - x, y_end - y

    def pixel(self, column: int, row: int) -> tuple[int, int]:
        """The pixel that holds the middle of a cell."""
        (h, w), (height, width) = self.shape, self.size
        x, y = (2 * column + 1) * width // (2 * w), (2 * row + 1) * height // (2 * h)
        return x + self.offset[0], y + self.offset[1]


def _covering(first: int, end: int, pixels: int, cells: int) -> tuple[int, int]:
    """The whole pixels, from and to, that cells from `first` to `end` touch; in integers, which do not round."""
    return first * pixels // cells, -(-end * pixels // cells)


def _outline(inside: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """The corners (x, y) of the outer edge of a connected part: along the sides of its cells, not their centres."""
    # OpenCV follows the centres of cells. With every cell doubled, an outline passes 2x on a cell's left side and
    # 2x + 1 on its right one, so that halving upwards gives the side itself; a step across an inner corner becomes
    # that corner twice.
    doubled = inside.repeat(2, 0).repeat(2, 1).view(np.uint8)
    (points,), _ = cv2.findContours(doubled, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    corners = (points.reshape(-1, 2) + 1) // 2
    moved = (corners != np.roll(corners, 1, axis=0)).any(axis=1)
    return [(x, y) for x, y in corners[moved].tolist()]


def _check(anomaly_map: NDArray[Any], threshold: float, size: tuple[int, int], mm_per_pixel: float | None) -> None:
    if anomaly_map.ndim != 2 or not anomaly_map.size or anomaly_map.dtype.kind not in "buif":
        shape, kind = anomaly_map.shape, anomaly_map.dtype
        raise FlawsightError(f"an anomaly map must hold real numbers in the shape (h, w), but it is {kind} {shape}")
    highest = float(anomaly_map.max())
    if math.isnan(highest) or highest == math.inf:
        raise FlawsightError(f"the anomaly map holds {highest}: check the image and the detector")
    if math.isnan(threshold):
        raise FlawsightError("the threshold of the anomaly map is not a number")
    if min(size) < 1:
        raise FlawsightError(f"the map's area must have a positive height and width in pixels, not {size}")
    if mm_per_pixel is not None and not 0 < mm_per_pixel < math.inf:
        raise FlawsightError(f"--mm-per-pixel must be above 0, the width of a pixel in mm, but it is {mm_per_pixel}")
