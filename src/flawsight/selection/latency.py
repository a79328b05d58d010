"""Choosing within a time for each picture: what a choice costs on this machine, and the best that keeps to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from sklearn.base import clone

from flawsight.core import FlawsightError, Layer, Progress
from flawsight.detectors import Detector
from flawsight.export import Stopwatch
from flawsight.features import Extractor
from flawsight.metrics import Metrics
from flawsight.selection.fusion import SelectedLayer, criterion, depths, select_per_depth
from flawsight.selection.trials import Candidate

TIMED_ON = 8
"""Images that detectors are fitted on to be timed."""
PARTS_OVER_WHOLE = 1.25
"""Parts that are timed one by one may add up to a little more than the whole."""
Together = Callable[[Sequence[SelectedLayer]], dict[str, Metrics]]
"""The figures of some choices together, by kind of defect."""


@dataclass(frozen=True)
class Option:
    """Layers that could be chosen together, what they cost, and what they see of each kind of synthetic defect.

    >>> choice = SelectedLayer(Candidate("blocks.2.1.add", "patchcore"), depth="medium", criterion=1.4, weight=1.0)
    >>> option = Option((choice,), 4.5, {"nsa": Metrics(0.9, 0.9), "scratch": Metrics(0.7, 0.7)})
    >>> round(option.p_h, 2)
    0.8
    """

    choices: tuple[SelectedLayer, ...]
    milliseconds: float
    figures: Mapping[str, Metrics]

    @property
    def p_h(self) -> float:
        """Mean over the kinds of defect."""
        return sum(one.p_h for one in self.figures.values()) / len(self.figures)


def pareto_front(options: Sequence[Option]) -> list[Option]:
    """The options that see more than all faster ones, fastest first.

    >>> choice = SelectedLayer(Candidate("blocks.2.1.add", "patchcore"), depth="medium", criterion=1.4, weight=1.0)
    >>> options = [Option((choice,), ms, {"nsa": Metrics(p, p)}) for ms, p in ((9, 0.9), (5, 0.8), (7, 0.7))]
    >>> [option.milliseconds for option in pareto_front(options)]
    [5, 9]
    """
    front: list[Option] = []
    for one in sorted(options, key=lambda option: (option.milliseconds, -option.p_h)):
        if not front or one.p_h > front[-1].p_h:
            front.append(one)
    return front


class TimedChoice:
    """Candidates timed on this machine, and the best choice that keeps to `budget` milliseconds a picture.

    `inputs`: so many squares are given to the network for a picture.

    >>> squares = fs.views.ImageCache(fs.data.find_images(good), side=64)
    >>> search = LayerSelection(fs.detectors.PatchCore(bank_size=50), layers="blocks.*.add", latency_budget=500)
    >>> best = search.fit(network, squares).options_[-1]
    >>> best.milliseconds <= 500, best.choices == search.selected_
    (True, True)
    """

    def __init__(
        self,
        extractor: Extractor,
        layers: Sequence[Layer],
        detectors: Mapping[str, Detector],
        images: Sequence[np.ndarray],
        budget: float,
        inputs: int = 1,
    ) -> None:
        self.inputs = inputs
        self.layers, self.detectors, self.budget = list(layers), detectors, budget
        self.stopwatch = Stopwatch(extractor, layers, images[:TIMED_ON])
        self.parts: dict[Candidate, tuple[float, float]] = {}

    def quick_enough(
        self, candidates: Sequence[Candidate], progress: Progress, is_needed: bool = True
    ) -> list[Candidate]:
        """Time them all; those that keep to the budget alone. FlawsightError where none does but one `is_needed`."""
        layers = {layer.name: layer for layer in self.layers}
        with progress.stage(f"Timing {len(candidates)} candidates", len(candidates)) as advance:
            for one in candidates:
                layer, detector = layers[one.layer], clone(one.reader(self.detectors))
                parts = self.stopwatch.network(layer), self.stopwatch.rest(layer, detector)
                self.parts[one] = self.inputs * parts[0], self.inputs * parts[1]
                advance(1)
        found = [one for one in candidates if sum(self.parts[one]) <= self.budget]
        if not found and is_needed:
            raise self._too_slow(min(sum(parts) for parts in self.parts.values()))
        return found

    def options(self, criteria: Mapping[Candidate, float], fuse: int, together: Together) -> list[Option]:
        """Every choice of at most one of these candidates from each depth, and no more than `fuse`.

        The network runs once, to the deepest of the layers.
        """
        depth_of = depths(self.layers)
        by_depth: dict[str, list[Candidate | None]] = {}
        for one in criteria:
            by_depth.setdefault(depth_of[one.layer], [None]).append(one)
        found: list[Option] = []
        seen: set[frozenset[Candidate]] = set()
        for picked in product(*by_depth.values()):
            candidates = [one for one in picked if one is not None]
            if 0 < len(candidates) <= fuse:
                choices = select_per_depth({one: criteria[one] for one in candidates}, self.layers, fuse)
                kept = frozenset(one.candidate for one in choices)
                if kept in seen:  # what weighs next to nothing, or does not join, makes no other choice
                    continue
                seen.add(kept)
                parts = [self.parts[one.candidate] for one in choices]
                milliseconds = max(network for network, _ in parts) + sum(rest for _, rest in parts)
                found.append(Option(choices, milliseconds, together(choices)))
        return found

    def best(self, options: Sequence[Option]) -> Option:
        """The one that sees best of those that keep to the budget when measured as a whole; else FlawsightError."""
        fastest = min(option.milliseconds for option in options)
        for one in sorted(options, key=lambda option: criterion(option.figures), reverse=True):
            if one.milliseconds <= PARTS_OVER_WHOLE * self.budget:
                measured = self._measured(one.choices)
                if measured <= self.budget:
                    return replace(one, milliseconds=measured)
                fastest = min(fastest, measured)
        raise self._too_slow(fastest)

    def within(self, wider: Option, other: Option) -> Option:
        """The wider option with its time, if it keeps to the budget; else the other."""
        measured = self._measured(wider.choices)
        return replace(wider, milliseconds=measured) if measured <= self.budget else other

    def _measured(self, choices: Sequence[SelectedLayer]) -> float:
        found = [(one.candidate.layers, clone(one.candidate.reader(self.detectors))) for one in choices]
        return self.inputs * self.stopwatch.whole(found)

    def _too_slow(self, fastest: float) -> FlawsightError:
        return FlawsightError(
            f"no layer keeps to {self.budget:g} ms a picture on this machine, the fastest takes {fastest:.1f}: allow "
            "more with --latency-budget, or make --image-size smaller"
        )
