"""Good pictures that look as if they showed a defect: found by detectors that have learned from none of them.

A detector that has learned from defective pictures knows their defects, and what it is measured by is wrong as well. So
those that score highest are looked at twice: the second time by detectors, and on scales, that know none of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from time import perf_counter

import numpy as np

from flawsight.inference import MemberSpec
from flawsight.pipeline.calibrate import Calibration, calibrate
from flawsight.pipeline.choose import Ensemble, Networks, choose_members
from flawsight.pipeline.defect_sources import DefectRecipe
from flawsight.pipeline.learn import CrossFit, learn_members
from flawsight.pipeline.load_images import GoodImages
from flawsight.pipeline.plan import Plan
from flawsight.pipeline.record import Run
from flawsight.pipeline.trust.chance import expected
from flawsight.pipeline.trust.suspect import Suspect

MOST = 0.2
"""No larger share of the pictures is ever looked at twice, or left out."""
FEWEST = 16
"""Fewer parts show too little of what is usual."""
LISTED = 0.2
"""So few good pictures are expected to score as high as a suspect."""
LEAST_TIME = 0.1
"""A second choice has this share of the budget, even where the first took more than its own."""


@dataclass(frozen=True, eq=False)
class Learned:
    """What was learned from which pictures, its calibration, and the suspects, the strangest first; None where
    nobody looked.
    """

    ensemble: Ensemble
    cross_fit: CrossFit
    calibration: Calibration
    suspects: tuple[Suspect, ...] | None = None

    @property
    def left_out(self) -> tuple[Suspect, ...]:
        """Suspects that were neither learned from nor counted."""
        return tuple(one for one in self.suspects or () if one.is_left_out)


def choose_and_learn(plan: Plan, networks: Networks, good: GoodImages, recipe: DefectRecipe, run: Run) -> Learned:
    """Choose by all good pictures and learn from them; where it was asked to drop suspects, do both without them.

    Both choices together keep to the search's budget: the first has half of it, the second what is left.
    """
    is_looked_at = not plan.settings.all_good and good.parts.count >= FEWEST
    start, budget = perf_counter(), plan.settings.budget if plan.searches else None
    may_choose_twice = is_looked_at and plan.settings.drop_suspects
    first = _within(plan, budget / 2) if budget and may_choose_twice else plan
    ensemble = choose_members(first, networks, good, recipe, run)
    spent = (perf_counter() - start) / 60
    with run.timed("learning and calibrating"):
        learned = _learn(plan, recipe, ensemble, run)
    if not is_looked_at:
        return learned
    suspects = find_suspects(plan, recipe, learned, run)
    left_out = {one.number for one in suspects if one.is_left_out}
    if not left_out:
        return replace(learned, suspects=suspects)
    # In a folder of its own: what the first search found is there if this one is interrupted.
    apart = replace(plan, work=plan.work / "without-suspects" if plan.work else None)
    if budget:
        apart = _within(apart, max(budget - spent, LEAST_TIME * budget))
    ensemble = choose_members(apart, networks, good.without(left_out), recipe, run)
    with run.timed("learning and calibrating"):
        return replace(_learn(plan, recipe, ensemble, run), suspects=suspects)


def _within(plan: Plan, minutes: float) -> Plan:
    """The plan with so much time for its search."""
    return replace(plan, settings=plan.settings.model_copy(update={"budget": minutes}))


def find_suspects(plan: Plan, recipe: DefectRecipe, learned: Learned, run: Run) -> tuple[Suspect, ...]:
    """The pictures that are suspects after a second look, the strangest first; to be left out if that was asked."""
    ensemble, scores = learned.ensemble, learned.calibration.scores
    doubted = np.argsort(-scores, kind="stable")[: int(MOST * len(scores))].tolist()
    again = learned.cross_fit
    is_sure = ~np.isin(np.arange(len(scores)), doubted)
    if not all((is_sure & (again.fold_of != fold)).any() for fold in range(again.folds)):
        return ()  # nearly all pictures are of one part: without it and the doubted ones nothing is left to learn from
    # Methods that learn for hours are not asked to do it again.
    if all(member.detector.tags.cv_folds >= 5 for member in ensemble.members):
        with run.timed("looking for suspects"):
            few = replace(ensemble, members=_heaviest(ensemble.members))
            again = learn_members(plan, ensemble.network, ensemble.good, recipe, few, run, doubted)
    found = _calibrated(plan, ensemble, again, doubted)
    chance = expected(found.scores)
    good, ranked = ensemble.good, sorted(doubted, key=lambda number: chance[number])
    return tuple(
        Suspect(
            good.paths[number],
            number,
            good.images[number],
            found.maps[number],
            float(found.scores[number]),
            float(chance[number]),
            plan.settings.drop_suspects,
        )
        for number in ranked
        if chance[number] <= LISTED
    )


def _heaviest(members: Sequence[MemberSpec]) -> tuple[MemberSpec, ...]:
    """The fewest that have half of the weight: a second look costs less, and what is odd is odd to each."""
    ranked = sorted(members, key=lambda member: -member.weight)
    total = np.cumsum([member.weight for member in ranked])
    count = int(np.searchsorted(total, 0.5 - 1e-9)) + 1
    return tuple(one._replace(weight=one.weight / float(total[count - 1])) for one in ranked[:count])


def _learn(plan: Plan, recipe: DefectRecipe, ensemble: Ensemble, run: Run) -> Learned:
    cross_fit = learn_members(plan, ensemble.network, ensemble.good, recipe, ensemble, run)
    return Learned(ensemble, cross_fit, _calibrated(plan, ensemble, cross_fit))


def _calibrated(plan: Plan, ensemble: Ensemble, cross_fit: CrossFit, doubted: Sequence[int] = ()) -> Calibration:
    weights, rate = [member.weight for member in cross_fit.members], plan.settings.false_alarm_rate
    parts = np.resize(ensemble.good.parts.of, len(cross_fit.inputs.frames))  # copies of one picture show one part
    return calibrate(cross_fit.held_out, cross_fit.inputs, weights, rate, parts, doubted)
