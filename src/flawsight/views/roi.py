"""The region of interest: which pixels of a picture are inspected, from a mask, polygons or a labelling tool."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from flawsight.core import FlawsightError, cache_key
from flawsight.data.layouts.lists import cvat, labelme
from flawsight.data.layouts.lists.annotated import DAMAGE, Picture, read_json
from flawsight.data.listing import is_file
from flawsight.data.masks import Drawing, MaskRule, Outline, Runs
from flawsight.data.masks.pixels import MaskFacts, read_pixels
from flawsight.data.names import is_called_like_image

LEAST_SIDE = 8
"""Pixels; in a smaller box nothing can be learned."""
IGNORED = ("ignore", "exclude")
"""Labels of shapes that are cut out."""
_KINDS = "a mask picture, a .json of polygons or of LabelMe, or a .xml of CVAT for images"
_BEYOND = 0.5  # of a pixel; tools place a click on the border a little outside
_SLOPES = 0.2  # of the pixels between black and white; with more the mask's edges are soft
_MOST_GREY = 0.5

Shape = Outline | Runs
Size = tuple[int, int]


@dataclass(frozen=True, eq=False)
class RegionOfInterest:
    """The inspected pixels of pictures of one size: `mask` (H, W) bool, of which a copy is kept that cannot be written.

    FlawsightError where it is no such mask, where nothing is inspected, or only within less than 8 x 8 pixels.

    >>> region = RegionOfInterest(np.pad(np.ones((10, 20), bool), 5))
    >>> region.size, region.box, region.share
    ((20, 30), (5, 5, 20, 10), 0.3333333333333333)
    """

    mask: NDArray[np.bool_]

    def __post_init__(self) -> None:
        if self.mask.ndim != 2 or self.mask.dtype != bool:
            raise FlawsightError(f"a region is a bool mask (H, W), not {self.mask.dtype} {self.mask.shape}")
        object.__setattr__(self, "mask", np.array(self.mask, order="C"))
        self.mask.setflags(write=False)
        if not self.mask.any():
            raise FlawsightError("the region of interest holds no pixel: mark what is to be inspected")
        width, height = self.box[2:]
        if min(width, height) < LEAST_SIDE:
            raise FlawsightError(
                f"the region of interest spans only {width} x {height} pixels, of which nothing can be learned: "
                f"mark at least {LEAST_SIDE} x {LEAST_SIDE}"
            )

    @property
    def size(self) -> Size:
        """(H, W) of the pictures."""
        return self.mask.shape[0], self.mask.shape[1]

    @cached_property
    def box(self) -> tuple[int, int, int, int]:
        """(left, top, width, height) in pixels of what is inspected."""
        (rows,), (columns,) = np.nonzero(self.mask.any(axis=1)), np.nonzero(self.mask.any(axis=0))
        left, top = int(columns[0]), int(rows[0])
        return left, top, int(columns[-1]) - left + 1, int(rows[-1]) - top + 1

    @cached_property
    def share(self) -> float:
        """How much of a picture is inspected, above 0 and at most 1."""
        return float(self.mask.mean())

    @cached_property
    def key(self) -> str:
        """Names these pixels, for caches."""
        return cache_key(self.size, np.packbits(self.mask))

    def shows_in(self, box: tuple[int, int, int, int]) -> bool:
        """Whether enough of it lies in a (left, top, width, height) of the pictures to be a region there."""
        left, top, width, height = box
        mask = self.mask[top : top + height, left : left + width]
        rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
        return bool(len(rows) and min(np.ptp(rows), np.ptp(columns)) + 1 >= LEAST_SIDE)

    def part(self, box: tuple[int, int, int, int]) -> RegionOfInterest | None:
        """The same of a (left, top, width, height) of the pictures; None where all of that is inspected."""
        left, top, width, height = box
        mask = self.mask[top : top + height, left : left + width]
        return None if mask.all() else RegionOfInterest(mask)

    def png(self) -> bytes:
        """The mask as a PNG of one bit a pixel, white where inspected; `from_png` reads it back."""
        _, data = cv2.imencode(".png", self.mask.view(np.uint8) * np.uint8(255), [cv2.IMWRITE_PNG_BILEVEL, 1])
        return bytes(data)

    @classmethod
    def from_png(cls, data: bytes) -> Self:
        """Rebuild a region from `png`'s bytes; FlawsightError where they are damaged.

        >>> region = RegionOfInterest(np.pad(np.ones((10, 20), bool), 5))
        >>> RegionOfInterest.from_png(region.png()).key == region.key
        True
        """
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE) if data else None
        if pixels is None:
            raise FlawsightError("the region of interest is no PNG, or cut short; fit again")
        return cls(pixels > 127)

    def check(self, size: Size, name: object) -> None:
        """Raise FlawsightError where the picture called `name`, of (H, W), is of another size than the region's."""
        if tuple(size) != self.size:
            raise FlawsightError(
                f"{name} is {_in_words(size)}, but the region of interest is for {_in_words(self.size)}"
                f"{_turned(size, self.size)}: give pictures of that size, or fit again with a region for this one"
            )


