"""View: how a picture becomes the network's inputs, squares, and how their maps go back to the picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from math import ceil
from typing import TYPE_CHECKING, ClassVar, Literal

import cv2
import numpy as np

from flawsight.core import FlawsightError
from flawsight.views.resize import resize_image

if TYPE_CHECKING:
    from flawsight.views.roi import RegionOfInterest

Size = tuple[int, int]
ViewKind = Literal["squash", "whole", "tiles"]
OVERLAP = 0.125
"""Share of a tile that the next one sees, too, where nothing else is said."""
FILL = 128
"""Grey of what is not inspected, in the middle of what networks are given: the same in every picture."""


@dataclass(frozen=True)
class View:
    """How pictures become squares of `side` pixels.

    `squash` resizes the picture to one square; `whole` keeps its aspect and fills up with grey; `tiles` cuts squares of
    `tile` picture pixels (default: `side`, native), each resized to `side`, of which neighbours share at least
    `overlap`. What is filled, or outside a region of interest, has no part in maps and scores.

    >>> View("tiles", side=256).frame((300, 1000)).tiles
    10
    >>> View("whole", side=256).frame((300, 1000)).working
    (77, 256)
    """

    kind: ViewKind = "squash"
    side: int = 256
    tile: int | None = None
    overlap: float = OVERLAP

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    def __post_init__(self) -> None:
        if self.tile is not None and self.kind != "tiles":
            raise FlawsightError(f"--tile is for --view tiles, not {self.kind}: leave it out")
        if self.tile is not None and self.tile < 8:
            raise FlawsightError(f"--tile {self.tile} is too small: a tile needs at least 8 pixels")
        if not 0 <= self.overlap <= 0.5:
            raise FlawsightError(f"tiles may overlap by 0 to 0.5 of their side, not {self.overlap}")

    @property
    def cut(self) -> int:
        """Picture pixels that a tile covers."""
        return self.tile or self.side

    @property
    def text(self) -> str:
        """In words, such as `tiles of 512 pixels at 256`."""
        return f"tiles of {self.cut} pixels at {self.side}" if self.kind == "tiles" else f"{self.kind} at {self.side}"

    def frame(self, size: Size, region: RegionOfInterest | None = None) -> Frame:
        """Where the squares of a picture of (H, W) pixels lie; FlawsightError where tiles are larger than it."""
        return _frame(self, size, region)


@dataclass(frozen=True, eq=False)
class Frame:
    """The squares of a picture of `size` (H, W): its part `box` (left, top, width, height), resized to `working` (h, w)
    pixels, is cut at `origins` (y, x). `inside` (h, w): what is inspected, where that is not all.

    >>> frame = View("tiles", side=32).frame(images[0].shape[:2])
    >>> squares = list(frame.cut(images[0]))
    >>> frame.working, len(squares), squares[0].shape
    ((64, 80), 9, (32, 32, 3))
    >>> maps = [square[..., 0].astype(np.float32) for square in squares]
    >>> bool(np.allclose(frame.join(maps), images[0][..., 0], atol=1e-3))
    True
    """

    side: int
    size: Size
    box: tuple[int, int, int, int]
    working: Size
    origins: tuple[Size, ...]
    inside: np.ndarray | None = None
    blend: int = 1

    @property
    def tiles(self) -> int:
        """How many squares there are."""
        return len(self.origins)

    @property
    def is_trivial(self) -> bool:
        """Whether there is one square, all of it inspected, and it shows all of the picture."""
        whole = self.box == (0, 0, self.size[1], self.size[0])
        return whole and self.inside is None and self.working == (self.side, self.side)

    def cut(self, picture: np.ndarray, only: Sequence[int] | None = None) -> Iterator[np.ndarray]:
        """The squares (side, side, 3) uint8 of a picture (H, W, 3), or those of some numbers, in their order."""
        left, top, width, height = self.box
        seen = resize_image(picture[top : top + height, left : left + width], self.working)
        for number in range(self.tiles) if only is None else only:
            y, x = self.origins[number]
            square = seen[y : y + self.side, x : x + self.side]
            if self.inside is not None:
                square = np.where(self._part(number)[..., None], square, np.uint8(FILL))
            yield _padded(square, self.side, FILL)

    def join(self, maps: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
        """One map (h, w) float32 of maps (side, side), blended where they overlap; 0 where nothing is inspected."""
        if len(maps) != self.tiles:
            raise FlawsightError(f"{self.tiles} maps belong to this picture, not {len(maps)}")
        height, width = self.working
        if self.tiles == 1:
            ((y, x),) = self.origins
            total = np.zeros(self.working, np.float32)
            total[y : y + self.side, x : x + self.side] = maps[0][: height - y, : width - x]
            return self._inspected(total)
        total, weights = np.zeros(self.working, np.float32), np.zeros(self.working, np.float32)
        ramp = _ramp(self.side, self.blend)
        for (y, x), values in zip(self.origins, maps, strict=True):
            place = np.s_[y : min(y + self.side, height), x : min(x + self.side, width)]
            weight = ramp[: height - y, : width - x]
            total[place] += weight * values[: height - y, : width - x]
            weights[place] += weight
        np.divide(total, weights, out=total, where=weights > 0)
        return self._inspected(total)

    def peak(self, joined: np.ndarray) -> float:
        """The highest value of a joined map where anything is inspected."""
        return float(joined.max() if self.inside is None else joined[self.inside].max())

    def level(self, joined: np.ndarray) -> float:
        """The mean of a joined map where anything is inspected."""
        return float(joined.mean() if self.inside is None else joined[self.inside].mean())

    def cells(self, number: int, grid: Size) -> np.ndarray | None:
        """Which cells of a square's (h, w) grid are inspected, those at least half inside; None for all."""
        height, width = self.working
        if self.inside is None and (height >= self.side and width >= self.side):
            return None
        part = _padded(self._part(number).astype(np.uint8), self.side, 0).astype(np.float32)
        found: np.ndarray = cv2.resize(part, grid[::-1], interpolation=cv2.INTER_AREA) >= 0.5
        return found if found.any() else np.ones(grid, bool)

    def to_picture(self, joined: np.ndarray) -> np.ndarray:
        """A joined map (h, w) at the picture's own size; 0 outside the box."""
        left, top, width, height = self.box
        seen = joined
        if joined.shape != (height, width):
            seen = cv2.resize(joined, (width, height), interpolation=cv2.INTER_LINEAR)
        if (height, width) == self.size:
            return seen
        whole = np.zeros(self.size, np.float32)
        whole[top : top + height, left : left + width] = seen
        return whole

    def from_picture(self, mask: np.ndarray, number: int) -> np.ndarray:
        """What a square (side, side) bool shows of a mask (H, W) of the picture."""
        left, top, width, height = self.box
        part = mask[top : top + height, left : left + width].astype(np.uint8)
        y, x = self.origins[number]
        seen = cv2.resize(part, self.working[::-1], interpolation=cv2.INTER_NEAREST)
        return _padded(seen[y : y + self.side, x : x + self.side], self.side, 0) > 0

    def touching(self, box: tuple[int, int, int, int]) -> list[int]:
        """The numbers of the squares that see any of a (left, top, width, height) of the picture."""
        left, top, width, height = self.box
        scale_y, scale_x = self.working[0] / height, self.working[1] / width
        # A pixel more on each side: a resized pixel mixes its neighbours.
        x0, y0 = (box[0] - 1 - left) * scale_x - 1, (box[1] - 1 - top) * scale_y - 1
        x1, y1 = (box[0] + box[2] + 1 - left) * scale_x + 1, (box[1] + box[3] + 1 - top) * scale_y + 1
        return [
            number
            for number, (y, x) in enumerate(self.origins)
            if x < x1 and x + self.side > x0 and y < y1 and y + self.side > y0
        ]

    def judging(self, region: RegionOfInterest) -> Frame:
        """The same, joining only what lies in the region, which the squares still show around."""
        return _judging(self, region)

    def shrunk(self, times: int) -> Frame:
        """The same at a resolution so many times lower, to join smaller maps."""
        return _shrunk(self, times)

    def _inspected(self, joined: np.ndarray) -> np.ndarray:
        if self.inside is not None:
            joined[~self.inside] = 0
        return joined

    def _part(self, number: int) -> np.ndarray:
        """What is inspected of a square, as far as there are working pixels."""
        y, x = self.origins[number]
        height, width = self.working
        if self.inside is None:
            return np.ones((min(self.side, height - y), min(self.side, width - x)), bool)
        return self.inside[y : y + self.side, x : x + self.side]


