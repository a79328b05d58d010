"""LayerSelection: which features see this product's defects? Candidates to trials to a choice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from sklearn.base import BaseEstimator

from flawsight.defects import KINDS
from flawsight.detectors import Detector
from flawsight.errors import FlawsightError
from flawsight.features import Extractor, Layer, select_layers
from flawsight.progress import Progress, Silent
from flawsight.selection.fusion import DEPTHS, Choice, combine_depths, criterion, depths
from flawsight.selection.judge import Figures, Judge
from flawsight.selection.memory import layer_groups, release, working_memory
from flawsight.selection.rounds import Round, coarse_round, full_round
from flawsight.selection.trials import Trial, TrialStore, run_trials
from flawsight.selection.validation import ValidationSet, make_validation_set

AUTO_KINDS = ("nsa", "perlin", "scratch")
SEARCHES = ("auto", "exhaustive")
RACE_MARGIN = 0.45
"""How far behind the leader of its depth a layer may be after the coarse round and still be measured in full.

Of the layers that full measurement finds best, nine in ten are within it (docs/decisions/0004-race.md).
"""


@dataclass(frozen=True)
class Row:
    """One row of selection.csv: a layer, a kind of defect, and what was measured, coarsely or in full."""

    layer: str
    block: str
    kind: str
    order: int
    stride: float
    channels: int
    same_as: str
    stage: str
    defects: str
    auroc: float
    aupro: float
    p_h: float
    seconds: float


class LayerSelection(BaseEstimator):
    """Measure layers on synthetic defects and choose those to combine, from up to `fuse` depths of the network.

    search: `exhaustive` measures every layer in full on paper A's split; with `defects="nsa", fuse=1` it is paper A's
    procedure to the letter. `auto` uses at most `max_images` images, ranks all layers coarsely and measures in full at
    most `finalists` of each depth, those that may still be its best. Both plan the process to stay within
    `max_memory` bytes. Learns `trials_`, `choices_`, `figures_` (what the choices reach together on each kind of
    synthetic defect) and `validation_`.
    """

    def __init__(
        self,
        detector: Detector,
        layers: str = "all",
        defects: str = "auto",
        search: str = "auto",
        fuse: int = 3,
        seed: int = 0,
        max_images: int = 140,
        finalists: int = 4,
        texture: bool | None = None,
        max_memory: int | None = None,
    ) -> None:
        self.detector = detector
        self.layers = layers
        self.defects = defects
        self.search = search
        self.fuse = fuse
        self.seed = seed
        self.max_images = max_images
        self.finalists = finalists
        self.texture = texture
        self.max_memory = max_memory

    def fit(
        self,
        extractor: Extractor,
        images: Sequence[np.ndarray],
        work_dir: Path | None = None,
        stamp: str = "",
        progress: Progress | None = None,
    ) -> Self:
        """Choose layers for these good images, RGB uint8 of the extractor's size.

        Trials finished in `work_dir` under the same settings and `stamp` (what the images are) are not made again.
        """
        watch: Progress = progress or Silent()
        kinds = defect_kinds(self.defects)
        if self.search not in SEARCHES:
            raise FlawsightError(f"unknown search '{self.search}': use {' or '.join(SEARCHES)}")
        chosen = select_layers(extractor.layers, self.layers)
        exhaustive = self.search == "exhaustive"
        used = images if exhaustive else _sample(images, self.max_images, self.seed)
        self.validation_: ValidationSet = make_validation_set(
            used, kinds, self.seed, self.texture, keep_originals=not exhaustive
        )
        self.images_used_ = len(used)
        settings = {"parameters": self._settings(), "extractor": _identity(extractor), "images": stamp}
        store = TrialStore(work_dir, settings)
        side = extractor.image_size if exhaustive else extractor.image_size // 2
        unique = _unique(chosen, extractor)
        full = full_round(self.detector, self.validation_, side)
        if exhaustive:
            trials = self._trials(extractor, unique, full, store, watch)
            self.trials_: list[Trial] = trials
        else:
            coarse = coarse_round(self.detector, self.validation_, side)
            ranked = self._trials(extractor, unique, coarse, store, watch)
            names = _finalists(ranked, unique, self.finalists)
            trials = self._trials(extractor, names, full, store, watch)
            self.trials_ = [*ranked, *trials]
        self.layers_ = chosen
        criteria = {trial.layer: criterion(trial.figures) for trial in trials}
        self.choices_: tuple[Choice, ...] = combine_depths(criteria, unique, self.fuse)
        self.figures_ = _together(full.judge, trials, self.choices_)
        return self

    def _settings(self) -> dict[str, str]:
        """The parameters that shape the result: how much memory it may take is not one."""
        parameters = {name: value for name, value in self.get_params().items() if name != "max_memory"}
        return {name: repr(value) for name, value in sorted(parameters.items())}

    def _trials(
        self, extractor: Extractor, layers: Sequence[Layer], stage: Round, store: TrialStore, progress: Progress
    ) -> list[Trial]:
        """Trials of these layers, those already in the store taken from it."""
        missing = [layer for layer in layers if store.get(stage.name, layer.name) is None]
        groups = layer_groups(missing, stage, working_memory(self.max_memory))
        label = {"coarse": f"Trying {len(layers)} layers", "full": f"Measuring {len(layers)} layers"}[stage.name]
        with progress.stage(label, stage.passes * len(groups) + len(missing)) as advance:
            for group in groups:
                for trial in run_trials(extractor, group, stage, advance):
                    store.put(trial)
                    advance(1)
                release()
        found = (store.get(stage.name, layer.name) for layer in layers)
        return [trial for trial in found if trial is not None]

    def rows(self) -> list[Row]:
        """One row for each layer and kind of defect, in network order, from the layer's fullest trial.

        A layer that repeats another's values shares its trial.
        """
        fullest = {trial.layer: trial for trial in sorted(self.trials_, key=lambda trial: trial.stage == "full")}
        rows = []
        for layer in self.layers_:
            trial = fullest[layer.same_as or layer.name]
            for kind, figures in trial.figures.items():
                place = (layer.name, layer.block, layer.kind, layer.order, layer.stride, layer.channels)
                values = (figures.auroc, figures.aupro, figures.p_h, trial.seconds)
                rows.append(Row(*place, layer.same_as, trial.stage, kind, *values))
        return rows


def defect_kinds(defects: str) -> tuple[str, ...]:
    """The kinds that `--defects` names; `auto` is the mixture that the study of selection found best."""
    if defects == "auto":
        return AUTO_KINDS
    kinds = tuple(dict.fromkeys(part.strip() for part in defects.split(",")))
    for kind in kinds:
        if kind not in KINDS:
            raise FlawsightError(f"unknown kind of defect '{kind}': use auto, or some of {', '.join(KINDS)}")
    return kinds


def _finalists(trials: Sequence[Trial], layers: Sequence[Layer], most: int) -> list[Layer]:
    """The layers of each depth that may still be its best after the coarse trials, in network order."""
    value = {trial.layer: criterion(trial.figures) for trial in trials}
    depth_of = depths(layers)
    ranked = sorted(layers, key=lambda layer: value[layer.name], reverse=True)
    kept: set[str] = set()
    for depth in DEPTHS:
        rivals = [layer.name for layer in ranked if depth_of[layer.name] == depth]
        kept.update(name for name in rivals[:most] if value[name] >= value[rivals[0]] - RACE_MARGIN)
    return [layer for layer in layers if layer.name in kept]


def _together(judge: Judge, trials: Sequence[Trial], choices: Sequence[Choice]) -> dict[str, Figures]:
    """Figures of the weighted mean of the chosen layers' surprise."""
    maps = {trial.layer: trial.maps for trial in trials}
    total: dict[str, np.ndarray] = {}
    for choice in choices:
        for name, stack in judge.upsampled(maps[choice.layer]).items():
            part = np.float32(choice.weight) * stack
            total[name] = total[name] + part if name in total else part
    return judge.figures(total)


def _sample(images: Sequence[np.ndarray], most: int, seed: int) -> list[np.ndarray]:
    """At most so many images, drawn by the seed."""
    if len(images) <= most:
        return list(images[:])
    drawn = np.sort(np.random.default_rng(seed).permutation(len(images))[:most])
    return [images[int(index)] for index in drawn]


def _unique(layers: Sequence[Layer], extractor: Extractor) -> list[Layer]:
    """The layers without those that repeat another's values; a source that was not chosen itself stands in."""
    names = dict.fromkeys(layer.same_as or layer.name for layer in layers)
    return [extractor.layer(name) for name in names]


def _identity(extractor: Extractor) -> dict[str, object]:
    return {"name": extractor.name, "size": extractor.image_size, "weights": extractor.weights_sha256}
