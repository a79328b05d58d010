"""From figures to a choice: the criterion, depths, and who is combined with which weight."""

import math
from random import Random

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from flawsight.features import Layer
from flawsight.selection import Candidate, Metrics, criterion, depths, select_per_depth

STRIDES = (2, 4, 4, 8, 8, 16, 16, 32)


def layer(order: int, stride: float) -> Layer:
    side = round(64 / stride)
    return Layer(f"layer{order}", "conv", "block", 8, side, side, stride, order)


LAYERS = [layer(order, stride) for order, stride in enumerate(STRIDES)]
DETECTORS = ("patchcore", "gaussian")
CANDIDATES = [Candidate(one.name, detector) for one in LAYERS for detector in DETECTORS]
criteria_of_all = st.lists(st.floats(-7, 7), min_size=len(CANDIDATES), max_size=len(CANDIDATES)).map(
    lambda values: dict(zip(CANDIDATES, values, strict=True))
)


def of_one(criteria: dict[str, float]) -> dict[Candidate, float]:
    """Criteria of layers, read by one detector."""
    return {Candidate(layer, "patchcore"): value for layer, value in criteria.items()}


share = st.floats(0.01, 0.99)


@given(st.lists(st.tuples(share, share), min_size=2, max_size=6))
def test_one_kind_alone_ranks_as_p_h(pairs: list[tuple[float, float]]) -> None:
    figures = [Metrics(*pair) for pair in pairs]
    values = np.array([criterion({"nsa": one}) for one in figures])
    p_h = np.array([2 * a * b / (a + b) for a, b in pairs])
    inside = (p_h > 1e-3) & (p_h < 1 - 1e-3)
    apart = np.abs(p_h[:, None] - p_h[None]) > 1e-9
    agree = np.sign(values[:, None] - values[None]) == np.sign(p_h[:, None] - p_h[None])
    assert (agree | ~apart)[np.ix_(inside, inside)].all()


def test_the_criterion_is_the_mean_logit() -> None:
    figures = {"nsa": Metrics(0.9, 0.9), "perlin": Metrics(0.6, 0.6), "scratch": Metrics(0.5, 0.5)}
    assert criterion(figures) == pytest.approx((math.log(9) + math.log(1.5)) / 3)


def test_the_criterion_is_finite_at_the_ends() -> None:
    top, bottom = criterion({"nsa": Metrics(1, 1)}), criterion({"nsa": Metrics(0, 0)})
    assert math.isfinite(top) and top == pytest.approx(-bottom)
    # A layer that one kind cannot fool and another does is worse than one that sees both fairly well.
    uneven = {"nsa": Metrics(1, 1), "simple": Metrics(0.01, 0.01)}
    assert criterion(uneven) < criterion({"nsa": Metrics(0.95, 0.95), "simple": Metrics(0.8, 0.8)})


def test_depths_by_stride() -> None:
    found = depths(LAYERS)
    assert [found[one.name] for one in LAYERS] == ["fine"] * 3 + ["medium"] * 2 + ["coarse"] * 3


@pytest.mark.parametrize("count", [1, 2, 3, 4, 9, 12, 25])
def test_depths_of_one_stride_are_thirds(count: int) -> None:
    layers = [layer(order, 16) for order in range(count)]
    found = depths(list(reversed(layers)))
    in_order = [found[one.name] for one in layers]
    assert in_order == sorted(in_order, key=["fine", "medium", "coarse"].index)
    sizes = [in_order.count(depth) for depth in ("fine", "medium", "coarse")]
    assert sum(sizes) == count and max(sizes) - min(sizes) <= 1


@given(criteria_of_all)
def test_fuse_one_is_the_argmax(criteria: dict[Candidate, float]) -> None:
    (choice,) = select_per_depth(criteria, LAYERS, 1)
    assert choice.criterion == max(criteria.values()) == criteria[choice.candidate]
    assert choice.weight == 1
    assert choice.depth == depths(LAYERS)[choice.layer]