def read_region(path: str | Path, size: Size) -> RegionOfInterest:
    """Read which pixels of pictures of `size` (H, W) are inspected, by the kind of file.

    Of a mask picture what is not black, or with soft edges brighter than half of its maximum; of drawings what they
    enclose, or everything if all of it is to be ignored. FlawsightError for a file that is missing or of another kind
    or size, shapes outside the picture or of fewer than three points, and what `RegionOfInterest` refuses.

    >>> _ = (tmp / "region.json").write_text('{"polygons": [[[10, 0], [80, 0], [80, 64], [10, 64]]]}')
    >>> read_region(tmp / "region.json", size=(64, 80)).box
    (10, 0, 70, 64)
    """
    path = Path(path)
    if not is_file(path):
        is_there = "is a folder, or nothing that can be read" if path.exists() else "is not there"
        raise FlawsightError(f"region '{path}' {is_there}: give {_KINDS}, or say auto")
    suffix = path.suffix.lower()
    if is_called_like_image(path):
        mask = _of_picture(path, size)
    elif suffix == ".json":
        mask = _of_json(path, size)
    elif suffix == ".xml":
        mask = _of_picture_drawn_on(_drawn_in_cvat(path), path, size)
    else:
        raise FlawsightError(f"region '{path}' is of a kind that is not read ('{suffix}'): give {_KINDS}, or say auto")
    try:
        return RegionOfInterest(mask)
    except FlawsightError as error:
        raise FlawsightError(f"'{path}': {error}") from error


def _of_picture(path: Path, size: Size) -> NDArray[np.bool_]:
    pixels = read_pixels(path)
    _check_size(path, pixels.size, size)
    facts = MaskFacts.of(path)
    # A cut-out of one colour keeps its shape in what is opaque.
    is_one_colour = facts.colour.darkest.is_uniform and facts.colour.brightest.is_uniform
    is_cut_out = facts.alpha is not None and not facts.alpha.brightest.is_uniform and is_one_colour
    ink = facts.ink("alpha" if is_cut_out else "over")
    is_soft = facts.is_lossy or ink.between > _SLOPES * ink.middle
    if is_soft and ink.middle > _MOST_GREY * pixels.colour.shape[0] * pixels.colour.shape[1]:
        raise FlawsightError(
            f"region '{path}' looks like a photograph, not like a mask: give a picture that is white where to inspect "
            "and black elsewhere"
        )
    highest = float(ink.brightest.values[-1])
    return MaskRule(highest=highest, is_soft=is_soft, channel="alpha" if is_cut_out else "over").marked(pixels)


def _of_json(path: Path, size: Size) -> NDArray[np.bool_]:
    document = read_json(path)
    if isinstance(document, dict) and "shapes" in document:
        return _of_picture_drawn_on(_whole(labelme._picture(path.parent, path)), path, size)
    found = {"polygons": document} if isinstance(document, list) else document
    if not isinstance(found, dict) or not found or not found.keys() <= {"polygons", "ignore"}:
        raise FlawsightError(
            f"region '{path}' is neither a list of polygons [[[x, y], ...], ...], nor an object with polygons or "
            "ignore, nor of LabelMe"
        )
    try:
        kept, cut = (_polygons(found.get(name, [])) for name in ("polygons", "ignore"))
    except DAMAGE as error:
        raise FlawsightError(f"region '{path}' holds what is no polygon [[x, y], [x, y], ...] ({error})") from error
    if not kept and not cut:
        raise FlawsightError(f"region '{path}' holds no polygon: draw what is to be inspected")
    return _drawn(kept, cut, path, size)


