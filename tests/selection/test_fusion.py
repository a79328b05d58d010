"""From figures to a choice: the criterion, depths, and who is combined with which weight."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flawsight.features import Layer
from flawsight.selection import Figures, combine_depths, criterion, depths

STRIDES = (2, 4, 4, 8, 8, 16, 16, 32)


def layer(order: int, stride: float) -> Layer:
    side = round(64 / stride)
    return Layer(f"layer{order}", "conv", "block", 8, side, side, stride, order)


LAYERS = [layer(order, stride) for order, stride in enumerate(STRIDES)]
criteria_of_all = st.lists(st.floats(-7, 7), min_size=len(LAYERS), max_size=len(LAYERS)).map(
    lambda values: {one.name: value for one, value in zip(LAYERS, values, strict=True)}
)
share = st.floats(0.01, 0.99)


@given(st.lists(st.tuples(share, share), min_size=2, max_size=6))
def test_one_kind_alone_ranks_as_p_h(pairs: list[tuple[float, float]]) -> None:
    figures = [Figures(*pair) for pair in pairs]
    values = np.array([criterion({"nsa": one}) for one in figures])
    p_h = np.array([2 * a * b / (a + b) for a, b in pairs])
    inside = (p_h > 1e-3) & (p_h < 1 - 1e-3)
    apart = np.abs(p_h[:, None] - p_h[None]) > 1e-9
    agree = np.sign(values[:, None] - values[None]) == np.sign(p_h[:, None] - p_h[None])
    assert (agree | ~apart)[np.ix_(inside, inside)].all()


def test_the_criterion_is_the_mean_logit() -> None:
    figures = {"nsa": Figures(0.9, 0.9), "perlin": Figures(0.6, 0.6), "scratch": Figures(0.5, 0.5)}
    assert criterion(figures) == pytest.approx((math.log(9) + math.log(1.5)) / 3)


def test_the_criterion_is_finite_at_the_ends() -> None:
    top, bottom = criterion({"nsa": Figures(1, 1)}), criterion({"nsa": Figures(0, 0)})
    assert math.isfinite(top) and top == pytest.approx(-bottom)
    # A layer that one kind cannot fool and another does is worse than one that sees both fairly well.
    uneven = {"nsa": Figures(1, 1), "simple": Figures(0.01, 0.01)}
    assert criterion(uneven) < criterion({"nsa": Figures(0.95, 0.95), "simple": Figures(0.8, 0.8)})


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
def test_fuse_one_is_the_argmax(criteria: dict[str, float]) -> None:
    (choice,) = combine_depths(criteria, LAYERS, 1)
    assert choice.criterion == max(criteria.values()) == criteria[choice.layer]
    assert choice.weight == 1
    assert choice.depth == depths(LAYERS)[choice.layer]


@given(criteria_of_all, st.integers(2, 5))
def test_what_any_combination_keeps_to(criteria: dict[str, float], fuse: int) -> None:
    choices = combine_depths(criteria, LAYERS, fuse)
    names = [choice.layer for choice in choices]
    assert sum(choice.weight for choice in choices) == pytest.approx(1)
    assert all(choice.weight > 0 for choice in choices)
    assert names == sorted(names) and len(set(names)) == len(names)
    depth_of = depths(LAYERS)
    assert len({choice.depth for choice in choices}) == len(choices) <= fuse
    for choice in choices:
        rivals = [criteria[name] for name in criteria if depth_of[name] == choice.depth == depth_of[choice.layer]]
        assert choice.criterion == criteria[choice.layer] == max(rivals)
        assert choice.weight >= 0.03
    assert max(choice.criterion for choice in choices) == max(criteria.values())
    # Weights are exponential in the difference of the criteria.
    one, *others = choices
    for other in others:
        expected = (one.criterion - other.criterion) / 0.6
        assert math.log(one.weight / other.weight) == pytest.approx(expected, abs=1e-6)


def test_a_weak_depth_is_left_out() -> None:
    near = dict.fromkeys((one.name for one in LAYERS), 2.0)
    assert {c.depth for c in combine_depths(near, LAYERS, 3)} == {"fine", "medium", "coarse"}
    weak = near | {one.name: -0.5 for one in LAYERS if one.stride >= 16}
    assert {c.depth for c in combine_depths(weak, LAYERS, 3)} == {"fine", "medium"}
    assert {c.depth for c in combine_depths(near | {"layer0": 9, "layer1": 9}, LAYERS, 3)} == {"fine"}


def test_fuse_two_keeps_the_two_best_depths() -> None:
    criteria = {one.name: {2: 1.0, 4: 1.0, 8: 1.3, 16: 1.2, 32: 1.2}[one.stride] for one in LAYERS}
    assert {c.depth for c in combine_depths(criteria, LAYERS, 2)} == {"medium", "coarse"}


def test_only_measured_layers_take_part() -> None:
    criteria = {"layer1": 1.0, "layer4": 1.0}
    assert [c.layer for c in combine_depths(criteria, LAYERS, 3)] == ["layer1", "layer4"]
