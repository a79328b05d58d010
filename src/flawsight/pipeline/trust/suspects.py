"""Good pictures that look as if they showed a defect: found by detectors that have learned from none of them.

A detector that has learned from defective pictures knows their defects, and what it is measured by is wrong as well. So
those that score highest are looked at twice: the second time by detectors, and on scales, that know none of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

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


def learn_and_calibrate(
    plan: Plan, networks: Networks, good: GoodImages, recipe: DefectRecipe, ensemble: Ensemble, run: Run
) -> Learned:
    """Learn from all good pictures; where it was asked to drop suspects, choose and learn again without them."""
    with run.timed("learning and calibrating"):
        learned = _learn(plan, recipe, ensemble, run)
    if plan.settings.all_good or good.parts.count < FEWEST:
        return learned
    suspects = find_suspects(plan, recipe, learned, run)
    left_out = {one.number for one in suspects if one.is_left_out}
    if not left_out:
        return replace(learned, suspects=suspects)
    # In a folder of its own: what the first search found is there if this one is interrupted.
    apart = replace(plan, work=plan.work / "without-suspects" if plan.work else None)
    ensemble = choose_members(apart, networks, good.without(left_out), recipe, run)
    with run.timed("learning and calibrating"):
        return replace(_learn(plan, recipe, ensemble, run), suspects=suspects)


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
