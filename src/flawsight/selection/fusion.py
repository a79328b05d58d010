"""Which maps to combine: greedy forward selection of layers whose averaged surprise sees the synthetic defects best."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from flawsight.selection.trials import Figures, Judge

_CLIP = 1e-3


def criterion(figures: Mapping[str, Figures]) -> float:
    """Mean over the kinds of defect of logit P_h.

    The logit keeps one kind that nearly every layer sees from drowning in noise, and one that none sees from being
    ignored; for a single kind it ranks as P_h does (Eq. 2 and 3 of paper A).
    """
    return sum(_logit(value.p_h) for value in figures.values()) / len(figures)


def _logit(value: float) -> float:
    clipped = min(max(value, _CLIP), 1 - _CLIP)
    return math.log(clipped / (1 - clipped))


@dataclass(frozen=True)
class FusionStep:
    """The layers after one step of the greedy search, with what they reach together."""

    layers: tuple[str, ...]
    criterion: float
    figures: dict[str, Figures]


def fuse_greedily(
    judge: Judge,
    candidates: Mapping[str, dict[str, np.ndarray]],
    most: int,
    advance: Callable[[int], None] | None = None,
) -> list[FusionStep]:
    """Add, `most` times at the most, the candidate whose map helps the average most; stop when none helps.

    `candidates` are grid surprise maps of the validation images by layer, as in `Trial.maps`.
    """
    square = {layer: judge.upsampled(dict(maps)) for layer, maps in candidates.items()}
    steps: list[FusionStep] = []
    total: dict[str, np.ndarray] = {}
    while len(steps) < most:
        chosen = steps[-1].layers if steps else ()
        best: FusionStep | None = None
        for layer in (name for name in square if name not in chosen):
            figures = judge.figures(_average(total, square[layer], len(steps) + 1))
            value = criterion(figures)
            if best is None or value > best.criterion:
                best = FusionStep((*chosen, layer), value, figures)
            if advance:
                advance(1)
        if best is None or (steps and best.criterion <= steps[-1].criterion):
            break
        added = square[best.layers[-1]]
        total = {name: total[name] + maps if total else maps for name, maps in added.items()}
        steps.append(best)
    return steps


def _average(
    total: Mapping[str, np.ndarray], added: Mapping[str, np.ndarray], count: int
) -> dict[str, np.ndarray]:
    if not total:
        return dict(added)
    return {name: (total[name] + maps) / np.float32(count) for name, maps in added.items()}


def finest_first(layers: Sequence[str], order: Mapping[str, int]) -> tuple[str, ...]:
    """Layers in network order, which puts the finest grid first."""
    return tuple(sorted(layers, key=order.__getitem__))
