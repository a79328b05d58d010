"""Who is measured in full after the coarse round: those that may still be the best of their depth."""

from __future__ import annotations

from collections.abc import Sequence

from flawsight.core import Layer
from flawsight.selection.fusion import DEPTHS, criterion, depths
from flawsight.selection.race.budget import round_robin
from flawsight.selection.trials import Candidate, Trial

RACE_MARGIN = 0.45
"""How far behind the leader of its depth a layer may be after the coarse round and still be measured in full.

Of the layers that full measurement finds best, nine in ten are within it (docs/decisions/0004-race.md).
"""


def survivors(trials: Sequence[Trial], layers: Sequence[Layer], most: int, in_order: bool = True) -> list[Candidate]:
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
    kept = round_robin(sorted((team for team in teams if team), key=lambda team: ranked.index(team[0])))
    place = {layer.name: number for number, layer in enumerate(layers)}
    return sorted(kept, key=lambda one: (place[one.layer], names.index(one.detector))) if in_order else kept
