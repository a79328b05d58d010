"""The synthetic validation set: good images to train on, good images to test on, and defects made on them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from flawsight.core import FlawsightError
from flawsight.data import split_good
from flawsight.defects import Foreground, Product, apply_defects, described_product, make
from flawsight.selection.evaluator import GOOD, Evaluator, LayerEvaluator

COARSE_TRAIN, COARSE_GOOD, COARSE_BAD = 48, 24, 12
Shown = dict[str, tuple[Sequence[np.ndarray], Sequence[np.ndarray]]]


@dataclass(frozen=True, eq=False)
class ValidationSet:
    """D_T, D_V,good and, for each kind of defect, D_V,bad with its masks (Sec. 3.3 of paper A).

    >>> validation = make_validation_set(images, ["nsa", "scratch"], seed=0)
    >>> parts = validation.parted(np.zeros((len(validation.measured), 8, 8)))
    >>> {name: maps.shape for name, maps in parts.items()}
    {'good': (2, 8, 8), 'nsa': (3, 8, 8), 'scratch': (3, 8, 8)}
    """

    train: Sequence[np.ndarray]
    good: Sequence[np.ndarray]
    bad: Mapping[str, tuple[Sequence[np.ndarray], Sequence[np.ndarray]]]
    product: Product
    originals: Sequence[np.ndarray] = field(default=(), kw_only=True)

    def with_originals(self) -> ValidationSet:
        """The same, with the images of D_V,bad, as they were before, among the good ones.

        A small set then tells good from bad with far less chance in it.
        """
        return replace(self, good=[*self.good, *self.originals])

    @property
    def shown(self) -> Shown:
        """Pictures with defects and their masks, by kind, to look at."""
        return dict(self.bad)

    @property
    def images_used(self) -> int:
        """How many good images there are."""
        return len(self.train) + len(self.good)

    @property
    def inputs_per_picture(self) -> int:
        """Squares that the network is given for a picture."""
        return 1

    def evaluator(self, side: int) -> Evaluator:
        """Who measures maps of these images, at `side` pixels for each of the network's inputs."""
        return LayerEvaluator(self, side)

    def fewer(self) -> ValidationSet:
        """A few images of each part; the kinds of defects take turns over the images that carry them."""
        bad = {}
        for turn, (kind, (images, masks)) in enumerate(self.bad.items()):
            drawn = spaced(len(images), COARSE_BAD, turn, len(self.bad))
            bad[kind] = ([images[i] for i in drawn], [masks[i] for i in drawn])
        train = [self.train[i] for i in spaced(len(self.train), COARSE_TRAIN)]
        good = [self.good[i] for i in spaced(len(self.good), COARSE_GOOD)]
        return ValidationSet(train, good, bad, self.product)

    @property
    def measured(self) -> Sequence[np.ndarray]:
        """The images that are measured: the good ones, then the defective ones of each kind."""
        return [*self.good, *(image for images, _ in self.bad.values() for image in images)]

    def inspected(self, good_maps: np.ndarray) -> Iterable[np.ndarray]:
        """The values of the good images' maps (N, h, w) that are inspected: all."""
        return good_maps

    def parted(self, maps: np.ndarray) -> dict[str, np.ndarray]:
        """What was computed of each of the `measured` images, the good ones' under "good", the others' by kind."""
        bounds = np.cumsum([len(self.good), *(len(images) for images, _ in self.bad.values())])[:-1]
        return dict(zip((GOOD, *self.bad), np.split(maps, bounds), strict=True))


def spaced(count: int, most: int, turn: int = 0, turns: int = 1) -> np.ndarray:
    """At most `most` evenly spaced indices below `count`; each of the `turns` takes others where there are enough."""
    if count <= most:
        return np.arange(count)
    return (np.arange(most) * turns + turn) * count // (most * turns)


def drawn(count: int, most: int, seed: int, parts: Sequence[int] | np.ndarray | None = None) -> np.ndarray:
    """At most so many sorted numbers below `count`, drawn by the seed; one of each of the `parts` (count,) at first."""
    if count <= most:
        return np.arange(count)
    order = np.random.default_rng(seed).permutation(count)
    if parts is not None:
        seen: Counter[int] = Counter()
        turns = []
        for part in np.asarray(parts)[order].tolist():
            turns.append(seen[part])
            seen[part] += 1
        order = order[np.argsort(turns, kind="stable")]
    return np.sort(order[:most])


def make_validation_set(
    images: Sequence[np.ndarray],
    kinds: Sequence[str],
    seed: int,
    *,
    texture: bool | None = None,
    foreground: Foreground = "auto",
    parts: Sequence[int] | np.ndarray | None = None,
    parameters: Mapping[str, Mapping[str, Any]] | None = None,
    may_drop: bool = False,
) -> ValidationSet:
    """Split good images as paper A does and make every kind of defect on the same images of D_V,bad.

    `texture` and `foreground` override the estimate of what the product is. `parts` (n,) number the part that each
    image shows: all of a part fall on one side. `parameters`: of kinds of defects, by kind. `may_drop`: kinds that find
    no place on these images are left out, unless none does.

    >>> validation = make_validation_set(images, ["nsa"], seed=0)
    >>> defective, masks = validation.bad["nsa"]
    >>> len(validation.train), len(validation.good), len(defective)
    (7, 2, 3)
    """
    split = split_good(len(images), seed, parts=parts)
    images = list(images)  # decoded once: as sources of material they are all needed for every defect
    train, good, base = ([images[i] for i in part] for part in (split.train, split.val_good, split.val_bad))
    product = described_product(train, seed, texture, foreground)
    given, bad, dropped = parameters or {}, {}, list[FlawsightError]()
    for kind in kinds:
        try:
            defect = make(kind, product=product, **given.get(kind, {}))
            bad[kind] = apply_defects(base, defect, kind=kind, seed=seed, sources=images)
        except FlawsightError as error:
            dropped.append(error)
    if dropped and not (may_drop and bad):
        raise dropped[0]
    return ValidationSet(train, good, bad, product, originals=base)
