"""The race: who is measured in full after the coarse round."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flawsight.features import Layer
from flawsight.selection import (
    Candidate,
    LayerSelection,
    Metrics,
    Trial,
    criterion,
    depths,
)
from flawsight.selection.race.survivors import RACE_MARGIN, survivors


def by(layer: str) -> Candidate:
    return Candidate(layer, "patchcore")


def raced(coarse: dict[Candidate, float], strides: dict[str, float], most: int) -> list[Candidate]:
    """Who should be measured in full: of each depth the best, as far as within the margin of the very best.

    `most` of a depth, an equal part of them by each detector.
    """
    names = {one.detector for one in coarse}
    kept = set()
    for low, high in ((0, 6), (6, 12), (12, 99)):
        for detector in names:
            team = [one for one in coarse if low <= strides[one.layer] < high and one.detector == detector]
            best = sorted(team, key=lambda one: coarse[one], reverse=True)[: max(1, most // len(names))]
            kept |= {one for one in best if coarse[best[0]] - coarse[one] <= RACE_MARGIN}
    return [one for one in coarse if one in kept]


def test_auto_measures_all_coarsely_and_those_fully_that_may_be_the_best_of_their_depth(auto: LayerSelection) -> None:
    coarse = {t.candidate: criterion(t.figures) for t in auto.trials_ if t.stage == "coarse"}
    full = [t.candidate for t in auto.trials_ if t.stage == "full" and not t.candidate.variant]
    strides = {layer.name: layer.stride for layer in auto.layers_}
    assert list(coarse) == [by(layer.name) for layer in auto.layers_ if not layer.same_as]
    assert full == raced(coarse, strides, 2)
    assert {choice.candidate._replace(variant="") for choice in auto.selected_} <= set(full)
    assert sum(choice.weight for choice in auto.selected_) == pytest.approx(1)
    assert auto.untried_ == ()


STRIDES = (2, 4, 4, 4, 8, 8, 8, 16, 16, 32)


RIVALS = ("patchcore", "gaussian")


@given(
    st.lists(st.floats(0.05, 0.95), min_size=20, max_size=20, unique=True), st.integers(1, 5), st.sampled_from([1, 2])
)
def test_finalists(values: list[float], most: int, detectors: int) -> None:
    layers = [Layer(f"layer{n}", "conv", "block", 8, 64 // s, 64 // s, s, n) for n, s in enumerate(STRIDES)]
    candidates = [Candidate(layer.name, name) for layer in layers for name in RIVALS[:detectors]]
    trials = [
        Trial(candidate, "coarse", 0, {"nsa": Metrics(value, value)}, {}, {})
        for candidate, value in zip(candidates, values, strict=False)
    ]
    coarse = {trial.candidate: criterion(trial.figures) for trial in trials}
    found = survivors(trials, layers, most)
    assert found == raced(coarse, {layer.name: layer.stride for layer in layers}, most)
    assert 3 * detectors <= len(found) <= 3 * max(most, detectors)
    # With little time the same ones, and who may win comes first: the best of all, then the others' best.
    hurried = survivors(trials, layers, most, in_order=False)
    assert sorted(hurried) == sorted(found)
    assert hurried[0] == max(coarse, key=lambda one: coarse[one])
    first = hurried[: 3 * detectors]
    depth = depths(layers)
    assert len({(depth[one.layer], one.detector) for one in first}) == 3 * detectors
    assert [coarse[one] for one in first] == sorted((coarse[one] for one in first), reverse=True)
