"""Synthetic defects in pictures' own pixels: drawn in windows of many sizes, kept as patches to save memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from zlib import crc32

import cv2
import numpy as np

from flawsight.core import FlawsightError
from flawsight.data import LazyImages
from flawsight.defects import SIZED, Product, SyntheticDefect, draw_sized, foreground, make
from flawsight.selection.pictures.scene import Box
from flawsight.views import RegionOfInterest, resize_image

SMALLEST_WINDOW = 64
"""The papers' defects are shares of a picture; in the smallest window they are a few pixels wide."""
WHOLE_UP_TO = 512
"""Pictures no longer than this carry defects as the papers draw them, in shares of the whole."""
CONTRAST = 4.0
"""Of defects of a given size, in standard deviations of the grey levels around them: clearly there to a person."""
ABOUT = (0.8, 1.25)
"""Defects that are about as large as somebody said are so many times as large."""
ROOM = {"scratch": 48}
"""Windows for defects of a given size are so many times as large, others 6 times."""
MOST_SOURCES = 16
SOURCE_BYTES = 256 << 20
_TRIES = 32


@dataclass(frozen=True, eq=False)
class PlantedDefect:
    """A patch (h, w, 3) with its mask (h, w), and where in which picture it goes.

    >>> from flawsight.selection.pictures import PlantedDefect
    >>> patch, mask = np.zeros((8, 8, 3), np.uint8), np.ones((8, 8), bool)
    >>> planted = PlantedDefect(0, (10, 20, 8, 8), patch, mask)
    >>> int(planted.mask_in((64, 80)).sum()), int(planted.on(images[0])[20:28, 10:18].max())
    (64, 0)
    """

    base: int
    box: Box
    patch: np.ndarray
    mask: np.ndarray

    def on(self, picture: np.ndarray) -> np.ndarray:
        """A copy of the picture with the defect."""
        left, top, width, height = self.box
        found = picture.copy()
        found[top : top + height, left : left + width] = self.patch
        return found

    def mask_in(self, size: tuple[int, int]) -> np.ndarray:
        """The mask (H, W) of the whole picture."""
        return self.mask_of((0, 0, size[1], size[0]))

    def mask_of(self, part: Box) -> np.ndarray:
        """The mask (h, w) of a part of the picture."""
        left, top, width, height = self.box
        x, y = left - part[0], top - part[1]
        found = np.zeros((part[3], part[2]), bool)
        rows, columns = np.s_[max(0, -y) :], np.s_[max(0, -x) :]
        room = found[max(0, y) : max(0, y + height), max(0, x) : max(0, x + width)]
        room |= self.mask[rows, columns][: room.shape[0], : room.shape[1]]
        return found


class PlantedPictures(LazyImages):
    """Pictures with a defect each, composed when they are asked for.

    >>> from flawsight.selection.pictures import PlantedDefect, PlantedPictures
    >>> planted = PlantedDefect(3, (10, 20, 8, 8), np.zeros((8, 8, 3), np.uint8), np.ones((8, 8), bool))
    >>> PlantedPictures(images, [planted])[0].shape
    (64, 80, 3)
    """

    def __init__(self, pictures: Sequence[np.ndarray], planted: Sequence[PlantedDefect]) -> None:
        self.pictures, self.planted = pictures, list(planted)

    def __len__(self) -> int:
        return len(self.planted)

    def _image(self, number: int) -> np.ndarray:
        one = self.planted[number]
        return one.on(self.pictures[one.base])


class PlantedMasks(LazyImages):
    """The masks (H, W) bool of pictures with a defect each.

    >>> from flawsight.selection.pictures import PlantedDefect, PlantedMasks
    >>> planted = PlantedDefect(3, (10, 20, 8, 8), np.zeros((8, 8, 3), np.uint8), np.ones((8, 8), bool))
    >>> PlantedMasks([(64, 80)], [planted])[0].shape
    (64, 80)
    """

    def __init__(self, sizes: Sequence[tuple[int, int]], planted: Sequence[PlantedDefect]) -> None:
        self.sizes, self.planted = list(sizes), list(planted)

    def __len__(self) -> int:
        return len(self.planted)

    def _image(self, number: int) -> np.ndarray:
        return self.planted[number].mask_in(self.sizes[number])


