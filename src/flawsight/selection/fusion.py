"""Which maps to combine: the best layer of each depth, weighted by what it sees."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from flawsight.detectors import Detector
from flawsight.features import JOINED, Layer
from flawsight.selection.evaluator import Metrics
from flawsight.selection.trials import Candidate, Trial

DEPTHS = ("fine", "medium", "coarse")
TEMPERATURE = 0.6
LEAST_WEIGHT = 0.03
NEGLIGIBLE = 0.2
"""So much less of the criterion does not tell two layers of a depth apart: the smaller one is read."""
_CLIP = 1e-3


def criterion(figures: Mapping[str, Metrics]) -> float:
    """Mean over the kinds of defect of logit P_h.

    The logit keeps one kind that nearly every layer sees from drowning in noise, and one that none sees from being
    ignored; for a single kind it ranks as P_h does (Eq. 2 and 3 of paper A).

    >>> round(criterion({"nsa": Metrics(auroc=0.9, aupro=0.6), "scratch": Metrics(auroc=0.5, aupro=0.5)}), 2)
    0.47
    """
    return sum(_logit(value.p_h) for value in figures.values()) / len(figures)


def _logit(value: float) -> float:
    clipped = min(max(value, _CLIP), 1 - _CLIP)
    return math.log(clipped / (1 - clipped))


def rated(trials: Iterable[Trial], detectors: Mapping[str, Detector]) -> dict[Candidate, float]:
    """The criterion of each trial; of layers read as one raised by what the method gains from them, `joined_bonus`."""
    return {
        trial.candidate: criterion(trial.figures)
        + (detectors[trial.candidate.detector].tags.joined_bonus if len(trial.candidate.layers) > 1 else 0.0)
        for trial in trials
    }


def depths(layers: Sequence[Layer]) -> dict[str, str]:
    """The depth of each layer: fine below stride 6, coarse above 12; equal thirds where all have one stride.

    Layers that are read as one are "joined".

    >>> depth = depths(network.layers)
    >>> depth["blocks.1.1.add"], depth["blocks.2.1.add"], depth["blocks.4.2.add"]
    ('fine', 'medium', 'coarse')
    """
    joined = {layer.name: JOINED for layer in layers if layer.kind == JOINED}
    single = [layer for layer in layers if layer.name not in joined]
    if len({layer.stride for layer in single}) == 1:
        ordered = sorted(single, key=lambda layer: layer.order)
        return joined | {layer.name: DEPTHS[3 * place // len(ordered)] for place, layer in enumerate(ordered)}
    return joined | {layer.name: DEPTHS[int(np.searchsorted((6.0, 12.0), layer.stride))] for layer in single}


@dataclass(frozen=True)
class SelectedLayer:
    """A chosen layer, who reads it, and its share in the combined map.

    >>> one = Candidate("blocks.2.1.add", "patchcore")
    >>> SelectedLayer(one, depth="medium", criterion=1.4, weight=0.7).layer
    'blocks.2.1.add'
    """

    candidate: Candidate
    depth: str
    criterion: float
    weight: float

    @property
    def layer(self) -> str:
        """The layer's name."""
        return self.candidate.layer

    @property
    def detector(self) -> str:
        """The detector's name."""
        return self.candidate.detector


def select_per_depth(
    criteria: Mapping[Candidate, float], layers: Sequence[Layer], fuse: int
) -> tuple[SelectedLayer, ...]:
    """Choose candidates by their `criteria`, in network order; the weights add up to 1. `layers` is all there are.

    The best one alone for `fuse=1` (paper A). Else the best one of each of up to `fuse` depths: a synthetic defect
    tells well how deep to look, but hardly which of two neighbouring layers is better on the real ones, and errors of
    different depths cancel. Of those within 0.2 of the best of a depth, read by the same detector, the one with the
    smallest maps is taken: it costs less and sees as much. Layers read as one join where they see most of all. A
    candidate weighs exp(difference of its criterion to the best / 0.6), or nothing below 3 %.

    >>> criteria = {Candidate("blocks.1.1.add", "patchcore"): 2.0, Candidate("blocks.4.2.add", "gaussian"): 1.6}
    >>> [(one.layer, round(one.weight, 2)) for one in select_per_depth(criteria, network.layers, fuse=3)]
    [('blocks.1.1.add', 0.66), ('blocks.4.2.add', 0.34)]
    """
    order = {layer.name: layer.order for layer in layers}
    depth_of = depths(layers)
    ranked = sorted(criteria, key=lambda one: criteria[one], reverse=True)
    slack = NEGLIGIBLE if fuse > 1 else 0.0
    leaders: dict[str, Candidate] = {}
    for one in ranked:
        leaders.setdefault(depth_of[one.layer], one)
    size = {layer.name: layer.channels * layer.height * layer.width for layer in layers}
    kept = []
    joined = leaders.pop(JOINED, None)
    for leader in list(leaders.values())[:fuse]:
        rivals = (one for one in ranked if depth_of[one.layer] == depth_of[leader.layer])
        near = [one for one in rivals if one.detector == leader.detector and criteria[one] >= criteria[leader] - slack]
        kept.append(min(near, key=lambda one: (size[one.layer], -criteria[one], order[one.layer])))
    if joined is not None and joined == ranked[0]:
        kept = [joined, *kept] if fuse > 1 else [joined]
    return weighed({one: criteria[one] for one in kept}, layers)


def weighed(criteria: Mapping[Candidate, float], layers: Sequence[Layer]) -> tuple[SelectedLayer, ...]:
    """All of these, in network order, but those that weigh next to nothing; see `select_per_depth`."""
    order, depth_of = {layer.name: layer.order for layer in layers}, depths(layers)
    most = max(criteria.values(), default=0.0)
    weights = {one: math.exp((value - most) / TEMPERATURE) for one, value in criteria.items()}
    total = sum(weights.values())
    weights = {one: weight for one, weight in weights.items() if weight / total >= LEAST_WEIGHT}
    total = sum(weights.values())
    return tuple(
        SelectedLayer(one, depth_of[one.layer], criteria[one], weights[one] / total)
        for one in sorted(weights, key=lambda one: order[one.layer])
    )
