"""LayerSelection: which features see this product's defects, and read by whom? Candidates to trials to a choice."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator

from flawsight.core import FlawsightError, Layer, Progress, Silent
from flawsight.defects import Foreground, defect_kinds
from flawsight.detectors import DETECTORS, Detector
from flawsight.executors import Executor
from flawsight.features import Extractor, joined_layer
from flawsight.metrics import Metrics
from flawsight.report import LayerScore
from flawsight.selection.evaluator import Evaluator, maxima
from flawsight.selection.fusion import SelectedLayer, rated, select_per_depth, weighed
from flawsight.selection.latency import TIMED_ON, Option, TimedChoice
from flawsight.selection.race.budget import Budget, bisection_order
from flawsight.selection.race.coarse import coarse_trials
from flawsight.selection.race.fidelity import Fidelity, high_fidelity, low_fidelity
from flawsight.selection.race.survivors import survivors
from flawsight.selection.runner import TrialRunner
from flawsight.selection.trials import Candidate, Trial, TrialStore, scaled
from flawsight.selection.validation import ValidationSet, drawn, make_validation_set

SEARCHES = ("auto", "exhaustive", "once")
LARGEST_MAP = 128
"""Layers of larger maps cost most, and see what those behind them see at a smaller image size."""


@dataclass(eq=False, repr=False)
class LayerSelection(BaseEstimator):
    """Measure layers on synthetic defects and choose those to combine, from up to `fuse` depths of the network.

    search: `exhaustive` measures every layer in full on paper A's split; with `defects="nsa", fuse=1` it is paper A's
    procedure to the letter. `auto` uses at most `max_images` images, ranks all layers coarsely and measures in full at
    most `finalists` of each depth, those that may still be its best. `once` measures every layer once, at half the
    resolution. All plan the process to stay within `max_memory` bytes. `detector` may be several by name: all are tried
    on every layer, and the best of a depth wins.
    `budget`: seconds that `auto` may take; what was not tried, or not in full, for want of time is in `untried_`.
    `latency_budget`: milliseconds that a picture may take on this machine (`Stopwatch`); every candidate is then timed,
    `options_` holds all choices with what they cost, and the best that keeps to it is chosen.
    `first`: layers that `auto` tries before others, of which a sample, and all of a depth where that sees more.
    `defect_parameters`: of kinds of defects, by kind, such as `sdas` and its pictures.
    `parts`: the number of the part that each image shows, where several show one: a part is never on both sides.
    Learns `trials_`, `selected_`, `figures_` (what the choices reach together on each kind of synthetic defect) and
    `validation_`.

    >>> squares = fs.views.ImageCache(fs.data.find_images(good), side=64)
    >>> search = LayerSelection(fs.detectors.PatchCore(bank_size=50), layers="blocks.*.add", defects="scratch", fuse=1)
    >>> (best,) = search.fit(network, squares).selected_
    >>> best.detector, best.weight, len(search.results())
    ('patchcore', 1.0, 9)
    """

    detector: Detector | Mapping[str, Detector]
    layers: str = "all"
    defects: str = "auto"
    search: str = "auto"
    fuse: int = 3
    seed: int = 0
    max_images: int = 140
    finalists: int = 4
    texture: bool | None = None
    foreground: Foreground = "auto"
    max_memory: int | None = None
    budget: float | None = None
    defect_parameters: Mapping[str, Mapping[str, Any]] | None = None
    latency_budget: float | None = None
    first: str | None = None
    parts: tuple[int, ...] | None = None

    def fit(
        self,
        extractor: Extractor,
        images: Sequence[np.ndarray],
        work_dir: Path | None = None,
        cache_key: str = "",
        progress: Progress | None = None,
        validation: ValidationSet | None = None,
        executor: Executor | None = None,
    ) -> Self:
        """Choose layers for these good images, RGB uint8 of the extractor's size; or on a given `validation` set.

        Trials finished in `work_dir` under the same settings and `cache_key` (what the images, and pictures among the
        defects' parameters, are) are not made again. An `executor` has its workers make them, with the same result.
        """
        watch: Progress = progress or Silent()
        kinds, detectors = self._checked()
        exhaustive, budget = self.search == "exhaustive", Budget(self.budget)
        chosen = self._wanted(extractor, watch)
        most = len(images) if exhaustive else self.max_images
        numbers = drawn(len(images), most, self.seed, self.parts)
        self.validation_: ValidationSet = validation or self._validation(images, numbers, kinds)
        self.images_used_ = validation.images_used if validation else len(numbers)
        network: object = (extractor.name, extractor.image_size, extractor.weights_sha256)
        settings: dict[str, object] = {"parameters": self._settings(), "extractor": network, "images": cache_key}
        side = extractor.image_size if exhaustive else extractor.image_size // 2
        unique = _unique(chosen, extractor)
        joined = self._joined(extractor, chosen)
        layers = [*unique, *joined]
        runner = TrialRunner(
            extractor,
            {layer.name: layer for layer in layers},
            TrialStore(work_dir, settings),
            watch,
            self.max_memory,
            budget,
            executor,
        )
        full = high_fidelity(detectors, self.validation_, side)
        candidates, timed = _candidates(bisection_order(unique) if budget.is_limited else unique, detectors), None
        if self.latency_budget is not None:
            few = self.validation_.train[:TIMED_ON]
            inputs = self.validation_.inputs_per_picture
            timed = TimedChoice(extractor, layers, detectors, few, self.latency_budget, inputs)
            candidates = timed.quick_enough(candidates, watch)
        ranked: list[Trial] = []
        if self.search == "auto":
            coarse = low_fidelity(detectors, self.validation_, side)
            ranked = coarse_trials(runner, candidates, coarse, unique, self._proposed(extractor, chosen, watch))
            candidates = survivors(ranked, unique, self.finalists, in_order=not budget.is_limited)
            together = _candidates(joined, detectors)
            together = timed.quick_enough(together, watch, is_needed=False) if timed else together
            candidates = [*together, *candidates]  # first, where there is little time: it is never far behind
        self.milliseconds_ = {one: sum(parts) for one, parts in timed.parts.items()} if timed else {}
        trials = runner.trials(candidates, full)
        self.layers_ = [*chosen, *joined]
        self.trials_: list[Trial] = [*ranked, *trials, *self._choose(runner, trials, full, timed)]
        self.untried_ = tuple(one for one in runner.untried if not one.variant)
        return self

    def _choose(
        self, runner: TrialRunner, trials: Sequence[Trial], stage: Fidelity, timed: TimedChoice | None
    ) -> list[Trial]:
        """The best of those tried, or the best that are quick enough, and what they see together.

        Each is read in other ways, too, where its method has such; returned are the trials of these.
        """
        criteria = rated(trials, self.detectors())
        layers = list(runner.layers.values())
        together = partial(_together, stage.evaluator)
        options = timed.options(criteria, self.fuse, partial(together, trials)) if timed else []
        best = timed.best(options) if timed else None
        selected = best.choices if best else select_per_depth(criteria, layers, self.fuse)
        more = runner.trials(self._other_readings(selected), stage)
        criteria |= rated(more, self.detectors())
        readings = [*(one.candidate for one in selected), *(trial.candidate for trial in more)]
        self.selected_: tuple[SelectedLayer, ...] = weighed({one: criteria[one] for one in readings}, layers)
        self.figures_ = together([*trials, *more], self.selected_)
        if timed and best:
            best = timed.within(Option(self.selected_, math.inf, self.figures_), best)
            self.selected_, self.figures_ = best.choices, dict(best.figures)
        self.options_: list[Option] = [*options, best] if best else []
        return more

    def _other_readings(self, selected: Sequence[SelectedLayer]) -> list[Candidate]:
        """The chosen layers, read in the other ways of their detectors."""
        if self.search != "auto" or self.fuse == 1:
            return []
        detectors = self.detectors()
        return [
            one.candidate._replace(variant=variant)
            for one in selected
            for variant in detectors[one.detector].variants()
        ]

    def _wanted(self, extractor: Extractor, progress: Progress) -> list[Layer]:
        """The layers to choose from; of all those of large images, the ones whose maps are not huge."""
        chosen = list(extractor.select(self.layers, progress))
        if self.layers != "all" or self.search == "exhaustive":
            return chosen
        return [layer for layer in chosen if layer.height <= LARGEST_MAP] or chosen

    def _joined(self, extractor: Extractor, chosen: Sequence[Layer]) -> list[Layer]:
        """The customary pair, read as one, where a race may choose it beside others."""
        try:
            pair = extractor.default_pair if self.search == "auto" and self.fuse > 1 else ()
        except FlawsightError:  # a network without such layers
            return []
        parts = [layer for layer in chosen if layer.name in pair]
        return [joined_layer(parts)] if len(parts) > 1 else []

    def _proposed(self, extractor: Extractor, chosen: Sequence[Layer], progress: Progress) -> set[str]:
        """The names of the layers to be tried first, of those to choose from."""
        first = extractor.select(self.first, progress) if self.first else ()
        return {layer.same_as or layer.name for layer in first if layer in chosen}

    def _validation(self, images: Sequence[np.ndarray], numbers: np.ndarray, kinds: Sequence[str]) -> ValidationSet:
        """Of the images of these numbers."""
        made = make_validation_set(
            [images[int(at)] for at in numbers],
            kinds,
            self.seed,
            texture=self.texture,
            foreground=self.foreground,
            parts=None if self.parts is None else np.array(self.parts)[numbers],
            parameters=self.defect_parameters,
            may_drop=self.defects == "auto",
        )
        return made if self.search == "exhaustive" else made.with_originals()

    def _checked(self) -> tuple[tuple[str, ...], dict[str, Detector]]:
        """The kinds of defects and the detectors; FlawsightError where they cannot be searched with."""
        kinds = defect_kinds(self.defects)
        if self.search not in SEARCHES:
            raise FlawsightError(f"unknown search '{self.search}': use {' or '.join(SEARCHES)}")
        if self.search == "exhaustive" and self.budget is not None:
            raise FlawsightError("an exhaustive search tries everything: leave the budget out, or use --search auto")
        detectors = self.detectors()
        for name, detector in detectors.items():
            if detector.tags.input != "features":
                raise FlawsightError(f"detector '{name}' reads images: there are no layers to choose for it")
        return kinds, detectors

    def detectors(self) -> dict[str, Detector]:
        """Who reads, by name."""
        if isinstance(self.detector, Mapping):
            return dict(self.detector)
        kind = type(self.detector)
        return {DETECTORS.name_of(kind) or kind.__name__.lower(): self.detector}

    def _settings(self) -> dict[str, str]:
        """The parameters that shape the result of a trial: how much memory or time there is does not."""
        parameters = self.get_params(deep=False)
        others = {"max_memory", "budget", "defect_parameters", "latency_budget"}
        return {name: repr(parameters[name]) for name in sorted(parameters.keys() - others)}

    def results(self) -> list[LayerScore]:
        """One row for each candidate and kind of defect, in network order, from the candidate's fullest trial.

        A layer that repeats another's values shares its trials; what was not tried has no row.
        """
        fullest = {trial.candidate: trial for trial in sorted(self.trials_, key=lambda trial: trial.stage == "full")}
        of_layer: dict[str, list[Trial]] = {}
        for trial in fullest.values():
            of_layer.setdefault(trial.layer, []).append(trial)
        names = list(self.detectors())
        return [
            self._score(layer, trial, kind)
            for layer in self.layers_
            for trial in sorted(
                of_layer.get(layer.same_as or layer.name, []), key=lambda trial: names.index(trial.candidate.detector)
            )
            for kind in trial.figures
        ]

    def _score(self, layer: Layer, trial: Trial, kind: str) -> LayerScore:
        metrics = trial.figures[kind]
        return LayerScore(
            layer=layer.name,
            **{key: getattr(layer, key) for key in ("block", "kind", "order", "stride", "channels", "same_as")},
            detector=trial.candidate.detector,
            variant=trial.candidate.variant,
            stage=trial.stage,
            defects=kind,
            **{key: getattr(metrics, key) for key in ("auroc", "aupro", "p_h")},
            seconds=trial.seconds,
            milliseconds=self.milliseconds_.get(trial.candidate, math.nan),
        )


def _candidates(layers: Sequence[Layer], detectors: Mapping[str, Detector]) -> list[Candidate]:
    return [Candidate(layer.name, name) for layer in layers for name in detectors]


def _together(evaluator: Evaluator, trials: Sequence[Trial], choices: Sequence[SelectedLayer]) -> dict[str, Metrics]:
    """Figures of the choices together: of the weighted mean of their maps, and of any scores of their own."""
    chosen = {trial.candidate: trial for trial in trials}
    own = any(chosen[choice.candidate].scores for choice in choices)
    total: dict[str, list[Any]] = {}
    scores: dict[str, list[Any]] = {}
    for choice in choices:
        trial, weight = chosen[choice.candidate], np.float32(choice.weight)
        maps = evaluator.upsampled(trial.maps)
        _add(total, maps, weight)
        if own:
            _add(scores, trial.scores or scaled(maxima(maps)), weight)
    return evaluator.figures(total, {name: np.array(values) for name, values in scores.items()})


def _add(total: dict[str, list[Any]], more: Mapping[str, Iterable[Any]], weight: np.float32) -> None:
    for name, values in more.items():
        parts = [weight * one for one in values]
        total[name] = [one + part for one, part in zip(total[name], parts, strict=True)] if name in total else parts


def _unique(layers: Sequence[Layer], extractor: Extractor) -> list[Layer]:
    """The layers without those that repeat another's values; a source that was not chosen itself stands in."""
    names = dict.fromkeys(layer.same_as or layer.name for layer in layers)
    return [extractor.layer(name) for name in names]
