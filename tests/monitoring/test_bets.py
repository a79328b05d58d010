"""Bets are fair while nothing changes, and the money is never lost for good."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from flawsight.core import FlawsightError
from flawsight.monitoring.bets import SHARES, STEPS, likely_share, looks_like, on_rank, on_stop
from flawsight.monitoring.wealth import Wealth

GRID = (np.arange(8000) + 0.5) / 8000


def test_bets_on_ranks_are_fair_and_never_ruin() -> None:
    factors = np.array([on_rank(rank) for rank in GRID])
    assert factors.shape[1] == len(SHARES) and sum(SHARES) == pytest.approx(1)
    assert factors.min() >= 0 and np.allclose(factors.mean(0), 1)
    assert all(np.isfinite(on_rank(edge)).all() for edge in (0.0, 1.0))


@given(st.floats(0.001, 0.99), st.floats(0, 1))
def test_bets_on_stops_lose_on_average_wherever_no_more_is_stopped_than_allowed(allowed: float, part: float) -> None:
    share = part * allowed
    means = share * np.array(on_stop(True, allowed)) + (1 - share) * np.array(on_stop(False, allowed))
    assert (means <= 1 + 1e-9).all() and min(on_stop(False, allowed)) > 0
    assert np.allclose(
        allowed * np.array(on_stop(True, allowed)) + (1 - allowed) * np.array(on_stop(False, allowed)), 1
    )


@given(st.lists(st.integers(0, 7), max_size=40))
def test_wealth_is_a_martingale(places: list[int]) -> None:
    """Of eight equally likely ranks, whatever came before; each as likely as the others, the mean of what follows."""
    given_ranks = (np.arange(8) + 0.5) / 8

    def after(ranks: list[float]) -> float:
        wealth, worth = Wealth(SHARES), 1.0
        for number, rank in enumerate(ranks, 1):
            worth = wealth.play(on_rank(rank), number)
        return worth

    before = [float(given_ranks[place]) for place in places]
    assert np.mean([after([*before, float(rank)]) for rank in given_ranks]) == pytest.approx(after(before))


def test_after_a_long_quiet_time_bets_still_have_something_to_win_with() -> None:
    wealth = Wealth(SHARES)
    ranks = np.random.default_rng(0).uniform(size=5000)
    quiet = [wealth.play(on_rank(rank), number) for number, rank in enumerate(ranks, 1)]
    assert max(quiet) < 100
    steps = next(n for n in range(1, 200) if wealth.play(on_rank(0.01), 5000 + n) > 200)
    assert steps < 20 and abs(wealth.begun[wealth.best] - 5001) <= 3


@pytest.mark.parametrize("size", [5, 30, 100, 2000])
@pytest.mark.parametrize("alarms", [1, 3, 5])
@pytest.mark.parametrize("doubt", [0.0025, 0.1])
def test_the_likely_share_is_a_quantile_of_the_beta_distribution(size: int, alarms: int, doubt: float) -> None:
    expected = stats.beta.isf(doubt, alarms, size + 1 - alarms)
    assert likely_share(alarms / (size + 1), size, doubt) == pytest.approx(expected, abs=1e-9)


def test_a_threshold_that_stops_nothing_or_all() -> None:
    assert likely_share(0.001, 30, 0.01) < 1e-12 and likely_share(1.0, 30, 0.01) > 1 - 1e-9


def test_what_bets_look_like() -> None:
    best = {"higher": on_rank(0.01), "lower": on_rank(0.99), "crowded": on_rank(0.45)}
    assert {name: looks_like(int(np.argmax(factors))) for name, factors in best.items()} == {n: n for n in best}


def test_the_money_of_other_bets_is_refused() -> None:
    with pytest.raises(FlawsightError, match="begin anew"):
        Wealth((0.5,) * len(STEPS)).take([1.0], [1.0], [0], 3)
