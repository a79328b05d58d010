"""Which pictures are measured, which parts of them, and what is planted there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from flawsight.core import FlawsightError
from flawsight.data import split_good
from flawsight.defects import Product
from flawsight.selection.pictures.planted import Planter
from flawsight.selection.pictures.scene import Box
from flawsight.selection.pictures.scenes import Scenes
from flawsight.selection.validation import drawn
from flawsight.views import Chosen, RegionOfInterest, View

SECTION_TILES = 4
"""A section is so many tiles wide and high."""
SECTION = 1024
WANTED = 12
"""Of large pictures so many parts are to carry defects of a kind, even if there are fewer pictures."""
APART = 2
"""There is room for that many times the sections that are taken."""
_TRIES = 50
LEAST_CUT = 1.5
"""Pictures are measured in sections where they are so many times as large."""


def make_scenes(
    pictures: Sequence[np.ndarray],
    sizes: Sequence[tuple[int, int]],
    product: Product,
    views: Sequence[View],
    kinds: Sequence[str] | Mapping[str, Mapping[str, Any]],
    seed: int,
    region: RegionOfInterest | None = None,
    parts: Sequence[int] | np.ndarray | None = None,
) -> Scenes:
    """Split good pictures as paper A does and plant every kind of defect, in the pictures' own pixels.

    Of large pictures sections are measured, the same for all `views`: several, where pictures are few. Those that carry
    defects also count, as they were before, among the good ones. `kinds` may give each kind its parameters; `parts`
    (n,) number the part that each picture shows: all of a part fall on one side.

    >>> from flawsight.defects import Product
    >>> from flawsight.selection.pictures import make_scenes
    >>> from flawsight.views import View
    >>> sizes = [image.shape[:2] for image in images]
    >>> view = View("tiles", side=32)
    >>> scenes = make_scenes(images, sizes, Product(), [view], ["scratch"], seed=0)
    >>> seen = scenes.through(view)
    >>> len(seen.train), len(seen.scenes["good"]), len(seen.good), len(seen.scenes["scratch"])
    (63, 5, 45, 3)
    """
    split = split_good(len(pictures), seed, parts=parts)
    rng = np.random.default_rng([seed, 1])
    often = -(-WANTED // len(split.val_bad))
    times = [min(often, _room(size, views)) for size in sizes]
    numbers = [*split.train, *np.repeat(split.val_good, [times[one] for one in split.val_good])]
    first_bad = len(numbers)
    numbers += [*np.repeat(split.val_bad, [times[one] for one in split.val_bad])]
    shown, shown_sizes = Chosen(pictures, numbers), [sizes[number] for number in numbers]
    sections = [_section(size, views, region, rng) for size in shown_sizes]
    parameters = kinds if isinstance(kinds, Mapping) else {}
    planter = Planter(shown, sections, product, seed, region, parameters)
    planted = {}
    for kind in kinds:
        try:
            planted[kind] = planter.plant(kind, range(first_bad, len(numbers)))
        except FlawsightError as error:
            raise FlawsightError(f"the kind '{kind}' cannot be made here: {error}") from error
    train = range(len(split.train))
    good = range(len(train), len(numbers))
    return Scenes(shown, shown_sizes, sections, train, good, planted, product, region, seed, len(pictures))


def _room(size: tuple[int, int], views: Sequence[View]) -> int:
    """How many parts are measured of a picture, at most."""
    _, _, width, height = _section(size, views, None, np.random.default_rng(0))
    return max(1, size[0] * size[1] // (APART * width * height))


def _section(
    size: tuple[int, int], views: Sequence[View], region: RegionOfInterest | None, rng: np.random.Generator
) -> Box:
    """All of a picture, or a part of it around a place that is inspected."""
    cuts = [view.cut for view in views if view.kind == "tiles"]
    side = max(SECTION_TILES * min(cuts), *cuts) if cuts else SECTION
    height, width = size
    if height * width <= LEAST_CUT * side**2:
        return 0, 0, width, height
    wide, high = min(side, width), min(side, height)
    for _ in range(_TRIES):
        x, y = int(rng.integers(width)), int(rng.integers(height))
        if region is not None:
            y, x = divmod(int(rng.choice(np.flatnonzero(region.mask))), width)
        left, top = int(np.clip(x - wide // 2, 0, width - wide)), int(np.clip(y - high // 2, 0, height - high))
        if region is None or region.shows_in((left, top, wide, high)):
            break
    return left, top, wide, high


def some_pictures(
    pictures: Sequence[np.ndarray], most: int, seed: int, parts: np.ndarray | None = None
) -> tuple[Sequence[np.ndarray], np.ndarray]:
    """At most so many pictures, drawn by the seed, and their numbers; one of each of the `parts` at first."""
    numbers = drawn(len(pictures), most, seed, parts)
    return Chosen(pictures, numbers), numbers