def _polygons(found: Any) -> list[Shape]:
    return [Outline(tuple((float(x), float(y)) for x, y in points)) for points in found]


def _whole(entry: Picture | FlawsightError) -> Picture:
    if isinstance(entry, FlawsightError):
        raise entry
    return entry


def _drawn_in_cvat(path: Path) -> Picture:
    """The only image on which something is drawn, or one of several on which the same is drawn."""
    try:
        entries = [_whole(entry) for entry in cvat._pictures(path)]
    except DAMAGE as error:
        if isinstance(error, FlawsightError):
            raise
        raise FlawsightError(f"region '{path}' cannot be read as XML ({error}); export it again") from error
    drawn = [entry for entry in entries if entry.drawn]
    if not drawn:
        raise FlawsightError(f"region '{path}' is no CVAT for images with a shape in it: draw what is to be inspected")
    if differing := [one for one in drawn if (one.drawn, one.size) != (drawn[0].drawn, drawn[0].size)]:
        raise FlawsightError(
            f"region '{path}' has other shapes on {differing[0].name} than on {drawn[0].name}, but all pictures have "
            "one region: keep the shapes of one image"
        )
    return drawn[0]


def _of_picture_drawn_on(picture: Picture, path: Path, size: Size) -> NDArray[np.bool_]:
    if picture.size is not None:
        _check_size(path, picture.size, size)
    if not picture.drawn:
        raise FlawsightError(f"region '{path}' holds no shape: draw what is to be inspected")
    parts: dict[bool, list[Shape]] = {True: [], False: []}
    for label, shape in picture.drawn:
        parts[label.strip().casefold() in IGNORED].append(shape)
    return _drawn(parts[False], parts[True], path, size)


def _drawn(kept: Iterable[Shape], cut: Iterable[Shape], path: Path, size: Size) -> NDArray[np.bool_]:
    """What the kept shapes enclose, or everything without any, less what is cut out."""
    kept, cut = tuple(kept), tuple(cut)
    for shape in (*kept, *cut):
        _check_shape(shape, path, size)
    inside = Drawing(kept, size, str(path)).pixels(size) if kept else np.ones(size, bool)
    return inside & ~Drawing(cut, size, str(path)).pixels(size) if cut else inside


def _check_shape(shape: Shape, path: Path, size: Size) -> None:
    height, width = size
    if isinstance(shape, Runs):
        (rows, columns), (left, top) = shape.window, shape.corner
        points = np.array([(left, top), (left + columns, top + rows)], float)
    else:
        points = np.array(shape.points, float).reshape(-1, 2)
    outside = ~((points >= -_BEYOND) & (points <= np.array([width, height]) + _BEYOND)).all(axis=1)
    if outside.any():
        how = "wholly" if outside.all() else "partly"
        raise FlawsightError(
            f"region '{path}' has a shape {how} outside the pictures, which are {_in_words(size)}: its point "
            f"{_listed(points[outside][:1])}; draw it within them"
        )
    # The rank says whether the points lie on one line.
    is_area = isinstance(shape, Runs) or (
        shape.is_closed and len(points) > 2 and np.linalg.matrix_rank(points - points[0]) == 2
    )
    if not is_area:
        raise FlawsightError(
            f"region '{path}' has a shape that encloses nothing (points: {_listed(points)}): "
            "a polygon needs at least three, not all on one line"
        )


def _listed(points: NDArray[np.float64]) -> str:
    return ", ".join(f"({x:g}, {y:g})" for x, y in points[:4]) or "none"


def _check_size(path: Path, drawn_on: Size, size: Size) -> None:
    if tuple(drawn_on) != tuple(size):
        raise FlawsightError(
            f"region '{path}' was drawn on {_in_words(drawn_on)}, the pictures are {_in_words(size)}"
            f"{_turned(drawn_on, size)}: draw it on one of them"
        )


def _turned(one: Size, other: Size) -> str:
    is_turned = tuple(one) == tuple(other)[::-1]
    return " (turned: by an EXIF orientation that only one of them has?)" if is_turned else ""


def _in_words(size: Size) -> str:
    return f"{size[1]} x {size[0]} pixels"