@given(criteria_of_all, st.integers(2, 5))
def test_what_any_combination_keeps_to(criteria: dict[Candidate, float], fuse: int) -> None:
    choices = select_per_depth(criteria, LAYERS, fuse)
    names = [choice.layer for choice in choices]
    assert sum(choice.weight for choice in choices) == pytest.approx(1)
    assert all(choice.weight > 0 for choice in choices)
    assert names == sorted(names) and len(set(names)) == len(names)
    depth_of = depths(LAYERS)
    assert len({choice.depth for choice in choices}) == len(choices) <= fuse
    for choice in choices:
        assert choice.candidate == Candidate(choice.layer, choice.detector)
        rivals = [one for one in criteria if depth_of[one.layer] == choice.depth == depth_of[choice.layer]]
        best = max(criteria[one] for one in rivals)
        assert best - 0.2 <= choice.criterion == criteria[choice.candidate] <= best
        # Nothing as good has smaller maps.
        leaders = {one.detector for one in rivals if criteria[one] == best}
        near = [one for one in rivals if one.detector in leaders and criteria[one] >= best - 0.2]
        size = {one.name: one.channels * one.height * one.width for one in LAYERS}
        assert len(leaders) > 1 or size[choice.layer] == min(size[one.layer] for one in near)
        assert choice.weight >= 0.03
    assert max(choice.criterion for choice in choices) >= max(criteria.values()) - 0.2
    # Weights are exponential in the difference of the criteria.
    one, *others = choices
    for other in others:
        expected = (one.criterion - other.criterion) / 0.6
        assert math.log(one.weight / other.weight) == pytest.approx(expected, abs=1e-6)


@given(criteria_of_all, st.integers(1, 4), st.randoms())
def test_the_order_of_candidates_and_layers_does_not_matter(
    criteria: dict[Candidate, float], fuse: int, random: Random
) -> None:
    assume(len(set(criteria.values())) == len(criteria))
    shuffled, layers = list(criteria), list(LAYERS)
    random.shuffle(shuffled)
    random.shuffle(layers)
    again = select_per_depth({one: criteria[one] for one in shuffled}, layers, fuse)
    assert again == select_per_depth(criteria, LAYERS, fuse)


@given(criteria_of_all, st.integers(1, 4))
def test_a_detector_that_is_always_worse_changes_nothing(criteria: dict[Candidate, float], fuse: int) -> None:
    alone = {one: value for one, value in criteria.items() if one.detector == "patchcore"}
    hopeless = {Candidate(one.layer, "gaussian"): value - 20 for one, value in alone.items()}
    assert select_per_depth(hopeless | alone, LAYERS, fuse) == select_per_depth(alone, LAYERS, fuse)


def test_each_depth_may_be_read_by_another_detector() -> None:
    criteria = {
        Candidate("layer1", "patchcore"): 1.0,
        Candidate("layer1", "gaussian"): 1.5,
        Candidate("layer3", "patchcore"): 2.0,
        Candidate("layer4", "gaussian"): 1.9,
        Candidate("layer6", "gaussian"): 1.0,
    }
    found = [choice.candidate for choice in select_per_depth(criteria, LAYERS, 3)]
    assert found == [
        Candidate("layer1", "gaussian"),
        Candidate("layer3", "patchcore"),
        Candidate("layer6", "gaussian"),
    ]


def test_a_weak_depth_is_left_out() -> None:
    near = dict.fromkeys((one.name for one in LAYERS), 2.0)
    weak = near | {one.name: -0.5 for one in LAYERS if one.stride >= 16}
    strong = near | {"layer0": 9, "layer1": 9}
    for criteria, expected in ((near, {"fine", "medium", "coarse"}), (weak, {"fine", "medium"}), (strong, {"fine"})):
        assert {choice.depth for choice in select_per_depth(of_one(criteria), LAYERS, 3)} == expected


def test_fuse_two_keeps_the_two_best_depths() -> None:
    criteria = {one.name: {2: 1.0, 4: 1.0, 8: 1.3, 16: 1.2, 32: 1.2}[one.stride] for one in LAYERS}
    assert {c.depth for c in select_per_depth(of_one(criteria), LAYERS, 2)} == {"medium", "coarse"}


def test_only_measured_layers_take_part() -> None:
    criteria = of_one({"layer1": 1.0, "layer4": 1.0})
    assert [c.layer for c in select_per_depth(criteria, LAYERS, 3)] == ["layer1", "layer4"]


def test_a_layer_has_the_same_depth_whoever_else_was_measured() -> None:
    """Where all layers have one stride, depths are thirds of all of them, not of those that were measured."""
    layers = [layer(order, 16) for order in range(9)]
    criteria = of_one({"layer0": 1.0, "layer3": 0.9, "layer4": 1.1, "layer5": 0.8, "layer6": 1.0})
    found = [(choice.layer, choice.depth) for choice in select_per_depth(criteria, layers, 3)]
    assert found == [("layer0", "fine"), ("layer4", "medium"), ("layer6", "coarse")]