@lru_cache(maxsize=64)
def _frame(view: View, size: Size, region: RegionOfInterest | None) -> Frame:
    height, width = size
    left, top, wide, high = box = (0, 0, width, height) if region is None else region.box
    side = view.side
    origins: tuple[Size, ...]
    if view.kind == "squash":
        working, origins = (side, side), ((0, 0),)
    elif view.kind == "whole":
        scale = side / max(high, wide)
        working, origins = (max(1, round(high * scale)), max(1, round(wide * scale))), ((0, 0),)
    else:
        left, top, wide, high = box = _grown(box, view.cut, size)
        scale = side / view.cut
        working = (max(side, round(high * scale)), max(side, round(wide * scale)))
        origins = tuple((y, x) for y in _starts(working[0], view) for x in _starts(working[1], view))
    inside = None
    if region is not None:
        part = region.mask[top : top + high, left : left + wide]
        if not part.all():
            inside = cv2.resize(part.astype(np.float32), working[::-1], interpolation=cv2.INTER_AREA) >= 0.5
            if not inside.any():
                raise FlawsightError(f"the region is too thin to be seen with --view {view.kind}: make it larger")
            seen = [(y, x) for y, x in origins if inside[y : y + side, x : x + side].any()]
            origins = tuple(seen)
    return Frame(side, size, box, working, origins, inside, max(1, round(view.overlap * side)))


