"""The synthetic validation set in pictures' own pixels, seen through a view: the same pictures for every view."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from flawsight.data import LazyImages
from flawsight.defects import Product
from flawsight.selection.evaluator import GOOD, Evaluator
from flawsight.selection.pictures.evaluator import SceneEvaluator
from flawsight.selection.pictures.planted import PlantedDefect, PlantedMasks, PlantedPictures
from flawsight.selection.pictures.scene import Box, Scene
from flawsight.selection.validation import COARSE_BAD, COARSE_GOOD, COARSE_TRAIN, Shown, ValidationSet, spaced
from flawsight.views import Chosen, Frame, Inputs, RegionOfInterest, View

LEARNED_TILES, COARSE_TILES = 512, 96
"""Squares that a trial learns from, where pictures are cut into more."""


@dataclass(frozen=True, eq=False)
class Scenes:
    """What is measured: parts (`sections`) of pictures, good and with planted defects, and pictures to learn from.

    `train` and `good` are numbers of pictures, of which one may be there several times, with other sections; those that
    carry defects are looked at without them, too. `images_used`: how many different ones there are.
    """

    pictures: Sequence[np.ndarray]
    sizes: Sequence[tuple[int, int]]
    sections: Sequence[Box]
    train: Sequence[int]
    good: Sequence[int]
    planted: Mapping[str, Sequence[PlantedDefect]]
    product: Product
    region: RegionOfInterest | None = None
    seed: int = 0
    images_used: int = 0

    def without_originals(self) -> Scenes:
        """The same, but pictures that carry defects do not count as good ones, too (paper A's split)."""
        carriers = {one.base for defects in self.planted.values() for one in defects}
        return replace(self, good=[number for number in self.good if number not in carriers])

    def through(self, view: View) -> ViewedSet:
        """The same as a view shows it."""
        carriers = (one.base for defects in self.planted.values() for one in defects)
        looked_at = list(dict.fromkeys([*self.good, *carriers]))
        frames = {number: self._frame(view, number) for number in looked_at}
        good = Inputs(_Seen(self, view, looked_at), list(frames.values()))
        own = {number: good.of_picture(at) for at, number in enumerate(looked_at)}
        scenes = {GOOD: [Scene(frames[one], self._counted(view, frames[one], one), own[one], {}) for one in self.good]}
        bad = {}
        for kind, defects in self.planted.items():
            changed = [frames[one.base].touching(self._in_frame(view, one.base, one.box)) for one in defects]
            inputs = Inputs(_Seen(self, view, defects), [frames[one.base] for one in defects], changed)
            scenes[kind] = []
            for at, one in enumerate(defects):
                frame = frames[one.base]
                counted = self._counted(view, frame, one.base)
                numbers = dict(zip(changed[at], inputs.of_picture(at), strict=True))
                mask = replace(one, box=self._in_frame(view, one.base, one.box)).mask_of(counted)
                scenes[kind].append(Scene(frame, counted, own[one.base], numbers, mask))
            bad[kind] = (inputs, [np.empty(0)] * len(inputs))
        return ViewedSet(self._learned(view), good, bad, self.product, scenes, self, view)

    def _learned(self, view: View) -> Sequence[np.ndarray]:
        """Squares to learn from, some of each picture where there are many."""
        frames = [view.frame(self.sizes[number], self.region) for number in self.train]
        most = max(1, LEARNED_TILES // len(frames))
        rng = np.random.default_rng(self.seed)
        only = [np.sort(rng.permutation(frame.tiles)[:most]).tolist() for frame in frames]
        return Inputs(Chosen(self.pictures, self.train), frames, only)

    def _frame(self, view: View, number: int) -> Frame:
        """Tiles are cut from the section alone; a whole picture is seen whole, and judged in the section."""
        if view.kind != "tiles":
            return view.frame(self.sizes[number], self.region)
        left, top, width, height = self.sections[number]
        part = None if self.region is None else self.region.part((left, top, width, height))
        return view.frame((height, width), part)

    def _counted(self, view: View, frame: Frame, number: int) -> Box:
        """The part of what a frame is a frame of in which a scene is judged: the section, as far as it is seen."""
        left, top, width, height = self._in_frame(view, number, self.sections[number])
        x, y, wide, high = frame.box
        x0, y0 = max(left, x), max(top, y)
        return x0, y0, min(left + width, x + wide) - x0, min(top + height, y + high) - y0

    def _in_frame(self, view: View, number: int, box: Box) -> Box:
        """A box of the picture in what its frame is a frame of."""
        x, y = self.sections[number][:2] if view.kind == "tiles" else (0, 0)
        return box[0] - x, box[1] - y, box[2], box[3]


class _Seen(LazyImages):
    """Pictures, by number or with a defect; for tiles their sections."""

    def __init__(self, scenes: Scenes, view: View, which: Sequence[int | PlantedDefect]) -> None:
        self._scenes, self._which = scenes, list(which)
        self._is_cut = view.kind == "tiles"

    def __len__(self) -> int:
        return len(self._which)

    def _image(self, number: int) -> np.ndarray:
        one = self._which[number]
        base = one.base if isinstance(one, PlantedDefect) else one
        picture = self._scenes.pictures[base]
        if isinstance(one, PlantedDefect):
            picture = one.on(picture)
        if not self._is_cut:
            return picture
        left, top, width, height = self._scenes.sections[base]
        return np.ascontiguousarray(picture[top : top + height, left : left + width])


@dataclass(frozen=True, eq=False)
class ViewedSet(ValidationSet):
    """The squares of scenes: `good` and, by kind, those that a defect changes."""

    scenes: Mapping[str, Sequence[Scene]]
    source: Scenes
    view: View

    @property
    def shown(self) -> Shown:
        """Whole pictures with defects, and their masks, by kind."""
        sizes = self.source.sizes
        return {
            kind: (
                PlantedPictures(self.source.pictures, defects),
                PlantedMasks([sizes[one.base] for one in defects], defects),
            )
            for kind, defects in self.source.planted.items()
        }

    @property
    def images_used(self) -> int:
        """How many good pictures there are."""
        return self.source.images_used

    @cached_property
    def inputs_per_picture(self) -> int:
        """Squares that the network is given for a picture, usually."""
        return int(np.median([self.view.frame(size, self.source.region).tiles for size in self.source.sizes]))

    @cached_property
    def side(self) -> int:
        """Pixels of the network's square input."""
        return self.scenes[GOOD][0].frame.side

    def evaluator(self, side: int) -> Evaluator:
        """Who measures maps of these scenes, from maps of their squares at `side` pixels."""
        return SceneEvaluator(self.scenes, max(1, round(self.side / side)))

    def inspected(self, good_maps: np.ndarray) -> Iterable[np.ndarray]:
        """The values of the good squares' maps (N, h, w) that are inspected."""
        for scene in self.scenes[GOOD]:
            for tile, number in enumerate(scene.good):
                cells = scene.frame.cells(tile, good_maps.shape[1:])
                yield good_maps[number] if cells is None else good_maps[number][cells]

    def fewer(self) -> ViewedSet:
        """A few scenes of each part; the kinds of defects take turns over the pictures that carry them."""
        most = COARSE_TRAIN if len(self.train) <= len(self.source.train) else COARSE_TILES
        train = Chosen(self.train, spaced(len(self.train), most))
        scenes = {GOOD: [self.scenes[GOOD][at] for at in spaced(len(self.scenes[GOOD]), COARSE_GOOD)]}
        for turn, kind in enumerate(self.bad):
            drawn = spaced(len(self.scenes[kind]), COARSE_BAD, turn, len(self.bad))
            scenes[kind] = [self.scenes[kind][at] for at in drawn]
        used = sorted({number for parts in scenes.values() for one in parts for number in one.good})
        place = {number: at for at, number in enumerate(used)}
        bad = {}
        for kind, (inputs, _) in self.bad.items():
            own = sorted({number for one in scenes[kind] for number in one.changed.values()})
            at = {number: where for where, number in enumerate(own)}
            scenes[kind] = [
                replace(one, changed={tile: at[number] for tile, number in one.changed.items()}) for one in scenes[kind]
            ]
            bad[kind] = (Chosen(inputs, own), [np.empty(0)] * len(own))
        renumbered = {
            part: [replace(one, good=[place[number] for number in one.good]) for one in some]
            for part, some in scenes.items()
        }
        return ViewedSet(train, Chosen(self.good, used), bad, self.product, renumbered, self.source, self.view)
