"""Ranks are what counting by hand says, and uniform and independent where order does not matter."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flawsight.core import FlawsightError
from flawsight.monitoring.ranks import Ranks


@given(st.lists(st.integers(1, 6), min_size=1, max_size=60), st.integers(0, 9))
def test_a_rank_lies_where_counting_says(cells: list[int], seed: int) -> None:
    ranks = Ranks(6, seed)
    for number, cell in enumerate(cells):
        before = cells[:number]
        smaller, equal = sum(one < cell for one in before), before.count(cell)
        found = ranks.rank(cell)
        assert smaller / (number + 1) <= found <= (smaller + equal + 1) / (number + 1)


@given(st.integers(0, 10_000), st.integers(5, 40), st.integers(1, 4))
def test_with_edges_a_rank_is_among_the_calibration_scores_that_pass(seed: int, size: int, alarms: int) -> None:
    """The oracle knows the scores themselves; the ranks only in which gap of the calibration each lies."""
    rng = np.random.default_rng(seed)
    calibration = np.sort(rng.normal(size=size))[::-1]
    threshold = calibration[alarms - 1]
    ranks, came = Ranks(size + 1, seed, edges=True, first=alarms), calibration[calibration < threshold].tolist()
    for score in rng.normal(size=50):
        if score > threshold:
            continue
        cell = 1 + int((calibration >= score).sum())
        place = ranks.rank(cell) * (len(came) + 1)  # from the highest score on
        gap = [one for one in came if 1 + int((calibration >= one).sum()) == cell and one not in calibration]
        higher = sum(one > score and one not in gap for one in came)
        assert higher - 1e-9 <= place <= higher + len(gap) + 1 + 1e-9
        came.append(score)


def test_ranks_are_uniform_and_each_is_independent_of_the_last() -> None:
    """Of scores and their calibration, drawn anew for each of many streams; chi-square with 63 degrees of freedom."""
    counts = np.zeros((8, 8))
    for seed in range(400):
        rng = np.random.default_rng(seed)
        calibration = np.sort(rng.normal(size=30))[::-1]
        ranks = Ranks(31, seed, edges=True, first=2)
        passing = [score for score in rng.normal(size=40) if score <= calibration[1]]
        found = [ranks.rank(1 + int((calibration >= score).sum())) for score in passing]
        counts += np.histogram2d(found[:-1], found[1:], bins=8, range=((0, 1), (0, 1)))[0]
    expected = counts.sum() / 64
    assert ((counts - expected) ** 2 / expected).sum() < 63 + 4 * np.sqrt(2 * 63)


def test_what_is_kept_is_enough_to_go_on() -> None:
    cells = np.random.default_rng(0).integers(1, 9, 50).tolist()
    one, other = Ranks(8, 3), Ranks(8, 3)
    whole = [one.rank(cell) for cell in cells]
    half = Ranks(8, 3)
    for cell in cells[:20]:
        half.rank(cell)
    other.take({cell: int(count) for cell, count in enumerate(half.counts) if count})
    assert [other.rank(cell) for cell in cells[20:]] == whole[20:]


@pytest.mark.parametrize("counts", [{0: 1}, {9: 1}, {3: 0}, {3: -2}])
def test_counts_of_others_are_refused(counts: dict[int, int]) -> None:
    with pytest.raises(FlawsightError, match="no cell"):
        Ranks(8, 0).take(counts)
