"""A search with a limit of time: what is tried first, when it stops, and that enough time changes nothing."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone

from flawsight.core import FlawsightError
from flawsight.features import Extractor
from flawsight.selection import Candidate, LayerSelection, criterion, runner
from flawsight.selection.race import budget
from flawsight.selection.race.budget import Budget, bisection_order, round_robin

LAYERS = "blocks.1.0.*,blocks.3.0.*"
lists = st.lists(st.integers(), max_size=12)


@given(st.integers(0, 400))
def test_spread_is_a_permutation_with_the_middle_first(count: int) -> None:
    found = bisection_order(range(count))
    assert sorted(found) == list(range(count))
    assert found[:1] == [count // 2][:count]


@given(st.integers(1, 300), st.data())
def test_wherever_one_stops_those_before_are_spread_evenly(count: int, data: st.DataObject) -> None:
    """No gap is more than twice as large as it has to be, but for rounding."""
    stop = data.draw(st.integers(1, count))
    places = sorted(bisection_order(range(count))[:stop])
    gaps = np.diff([-1, *places, count])
    assert gaps.max() <= 2 * count / (stop + 1) + 1


@given(st.lists(lists, max_size=5))
def test_in_turn_takes_everyone_once_and_nobody_twice_before_all_had_a_turn(teams: list[list[int]]) -> None:
    named = [[(team, place) for place in range(len(members))] for team, members in enumerate(teams)]
    found = round_robin(named)
    assert sorted(found) == sorted(one for team in named for one in team)
    assert [place for _, place in found] == sorted(place for _, place in found)
    for place in {place for _, place in found}:
        turn = [team for team, at in found if at == place]
        assert turn == [team for team, members in enumerate(teams) if len(members) > place]


@given(st.floats(0, 1e6), st.floats(0.1, 1), st.floats(0, 1e6))
def test_what_is_left(seconds: float, share: float, passed: float) -> None:
    with pytest.MonkeyPatch.context() as patch:
        now = [100.0]
        patch.setattr(budget, "monotonic", lambda: now[0])
        limited, free = Budget(seconds), Budget(None)
        now[0] += passed
        assert limited.is_limited and not free.is_limited
        assert limited.left(share) == pytest.approx(share * seconds - passed, abs=1e-6)
        assert free.left(share) == np.inf


@pytest.fixture(scope="module")
def both(quick_detectors: dict) -> dict:
    return {"distance": quick_detectors["distance"](), "scorer": quick_detectors["scorer"](channels=4)}


@pytest.fixture(scope="module")
def free(network: Extractor, images: list[np.ndarray], both: dict) -> LayerSelection:
    """A search without a limit."""
    return LayerSelection(both, LAYERS, "simple", seed=3).fit(network, images)


def figures(selection: LayerSelection) -> dict:
    return {(trial.stage, trial.candidate): trial.figures for trial in selection.trials_}


def test_with_plenty_of_time_the_choice_is_the_same(
    free: LayerSelection, network: Extractor, images: list[np.ndarray]
) -> None:
    limited = clone(free).set_params(budget=3600).fit(network, images)
    assert limited.untried_ == free.untried_ == ()
    assert figures(limited) == figures(free)
    assert limited.selected_ == free.selected_ and limited.figures_ == free.figures_


@pytest.mark.parametrize("together", [1, 5])
def test_with_no_time_something_is_measured_in_full_and_the_rest_is_untried(
    free: LayerSelection,
    network: Extractor,
    images: list[np.ndarray],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    together: int,
) -> None:
    monkeypatch.setattr(runner, "TOGETHER", together)
    hurried = clone(free).set_params(budget=1e-9).fit(network, images, tmp_path)
    coarse = [trial.candidate for trial in hurried.trials_ if trial.stage == "coarse"]
    full = [trial.candidate for trial in hurried.trials_ if trial.stage == "full"]
    assert len(coarse) == together and 1 <= len(full) <= 3 and set(full) <= set(coarse)
    everyone = {candidate for stage, candidate in figures(free) if stage == "coarse"}
    never = everyone - set(coarse)
    assert never <= set(hurried.untried_) and set(hurried.untried_).isdisjoint(full)
    assert len(hurried.untried_) == len(set(hurried.untried_))
    # What was measured is what it always is, and the choice is made of it.
    measured = figures(free)
    assert all(measured.get(trial, found) == found for trial, found in figures(hurried).items())
    assert {choice.candidate for choice in hurried.selected_} <= set(full)
    assert sum(choice.weight for choice in hurried.selected_) == pytest.approx(1)
    assert max(choice.criterion for choice in hurried.selected_) == max(
        criterion(trial.figures) for trial in hurried.trials_ if trial.stage == "full"
    )
    assert {Candidate(row.same_as or row.layer, row.detector) for row in hurried.results()} == set(coarse)
    # Called again with as little time, it is content with what it has; with more it goes on from there.
    again = clone(hurried).fit(network, images, tmp_path)
    assert figures(again) == figures(hurried) and again.selected_ == hurried.selected_
    longer = clone(hurried).set_params(budget=3600).fit(network, images, tmp_path)
    assert longer.selected_ == free.selected_ and longer.untried_ == ()


def test_those_tried_first_are_spread_over_the_network(
    free: LayerSelection, network: Extractor, images: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "TOGETHER", 2)
    hurried = clone(free).set_params(budget=1e-9).fit(network, images)
    unique = [layer.name for layer in hurried.layers_ if not layer.same_as]
    tried = [trial.candidate for trial in hurried.trials_ if trial.stage == "coarse"]
    assert tried == [Candidate(bisection_order(unique)[0], name) for name in ("distance", "scorer")]


class Clock:
    """A clock on which every trial takes a second; it stands still otherwise."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        self.made: list[tuple[str, int, float]] = []
        run_trials = runner.run_trials

        def timed(extractor, candidates, stage, *rest):  # type: ignore[no-untyped-def]
            self.made.append((stage.name, len(candidates), self.now))
            for trial in run_trials(extractor, candidates, stage, *rest):
                self.now += 1
                yield replace(trial, seconds=1.0)

        monkeypatch.setattr(runner, "run_trials", timed)
        monkeypatch.setattr(budget, "monotonic", lambda: self.now)


