"""Masks that a labelling tool gives as drawings: outlines and runs, instead of as a picture."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from flawsight.core import FlawsightError

_FAR = 1_000_000
Points = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Outline:
    """A closed polygon of (x, y) in pixels, or an open line one pixel wide.

    A pixel is inside where its centre is; what holds no centre at all marks the pixels that its outline touches.
    """

    points: Points
    is_closed: bool = True

    def draw(self, canvas: np.ndarray) -> None:
        """Mark the pixels of this shape in a bool array."""
        points = np.array(self.points)
        if points.ndim != 2 or not np.isfinite(points).all():
            raise FlawsightError("a shape has no points, or some that are no numbers")
        inside = _inside(points, canvas.shape) if self.is_closed else np.zeros(canvas.shape, bool)
        if not inside.any():
            drawn = np.zeros(canvas.shape, np.uint8)
            corners = np.floor(points).clip(-_FAR, _FAR).astype(np.int32)
            cv2.polylines(drawn, [corners if len(corners) > 1 else corners.repeat(2, 0)], self.is_closed, 1)
            inside = drawn > 0
        canvas |= inside


@dataclass(frozen=True)
class Runs:
    """Lengths of runs of unmarked and marked pixels in turn, filling a window of (height, width) at (left, top).

    They run along columns, as in COCO, or along rows, as in CVAT.
    """

    lengths: tuple[int, ...]
    window: tuple[int, int]
    corner: tuple[int, int] = (0, 0)
    along_columns: bool = False

    def draw(self, canvas: np.ndarray) -> None:
        """Mark the pixels of this shape in a bool array."""
        height, width = self.window
        if height * width > 4 * canvas.size or min(self.lengths, default=0) < 0 or sum(self.lengths) > height * width:
            raise FlawsightError(f"runs do not fit their window of {width} x {height} pixels, or that not its image")
        flat = np.zeros(height * width, bool)
        marks = np.repeat(np.arange(len(self.lengths)) % 2 == 1, self.lengths)[: flat.size]
        flat[: marks.size] = marks
        window = flat.reshape(width, height).T if self.along_columns else flat.reshape(height, width)
        left, top = self.corner
        room = canvas[max(top, 0) : max(top + height, 0), max(left, 0) : max(left + width, 0)]
        room |= window[max(-top, 0) :, max(-left, 0) :][: room.shape[0], : room.shape[1]]


@dataclass(frozen=True)
class Drawing:
    """The shapes drawn on one picture, the (H, W) that the picture had then if it is known, and where they stand."""

    shapes: tuple[Outline | Runs, ...]
    size: tuple[int, int] | None
    where: str

    def pixels(self, size: tuple[int, int]) -> np.ndarray:
        """All shapes together as a bool array of this size."""
        canvas = np.zeros(size, bool)
        for shape in self.shapes:
            try:
                shape.draw(canvas)
            except FlawsightError as error:
                raise FlawsightError(f"{self.where}: {error}; draw or export it again") from error
        return canvas


def rectangle(left: float, top: float, right: float, bottom: float, degrees: float = 0.0) -> Outline:
    """A box, turned clockwise about its centre."""
    corners = np.array([(left, top), (right, top), (right, bottom), (left, bottom)], float)
    turn = np.deg2rad(degrees)
    rotation = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    centre = corners.mean(0)
    return Outline(_points((corners - centre) @ rotation + centre))


def ellipse(x: float, y: float, x_radius: float, y_radius: float, degrees: float = 0.0) -> Outline:
    """An ellipse about (x, y), as a polygon, turned clockwise."""
    angles, turn = np.linspace(0, 2 * np.pi, 72, endpoint=False), np.deg2rad(degrees)
    across, down = x_radius * np.cos(angles), y_radius * np.sin(angles)
    turned = np.stack([across * np.cos(turn) - down * np.sin(turn), across * np.sin(turn) + down * np.cos(turn)], 1)
    return Outline(_points(turned + np.array([x, y])))


def _points(array: np.ndarray) -> Points:
    return tuple((float(x), float(y)) for x, y in array)


def _inside(points: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Where a pixel's centre lies inside, by how often the outline is crossed on the way from the left."""
    height, width = shape
    (x, y), (next_x, next_y) = points.T, np.roll(points, -1, axis=0).T
    rows = np.arange(height) + 0.5
    edge, row = np.nonzero((y[:, None] <= rows) != (next_y[:, None] <= rows))
    crossing = x[edge] + (rows[row] - y[edge]) * (next_x[edge] - x[edge]) / (next_y[edge] - y[edge])
    column = np.clip(np.ceil(crossing - 0.5), 0, width).astype(int)
    flips = np.zeros((height, width + 1), np.int32)
    np.add.at(flips, (row, column), 1)
    return np.cumsum(flips, axis=1)[:, :width] % 2 == 1
