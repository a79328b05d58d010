"""Which maps to combine: the best layers of each depth, weighted by what they see."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from flawsight.features import Layer
from flawsight.selection.trials import Figures

DEPTHS = ("fine", "medium", "coarse")
LAYERS_PER_DEPTH = 2
TEMPERATURE = 0.3
LEAST_WEIGHT = 0.03
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


def depths(layers: Sequence[Layer]) -> dict[str, str]:
    """The depth of each layer: fine below stride 6, coarse above 12; equal thirds where all have one stride."""
    if len({layer.stride for layer in layers}) == 1:
        ordered = sorted(layers, key=lambda layer: layer.order)
        return {layer.name: DEPTHS[3 * place // len(ordered)] for place, layer in enumerate(ordered)}
    return {layer.name: DEPTHS[int(np.searchsorted((6.0, 12.0), layer.stride))] for layer in layers}


@dataclass(frozen=True)
class Choice:
    """A chosen layer with its share in the combined map."""

    layer: str
    depth: str
    criterion: float
    weight: float


def combine_depths(criteria: Mapping[str, float], layers: Sequence[Layer], fuse: int) -> tuple[Choice, ...]:
    """Choose layers by their `criteria`, in network order; the weights add up to 1.

    The best layer alone for `fuse=1` (paper A). Else up to `fuse` depths take part, each with its two best layers: a
    synthetic defect tells well how deep to look, but hardly which of two neighbouring layers is better on the real
    ones, and errors of different depths cancel. A depth weighs exp(difference of its criterion / 0.3); one that would
    weigh below 3 % is left out.
    """
    if fuse == 1:
        best = max(criteria, key=lambda name: criteria[name])
        return (Choice(best, depths(layers)[best], criteria[best], 1.0),)
    depth_of = depths([layer for layer in layers if layer.name in criteria])
    ranked = sorted(criteria, key=lambda name: criteria[name], reverse=True)
    teams = {depth: [name for name in ranked if depth_of[name] == depth][:LAYERS_PER_DEPTH] for depth in DEPTHS}
    strength = {depth: sum(criteria[n] for n in team) / len(team) for depth, team in teams.items() if team}
    kept = sorted(strength, key=lambda depth: strength[depth], reverse=True)[:fuse]
    weights = {depth: math.exp((strength[depth] - strength[kept[0]]) / TEMPERATURE) for depth in kept}
    total = sum(weights.values())
    weights = {depth: weight for depth, weight in weights.items() if weight / total >= LEAST_WEIGHT}
    total = sum(weights.values())
    order = {layer.name: layer.order for layer in layers}
    chosen = [
        Choice(name, depth, criteria[name], weight / total / len(teams[depth]))
        for depth, weight in weights.items()
        for name in teams[depth]
    ]
    return tuple(sorted(chosen, key=lambda choice: order[choice.layer]))
