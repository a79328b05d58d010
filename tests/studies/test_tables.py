"""Tables say the mean of what is there, and what is not; figures are pictures that stand alone."""

import math
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flawsight.studies import bars, mean_and_deviation, pivot, scatter
from flawsight.studies.figures import standalone

FIGURES = st.lists(st.floats(0, 1), min_size=1, max_size=5)


@given(FIGURES)
def test_mean_and_sample_deviation(values: list[float]) -> None:
    mean, _, deviation = mean_and_deviation(pd.Series(values)).partition(" ± ")
    assert float(mean) == pytest.approx(100 * np.mean(values), abs=0.051)
    assert (deviation == "") == (len(values) == 1)
    if deviation:
        assert float(deviation) == pytest.approx(100 * np.std(values, ddof=1), abs=0.051)


@given(FIGURES, st.integers(1, 3))
def test_a_mean_of_some_is_marked(values: list[float], lacking: int) -> None:
    whole = mean_and_deviation(pd.Series(values))
    assert mean_and_deviation(pd.Series([*values, *[math.nan] * lacking])) == f"{whole} †"
    assert mean_and_deviation(pd.Series([math.nan] * lacking)) == "–"


def test_the_mean_row_is_that_of_the_categories() -> None:
    values = {"a": (0.9, 0.94), "b": (0.5, 0.6, 0.7)}
    lines = [
        {"category": name, "by": "nsa", "seed": seed, "p_h": value}
        for name, some in values.items()
        for seed, value in enumerate(some)
    ]
    body = pivot(pd.DataFrame(lines), "category", "by", "p_h", "P_h").body
    mean = 100 * np.mean([np.mean(some) for some in values.values()])
    deviation = 100 * math.sqrt(np.mean([np.std(some, ddof=1) ** 2 for some in values.values()]))
    assert body[-1] == ("mean", f"{mean:.1f} ± {deviation:.1f}")


def test_a_mean_without_a_category_is_marked() -> None:
    lines = [
        {"category": name, "by": by, "seed": 0, "p_h": value}
        for name, by, value in (("a", "x", 0.5), ("a", "y", 0.6), ("b", "x", math.nan), ("b", "y", 0.8))
    ]
    table = pivot(pd.DataFrame(lines), "category", "by", "p_h", "P_h")
    assert table.body == (("a", "50.0", "**60.0**"), ("b", "–", "80.0"), ("mean", "50.0 †", "**70.0**"))
    assert table.note.startswith("†") and table.note in table.markdown


def test_figures_are_well_formed_whatever_the_names() -> None:
    panels = {"a < b": [("x&y", 0.5, math.nan), ("features.denseblock1", math.nan, 0.1), ("z", 1.0, 0.2)]}
    drawn = ElementTree.fromstring(standalone(bars(panels, "P_h", 'a "b" <c>')))
    assert len(drawn.findall(".//{*}rect")) == 2
    points = {"n & m": [(0.1, 0.9, 0.1, "<l>"), (0.1, math.nan, 0.0, "m")], "one": [(5.0, 0.3, math.nan, "k")]}
    for some in ({"p": points}, {"p": {"one": points["one"]}}, {"p": {"flat": [(1.0, 1.0, math.nan, "x")]}}):
        ElementTree.fromstring(standalone(scatter(some, "x", "y", "z")))
