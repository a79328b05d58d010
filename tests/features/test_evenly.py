"""Layers spread evenly over their receptive fields."""

from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flawsight.core import FlawsightError
from flawsight.features import Extractor, Layer, ReceptiveField, select_layers


def layer(order: int, same_as: str = "") -> Layer:
    return Layer(f"b.{order}", "conv", "b", 1, 1, 1, 8, order, same_as)


def fields(*relative: float) -> dict[str, ReceptiveField]:
    return {f"b.{order}": ReceptiveField(100 * value, value) for order, value in enumerate(relative)}


def chosen(relative: Mapping[str, ReceptiveField], patterns: str) -> list[int]:
    layers = [layer(order) for order in range(len(relative))]
    return [one.order for one in select_layers(layers, patterns, relative)]


@pytest.mark.parametrize(
    ("relative", "patterns", "expected"),
    [
        ((0.0, 0.1, 0.35, 0.6, 1.0), "evenly:4", [0, 2, 3, 4]),
        ((0.0, 0.1, 0.35, 0.6, 1.0), "evenly:2", [0, 4]),
        ((0.0, 0.1, 0.35, 0.6, 1.0), ["evenly:3"], [0, 3, 4]),
        ((0.5, 0.0, 1.0, 0.5), "evenly:3", [0, 1, 2]),  # of equals the earlier, and in network order
        ((0.2, 0.2, 0.2), "evenly:2", [0, 1]),  # none twice
        ((0.0, 0.01, 0.02, 1.0), "evenly:4", [0, 1, 2, 3]),
        ((0.0, 0.1, 0.35, 0.6, 1.0), "evenly:2, b.1", [0, 1, 4]),
        ((0.0, 0.1, 0.35, 0.6, 1.0), "evenly:2,evenly:3", [0, 3, 4]),
    ],
)
def test_by_hand(relative: tuple[float, ...], patterns: str, expected: list[int]) -> None:
    assert chosen(fields(*relative), patterns) == expected


@settings(max_examples=50)
@given(st.lists(st.floats(0, 1), min_size=2, max_size=30), st.data())
def test_so_many_different_ones_with_the_smallest_and_the_largest(relative: list[float], data: st.DataObject) -> None:
    count = data.draw(st.integers(2, len(relative)))
    found = chosen(fields(*relative), f"evenly:{count}")
    assert len(set(found)) == count and found == sorted(found) == chosen(fields(*relative), f"evenly:{count}")
    assert {min(relative), max(relative)} <= {relative[at] for at in found}


def test_where_fields_are_dense_each_is_near_its_value() -> None:
    relative = np.random.default_rng(0).permutation(np.linspace(0.1, 0.9, 401))
    found = sorted(relative[at] for at in chosen(fields(*relative), "evenly:5"))
    assert np.allclose(found, [0.1, 0.3, 0.5, 0.7, 0.9], atol=0.001)


def test_layers_that_repeat_another_are_not_among_them() -> None:
    layers = [layer(0), layer(1, same_as="b.0"), layer(2), layer(3, same_as="b.2"), layer(4)]
    relative = fields(0, 0, 0.5, 0.5, 1)
    assert [one.order for one in select_layers(layers, "evenly:3", relative)] == [0, 2, 4]
    with pytest.raises(FlawsightError, match="from 2 to 3 in this network"):
        select_layers(layers, "evenly:4", relative)


@pytest.mark.parametrize("patterns", ["evenly:", "evenly:1", "evenly:x", "evenly:-2", "evenly:2.5", "b.0,evenly:99"])
def test_what_makes_no_sense(patterns: str) -> None:
    with pytest.raises(FlawsightError, match=r"'evenly:.*write evenly: and how many layers.*such as evenly:4"):
        chosen(fields(0, 0.5, 1), patterns)


def test_a_network_measures_what_it_needs(default: Extractor, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def measured(extractor: Extractor, **options: object) -> dict[str, ReceptiveField]:
        asked.append(options)
        return {one.name: ReceptiveField(one.order, one.order / 1000) for one in extractor.layers}

    monkeypatch.setattr("flawsight.features.extractor.effective_receptive_fields", measured)
    assert default.select("blocks.1.*") == select_layers(default.layers, "blocks.1.*") and not asked
    found = default.select("evenly:3")
    assert (found[0], found[-1]) == (default.layers[0], default.layers[-1]) and len(found) == 3 and len(asked) == 1
    for wrong in ("evenly:0", "evenly:3,conv_stam"):  # is said before anything is measured
        with pytest.raises(FlawsightError, match=r"evenly: and how many|conv_stem"):
            default.select(wrong)
    assert len(asked) == 1
    with pytest.raises(FlawsightError, match=r"needs receptive fields: use Extractor\.select"):
        select_layers(default.layers, "evenly:3")