@dataclass(frozen=True, eq=False)
class Planter:
    """Plants defects of a product: in `sections` (a box of each picture), where the region of interest is.

    >>> from flawsight.defects import Product
    >>> from flawsight.selection.pictures import Planter
    >>> sections = [(0, 0, 80, 64)] * len(images)
    >>> planter = Planter(images, sections, Product(), seed=0)
    >>> planted = planter.plant("scratch", [0, 5])
    >>> [one.base for one in planted], planted[0].patch.shape
    ([0, 5], (64, 80, 3))
    """

    pictures: Sequence[np.ndarray]
    sections: Sequence[Box]
    product: Product
    seed: int
    region: RegionOfInterest | None = None
    parameters: Mapping[str, Mapping[str, Any]] | None = None

    def plant(self, kind: str, numbers: Sequence[int]) -> list[PlantedDefect]:
        """A defect of this kind in each of the pictures of these numbers; FlawsightError where none can be placed.

        Where the kind's parameters give a `size`, defects are about as large.
        """
        size = (self.parameters or {}).get(kind, {}).get("size")
        if size is not None:
            rngs = [np.random.default_rng([self.seed, crc32(kind.encode()), number]) for number in numbers]
            return [
                self.plant_sized(kind, number, max(1, round(size * rng.uniform(*ABOUT))), rng)
                for number, rng in zip(numbers, rngs, strict=True)
            ]
        defect = make(kind, product=self.product, **(self.parameters or {}).get(kind, {}))
        sources = self._sources()
        return [self._planted(kind, defect, number, sources) for number in numbers]

    def plant_sized(self, kind: str, number: int, size: int, rng: np.random.Generator) -> PlantedDefect:
        """A defect of this kind and size, in the picture's own pixels; FlawsightError where there is no room."""
        picture, section = self.pictures[number], self.sections[number]
        source = self.pictures[(number + 1) % len(self.pictures)] if SIZED[kind].is_foreign else None
        error: FlawsightError | None = None
        for _ in range(_TRIES):
            x, y = self._place(picture, section, rng)
            box = _square((x, y), max(SMALLEST_WINDOW, ROOM.get(kind, 6) * size), section)
            part = np.ascontiguousarray(_part(picture, box))
            allowed = foreground(part, self.product) if self.product.background else np.ones(part.shape[:2], bool)
            if self.region is not None:
                allowed = allowed & _part(self.region.mask, box)
            try:
                patch, mask = draw_sized(kind, part, size, CONTRAST, rng, allowed=allowed, source=source)
            except FlawsightError as one:
                error = one
                continue
            return _trimmed(PlantedDefect(number, box, patch, mask))
        raise FlawsightError(f"picture {number}: no defect '{kind}' of {size} pixels could be placed") from error

    def _sources(self) -> list[np.ndarray]:
        """A few pictures to take material from, as many as memory allows."""
        found: list[np.ndarray] = []
        taken = 0
        for number in np.linspace(0, len(self.pictures) - 1, min(MOST_SOURCES, len(self.pictures))).round().astype(int):
            picture = self.pictures[int(number)]
            taken += picture.nbytes
            if found and taken > SOURCE_BYTES:
                break
            found.append(picture)
        return found

    def _planted(self, kind: str, defect: SyntheticDefect, number: int, sources: Sequence[np.ndarray]) -> PlantedDefect:
        picture = self.pictures[number]
        foreign = [source for source in sources if not _is_same(source, picture)]
        rng = np.random.default_rng([self.seed, crc32(kind.encode()), number])
        error: FlawsightError | None = None
        for _ in range(_TRIES):
            box = self._window(picture, self.sections[number], rng)
            others = [_part_like(one, box, rng) for one in foreign] or [_part(picture, box)]
            try:
                patch, mask = defect(np.ascontiguousarray(_part(picture, box)), rng, others)
            except FlawsightError as one:
                error = one
                continue
            if self.region is not None:
                mask = mask & _part(self.region.mask, box)
            if mask.any():
                return PlantedDefect(number, box, patch, mask)
        raise FlawsightError(f"picture {number}: no defect '{kind}' could be placed where it is inspected") from error

    def _window(self, picture: np.ndarray, section: Box, rng: np.random.Generator) -> Box:
        """Where to draw: of log-uniform size, around a place of the product."""
        short = min(section[2:])
        if max(picture.shape[:2]) <= WHOLE_UP_TO or short <= SMALLEST_WINDOW:
            return section if self.region is None else _around(self.region.box, section)
        side = round(np.exp(rng.uniform(np.log(SMALLEST_WINDOW), np.log(short))))
        x, y = self._place(picture, section, rng)
        return _square((x, y), side, section)

    def _place(self, picture: np.ndarray, section: Box, rng: np.random.Generator) -> tuple[int, int]:
        """A pixel (x, y) of the section that shows the product and is inspected."""
        left, top, width, height = section
        small = resize_image(_part(picture, section), 128)
        allowed = foreground(small, self.product)
        if self.region is not None:
            inside = cv2.resize(_part(self.region.mask, section).astype(np.uint8), (128, 128)) > 0
            allowed = allowed & inside if (allowed & inside).any() else inside
        places = np.flatnonzero(allowed if allowed.any() else np.ones_like(allowed))
        y, x = divmod(int(rng.choice(places)), 128)
        return left + int((x + rng.random()) * width / 128), top + int((y + rng.random()) * height / 128)


