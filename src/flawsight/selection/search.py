"""LayerSelection: which features see this product's defects, and read by whom? Candidates to trials to a choice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator

from flawsight.defects import KINDS
from flawsight.detectors import Detector, detector_name
from flawsight.detectors.engine.passes import release
from flawsight.errors import FlawsightError
from flawsight.features import Extractor, Layer, select_layers
from flawsight.progress import Progress, Silent
from flawsight.selection.budget import COARSE_SHARE, TOGETHER, Budget, in_turn, spread
from flawsight.selection.fusion import DEPTHS, Choice, combine_depths, criterion, depths
from flawsight.selection.judge import Figures, Judge, maxima
from flawsight.selection.memory import groups_that_fit, working_memory
from flawsight.selection.rounds import Round, coarse_round, full_round
from flawsight.selection.trials import Candidate, Trial, TrialStore, run_trials, scaled
from flawsight.selection.validation import ValidationSet, make_validation_set

AUTO_KINDS = ("nsa", "perlin", "scratch")
SEARCHES = ("auto", "exhaustive")
RACE_MARGIN = 0.45
"""How far behind the leader of its depth a layer may be after the coarse round and still be measured in full.

Of the layers that full measurement finds best, nine in ten are within it (docs/decisions/0004-race.md).
"""


@dataclass(frozen=True)
class Row:
    """One row of selection.csv: a layer, a detector, a kind of defect, and what was measured, coarsely or in full."""

    layer: str
    block: str
    kind: str
    order: int
    stride: float
    channels: int
    same_as: str
    detector: str
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
    `max_memory` bytes. `detector` may be several by name: all are tried on every layer, and the best of a depth wins.
    `budget`: seconds that `auto` may take; what was not tried, or not in full, for want of time is in `untried_`.
    `defect_parameters`: of kinds of defects, by kind, such as `sdas` and its pictures.
    Learns `trials_`, `choices_`, `figures_` (what the choices reach together on each kind of synthetic defect) and
    `validation_`.
    """

    def __init__(
        self,
        detector: Detector | Mapping[str, Detector],
        layers: str = "all",
        defects: str = "auto",
        search: str = "auto",
        fuse: int = 3,
        seed: int = 0,
        max_images: int = 140,
        finalists: int = 4,
        texture: bool | None = None,
        max_memory: int | None = None,
        budget: float | None = None,
        defect_parameters: Mapping[str, Mapping[str, Any]] | None = None,
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
        self.budget = budget
        self.defect_parameters = defect_parameters

    def fit(
        self,
        extractor: Extractor,
        images: Sequence[np.ndarray],
        work_dir: Path | None = None,
        stamp: str = "",
        progress: Progress | None = None,
    ) -> Self:
        """Choose layers for these good images, RGB uint8 of the extractor's size.

        Trials finished in `work_dir` under the same settings and `stamp` (what the images, and pictures among the
        defects' parameters, are) are not made again.
        """
        watch: Progress = progress or Silent()
        kinds = defect_kinds(self.defects)
        if self.search not in SEARCHES:
            raise FlawsightError(f"unknown search '{self.search}': use {' or '.join(SEARCHES)}")
        exhaustive = self.search == "exhaustive"
        if exhaustive and self.budget is not None:
            raise FlawsightError("an exhaustive search tries everything: leave the budget out, or use --search auto")
        budget = Budget(self.budget)
        detectors = self._detectors()
        for name, detector in detectors.items():
            if detector.reads != "layers":
                raise FlawsightError(f"detector '{name}' reads pictures: there are no layers to choose for it")
        chosen = select_layers(extractor.layers, self.layers)
        used = images if exhaustive else _sample(images, self.max_images, self.seed)
        self.validation_: ValidationSet = make_validation_set(
            used, kinds, self.seed, self.texture, not exhaustive, self.defect_parameters
        )
        self.images_used_ = len(used)
        settings = {"parameters": self._settings(), "extractor": _identity(extractor), "images": stamp}
        store = TrialStore(work_dir, settings)
        side = extractor.image_size if exhaustive else extractor.image_size // 2
        unique = _unique(chosen, extractor)
        trying = _Trying(extractor, {layer.name: layer for layer in unique}, store, watch, self.max_memory, budget)
        full = full_round(detectors, self.validation_, side)
        candidates = _candidates(spread(unique) if budget.is_limited else unique, detectors)
        ranked: list[Trial] = []
        if not exhaustive:
            ranked = trying.trials(candidates, coarse_round(detectors, self.validation_, side), COARSE_SHARE)
            candidates = _finalists(ranked, unique, self.finalists, in_order=not budget.is_limited)
        trials = trying.trials(candidates, full)
        self.trials_: list[Trial] = [*ranked, *trials]
        self.untried_ = tuple(trying.untried)
        self.layers_ = chosen
        criteria = {trial.candidate: criterion(trial.figures) for trial in trials}
        self.choices_: tuple[Choice, ...] = combine_depths(criteria, unique, self.fuse)
        self.figures_ = _together(full.judge, trials, self.choices_)
        return self

    def _detectors(self) -> dict[str, Detector]:
        if isinstance(self.detector, Mapping):
            return dict(self.detector)
        return {detector_name(self.detector): self.detector}

    def _settings(self) -> dict[str, str]:
        """The parameters that shape the result of a trial: how much memory or time there is does not."""
        parameters = self.get_params(deep=False)
        others = {"max_memory", "budget", "defect_parameters"}
        return {name: repr(parameters[name]) for name in sorted(parameters.keys() - others)}

    def rows(self) -> list[Row]:
        """One row for each layer, detector and kind of defect, in network order, from the candidate's fullest trial.

        A layer that repeats another's values shares its trials; what was not tried has no row.
        """
        fullest = {trial.candidate: trial for trial in sorted(self.trials_, key=lambda trial: trial.stage == "full")}
        rows = []
        for layer in self.layers_:
            place = (layer.name, layer.block, layer.kind, layer.order, layer.stride, layer.channels, layer.same_as)
            for name in self._detectors():
                trial = fullest.get(Candidate(layer.same_as or layer.name, name))
                for kind, figures in trial.figures.items() if trial else ():
                    values = (figures.auroc, figures.aupro, figures.p_h, trial.seconds if trial else 0.0)
                    rows.append(Row(*place, name, trial.stage if trial else "", kind, *values))
        return rows


@dataclass(eq=False)
class _Trying:
    """Makes trials that are not in the store yet, group by group, while there is time."""

    extractor: Extractor
    layers: Mapping[str, Layer]
    store: TrialStore
    progress: Progress
    max_memory: int | None
    budget: Budget
    untried: list[Candidate] = field(default_factory=list)

    def trials(self, candidates: Sequence[Candidate], stage: Round, share: float = 1.0) -> list[Trial]:
        """Trials of these candidates, in their order, those already in the store taken from it."""
        missing = [one for one in candidates if self.store.get(stage.name, one) is None]
        groups = self._groups(missing, stage)
        label = {"coarse": f"Trying {len(candidates)} candidates", "full": f"Measuring {len(candidates)} candidates"}
        seconds: list[float] = []
        with self.progress.stage(label[stage.name], stage.steps * len(groups) + len(missing)) as advance:
            for group in groups:
                is_first = len(missing) == len(candidates) and not seconds  # one group is tried, however late it is
                if not is_first and self.budget.left(share) < len(group) * float(np.mean(seconds or [0.0])):
                    self.untried += group
                    continue
                for trial in run_trials(self.extractor, group, stage, advance, self.store.folder):
                    self.store.put(trial)
                    seconds.append(trial.seconds)
                    advance(1)
                release()
        found = (self.store.get(stage.name, one) for one in candidates)
        return [trial for trial in found if trial is not None]

    def _groups(self, candidates: Sequence[Candidate], stage: Round) -> list[list[Candidate]]:
        parts = [candidates]
        if self.budget.is_limited:
            # In full one at a time: they come in the order of their prospects, and each may take long.
            size = TOGETHER if stage.name == "coarse" else 1
            parts = [candidates[start : start + size] for start in range(0, len(candidates), size)]
        working = working_memory(self.max_memory)
        return [group for part in parts for group in groups_that_fit(part, self.layers, stage, working)]


def defect_kinds(defects: str) -> tuple[str, ...]:
    """The kinds that `--defects` names; `auto` is the mixture that the study of selection found best."""
    if defects == "auto":
        return AUTO_KINDS
    kinds = tuple(dict.fromkeys(part.strip() for part in defects.split(",")))
    for kind in kinds:
        if kind not in KINDS:
            raise FlawsightError(f"unknown kind of defect '{kind}': use auto, or some of {', '.join(KINDS)}")
    return kinds


def _candidates(layers: Sequence[Layer], detectors: Mapping[str, Detector]) -> list[Candidate]:
    return [Candidate(layer.name, name) for layer in layers for name in detectors]


def _finalists(trials: Sequence[Trial], layers: Sequence[Layer], most: int, in_order: bool = True) -> list[Candidate]:
    """Those who may still be the best of their depth with their detector after the coarse trials.

    At most `most` of a depth, shared by the detectors, but one of each; in network order, or else those with the best
    prospects first.
    """
    value = {trial.candidate: criterion(trial.figures) for trial in trials}
    depth_of = depths(layers)
    names = list(dict.fromkeys(one.detector for one in value))
    ranked = sorted(value, key=lambda one: value[one], reverse=True)
    teams = []
    for depth in DEPTHS:
        for name in names:
            rivals = [one for one in ranked if depth_of[one.layer] == depth and one.detector == name]
            near = [one for one in rivals if value[one] >= value[rivals[0]] - RACE_MARGIN]
            teams.append(near[: max(1, most // len(names))])
    kept = in_turn(sorted((team for team in teams if team), key=lambda team: ranked.index(team[0])))
    place = {layer.name: number for number, layer in enumerate(layers)}
    return sorted(kept, key=lambda one: (place[one.layer], names.index(one.detector))) if in_order else kept


def _together(judge: Judge, trials: Sequence[Trial], choices: Sequence[Choice]) -> dict[str, Figures]:
    """Figures of the choices together: of the weighted mean of their surprise, and of their own scores if any."""
    chosen = {trial.candidate: trial for trial in trials}
    own = any(chosen[choice.candidate].scores for choice in choices)
    total: dict[str, np.ndarray] = {}
    scores: dict[str, np.ndarray] = {}
    for choice in choices:
        trial, weight = chosen[choice.candidate], np.float32(choice.weight)
        maps = judge.upsampled(trial.maps)
        _add(total, maps, weight)
        if own:
            _add(scores, trial.scores or scaled(maxima(maps)), weight)
    return judge.figures(total, scores)


def _add(total: dict[str, np.ndarray], more: Mapping[str, np.ndarray], weight: np.float32) -> None:
    for name, values in more.items():
        part = weight * values
        total[name] = total[name] + part if name in total else part


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