@lru_cache(maxsize=64)
def _judging(frame: Frame, region: RegionOfInterest) -> Frame:
    left, top, width, height = frame.box
    part = region.mask[top : top + height, left : left + width].astype(np.float32)
    inside = cv2.resize(part, frame.working[::-1], interpolation=cv2.INTER_AREA) >= 0.5
    inside &= True if frame.inside is None else frame.inside
    if not inside.any():
        raise FlawsightError("nothing of what is inspected would be judged: leave less out")
    return replace(frame, inside=inside)


@lru_cache(maxsize=64)
def _shrunk(frame: Frame, times: int) -> Frame:
    side = frame.side // times
    # All is rounded down, so that the last squares end where the picture does.
    height, width = (max(1, length * side // frame.side) for length in frame.working)
    inside = None
    if frame.inside is not None:
        small = cv2.resize(frame.inside.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA) >= 0.5
        inside = small if small.any() else np.ones((height, width), bool)
    origins = tuple((y * side // frame.side, x * side // frame.side) for y, x in frame.origins)
    return replace(
        frame, side=side, working=(height, width), origins=origins, inside=inside, blend=max(1, frame.blend // times)
    )


def _grown(box: tuple[int, int, int, int], least: int, size: Size) -> tuple[int, int, int, int]:
    """The box, at least so large a square, within the picture."""
    if least > min(size):
        raise FlawsightError(
            f"tiles of {least} pixels are larger than the picture of {size[1]} x {size[0]}: use --tile {min(size)} or "
            "less, or --view whole"
        )
    left, top, width, height = box
    wide, high = max(width, least), max(height, least)
    left, top = min(left, size[1] - wide), min(top, size[0] - high)
    return left, top, wide, high


def _starts(length: int, view: View) -> list[int]:
    """Where tiles begin along a side: evenly spread, the last one at the end."""
    shared = round(view.overlap * view.side)
    count = 1 if length <= view.side else ceil((length - shared) / (view.side - shared))
    return np.linspace(0, length - view.side, count).round().astype(int).tolist() if count > 1 else [0]


@lru_cache(maxsize=8)
def _ramp(side: int, blend: int) -> np.ndarray:
    """How much each pixel of a square counts: less towards its borders, never nothing."""
    place = np.arange(side, dtype=np.float32)
    one = np.minimum(np.minimum(place, place[::-1]) + 0.5, blend) / blend
    return np.outer(one, one).astype(np.float32)


def _padded(square: np.ndarray, side: int, fill: int) -> np.ndarray:
    """A square, filled up at the right and below."""
    missing = side - square.shape[0], side - square.shape[1]
    if missing == (0, 0):
        return np.ascontiguousarray(square)
    return cv2.copyMakeBorder(square, 0, missing[0], 0, missing[1], cv2.BORDER_CONSTANT, value=[fill] * 3)