@pytest.mark.parametrize("seconds", [5, 13, 21, 40])
def test_no_group_is_begun_that_would_not_be_done_in_time(
    free: LayerSelection, network: Extractor, images: list[np.ndarray], monkeypatch: pytest.MonkeyPatch, seconds: int
) -> None:
    """24 candidates to look at coarsely, four at a time; then the finalists in full, three at a time."""
    monkeypatch.setattr(runner, "TOGETHER", 4)
    clock = Clock(monkeypatch)
    found = clone(free).set_params(budget=seconds).fit(network, images)
    for stage, share in (("coarse", budget.COARSE_SHARE), ("full", 1.0)):
        groups = [(size, start) for name, size, start in clock.made if name == stage]
        assert groups
        for size, start in groups[1:]:
            assert start + size <= share * seconds + 1e-9
    coarse = sum(size for name, size, _ in clock.made if name == "coarse")
    assert coarse == min(24, max(4, 4 * int(0.6 * seconds / 4)))
    full = sum(size for name, size, _ in clock.made if name == "full")
    assert full >= 1 and clock.now == coarse + full
    assert len(set(found.untried_)) == len(found.untried_) >= 24 - coarse


def test_a_budget_does_not_discard_old_trials(
    free: LayerSelection, network: Extractor, images: list[np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clone(free).fit(network, images, tmp_path)
    monkeypatch.setattr(runner, "run_trials", lambda *_: pytest.fail("a trial was made again"))
    again = clone(free).set_params(budget=1e-9).fit(network, images, tmp_path)
    assert figures(again) == figures(free) and again.selected_ == free.selected_ and again.untried_ == ()


def test_an_exhaustive_search_has_no_budget(network: Extractor, images: list[np.ndarray], both: dict) -> None:
    with pytest.raises(FlawsightError, match="tries everything"):
        LayerSelection(both, LAYERS, "simple", "exhaustive", budget=60).fit(network, images)
