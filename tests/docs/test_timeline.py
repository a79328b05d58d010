"""The simulation behind docs/scale.md: bounds that hold for every schedule, and a schedule made by hand."""

import sys
from itertools import permutations, product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.append(str(Path(__file__).parents[2]))
from benchmarks._timeline import Costs, simulate

UNITS = st.lists(st.floats(0.5, 60), min_size=1, max_size=30)


@given(UNITS, st.integers(1, 12), st.floats(0, 5), st.floats(0, 5), st.floats(0, 1))
def test_no_schedule_is_quicker_than_the_work_and_none_slower_than_one_worker(
    units: list[float], workers: int, begin: float, start: float, hand_out: float
) -> None:
    costs = Costs(begin=begin, start=start, hand_out=hand_out)
    found = simulate(units, workers, costs).seconds
    least = begin + start + max(sum(units) / workers, *units, len(units) * hand_out)
    alone = begin + start + sum(units) + len(units) * hand_out
    assert least - 1e-6 <= found <= alone + 1e-6
    assert simulate(units, 1, costs).seconds == pytest.approx(alone)


@given(st.lists(st.integers(1, 20), min_size=1, max_size=6), st.integers(1, 3))
def test_the_longest_first_is_near_the_best_of_all_schedules(units: list[int], workers: int) -> None:
    best = min(
        max(sum(unit for unit, who in zip(units, given, strict=True) if who == one) for one in range(workers))
        for given in product(range(workers), repeat=len(units))
    )
    assert simulate(units, workers, Costs()).seconds <= best * (4 / 3 - 1 / (3 * workers)) + 1e-9  # Graham 1969
    assert {simulate(list(order), workers, Costs()).seconds for order in list(permutations(units))[:24]} == {
        simulate(units, workers, Costs()).seconds
    }


def test_a_schedule_made_by_hand() -> None:
    costs: dict[str, Any] = {"begin": 2.0, "start": 3.0, "hand_out": 1.0, "end": 0.5}
    # 5: the first gets the 10 at 6, until 16; the second the 4 at 7, until 11, then the 3 at 12, until 15.
    assert simulate([3, 10, 4], 2, Costs(**costs)).seconds == pytest.approx(16.5)


def test_what_is_shared_bounds_everybody() -> None:
    driver = simulate([1.0] * 1000, 1000, Costs(hand_out=0.5))
    assert driver.seconds == pytest.approx(501) and driver.driver > 0.99
    disk = simulate([1.0] * 1000, 1000, Costs(read=10.0, storage=20.0))
    assert disk.seconds == pytest.approx(500, rel=0.01) and disk.storage > 0.99
