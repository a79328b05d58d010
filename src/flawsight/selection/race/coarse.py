"""The coarse round: which candidates are tried at all."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from flawsight.core import Layer
from flawsight.selection.fusion import criterion, depths
from flawsight.selection.race.budget import COARSE_SHARE, bisection_order
from flawsight.selection.race.fidelity import Fidelity
from flawsight.selection.runner import TrialRunner
from flawsight.selection.trials import Candidate, Trial

LEAST_SAMPLE = 12
"""Of the layers that nobody proposed, so many are tried beside those that somebody did, or as many."""


def coarse_trials(
    runner: TrialRunner, candidates: Sequence[Candidate], stage: Fidelity, layers: Sequence[Layer], first: Iterable[str]
) -> list[Trial]:
    """Trials of the candidates; of the `first` layers before others.

    Without a limit of time the others are sampled evenly, and tried all in depths where the sample sees more.
    """
    names = set(first)
    proposed = [one for one in candidates if one.layer in names]
    others = [one for one in candidates if one.layer not in names]
    if not proposed or runner.budget.is_limited:
        return runner.trials([*proposed, *others], stage, COARSE_SHARE)
    sample = bisection_order(others)[: max(LEAST_SAMPLE, len(proposed))]
    tried = runner.trials([*proposed, *sample], stage)
    depth_of = depths(layers)
    best: dict[str, dict[bool, float]] = {}
    for trial in tried:
        of_depth, is_proposed = best.setdefault(depth_of[trial.layer], {}), trial.layer in names
        of_depth[is_proposed] = max(of_depth.get(is_proposed, -math.inf), criterion(trial.figures))
    doubted = {depth for depth, reached in best.items() if reached.get(False, -math.inf) > reached.get(True, -math.inf)}
    rest = [one for one in others if one not in sample and depth_of[one.layer] in doubted]
    return [*tried, *runner.trials(rest, stage)]
