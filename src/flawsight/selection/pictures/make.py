"""Which pictures are measured, which parts of them, and what is planted there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from flawsight.core import FlawsightError
from flawsight.data import split_good
from flawsight.defects import Product
from flawsight.selection.pictures.planted import Box, Planter
from flawsight.selection.pictures.scenes import Scenes
from flawsight.views import Chosen, RegionOfInterest, View

SECTION_TILES = 4
"""A section is so many tiles wide and high."""
SECTION = 1024
LEAST_CUT = 1.5
"""Pictures are measured in sections where they are so many times as large."""


def make_scenes(
    pictures: Sequence[np.ndarray],
    sizes: Sequence[tuple[int, int]],
    product: Product,
    views: Sequence[View],
    kinds: Sequence[str],
    seed: int,
    region: RegionOfInterest | None = None,
    parameters: Mapping[str, Mapping[str, Any]] | None = None,
) -> Scenes:
    """Split good pictures as paper A does and plant every kind of defect, in the pictures' own pixels.

    Of large pictures a part is measured, the same for all `views`. The pictures that carry defects also count, as they
    were before, among the good ones.

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
    split = split_good(len(pictures), seed)
    rng = np.random.default_rng([seed, 1])
    sections = [_section(size, views, region, rng) for size in sizes]
    planter = Planter(pictures, sections, product, seed, region, parameters)
    planted = {}
    for kind in kinds:
        try:
            planted[kind] = planter.plant(kind, split.val_bad.tolist())
        except FlawsightError as error:
            raise FlawsightError(f"the kind '{kind}' cannot be made here: {error}") from error
    good = [*split.val_good.tolist(), *split.val_bad.tolist()]
    return Scenes(pictures, sizes, sections, split.train.tolist(), good, planted, product, region, seed)


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
    x, y = int(rng.integers(width)), int(rng.integers(height))
    if region is not None:
        places = np.flatnonzero(region.mask)
        y, x = divmod(int(rng.choice(places)), width)
    return (
        int(np.clip(x - wide // 2, 0, width - wide)),
        int(np.clip(y - high // 2, 0, height - high)),
        wide,
        high,
    )


def some_pictures(pictures: Sequence[np.ndarray], most: int, seed: int) -> tuple[Sequence[np.ndarray], np.ndarray]:
    """At most so many pictures, drawn by the seed, and their numbers."""
    numbers = np.arange(len(pictures))
    if len(pictures) > most:
        numbers = np.sort(np.random.default_rng(seed).permutation(len(pictures))[:most])
    return Chosen(pictures, numbers), numbers