def _square(centre: tuple[int, int], side: int, section: Box) -> Box:
    """A square around (x, y) as far as it is in the section."""
    left, top, width, height = section
    wide, high = min(side, width), min(side, height)
    x0 = int(np.clip(centre[0] - wide // 2, left, left + width - wide))
    y0 = int(np.clip(centre[1] - high // 2, top, top + height - high))
    return x0, y0, wide, high


def _trimmed(planted: PlantedDefect) -> PlantedDefect:
    """The same as the smallest patch."""
    x, y, width, height = cv2.boundingRect(planted.mask.astype(np.uint8))
    part = np.s_[y : y + height, x : x + width]
    box = planted.box[0] + x, planted.box[1] + y, width, height
    return PlantedDefect(planted.base, box, planted.patch[part].copy(), planted.mask[part].copy())


def _around(box: Box, section: Box) -> Box:
    """What a section shows of a box, or around it where that is small."""
    spans = []
    for axis in (0, 1):
        first, last = section[axis], section[axis] + section[axis + 2]
        start, end = max(box[axis], first), min(box[axis] + box[axis + 2], last)
        length = min(max(end - start, SMALLEST_WINDOW), last - first)
        spans.append((int(np.clip((start + end - length) // 2, first, last - length)), length))
    (left, width), (top, height) = spans
    return left, top, width, height


def _is_same(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether it is the same picture, which may have been decoded twice, or go by several numbers."""
    return one is other or (np.array_equal(one[::61, ::61], other[::61, ::61]) and np.array_equal(one, other))


def _part(picture: np.ndarray, box: Box) -> np.ndarray:
    left, top, width, height = box
    return picture[top : top + height, left : left + width]


def _part_like(source: np.ndarray, box: Box, rng: np.random.Generator) -> np.ndarray:
    """As large a part of another picture: at the same place, moved a little; all of it where it is too small."""
    left, top, width, height = box
    high, wide = source.shape[:2]
    if high < height or wide < width:
        return source
    x, y = (int(np.clip(at + rng.integers(-length // 4, length // 4 + 1), 0, most - length)) for at, length, most in (
        (left, width, wide), (top, height, high)
    ))  # fmt: skip
    return np.ascontiguousarray(source[y : y + height, x : x + width])
