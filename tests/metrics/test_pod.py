"""The curve against independent oracles, its bounds by simulation, and what is said where no curve fits."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import chi2
from sklearn.linear_model import LogisticRegression

from flawsight.core import FlawsightError
from flawsight.metrics import Pod, pod_curve
from flawsight.metrics.pod import CRITICAL

SIZES = np.repeat([1.0, 2, 3, 4, 6, 9, 13, 18, 26], 12)
LOGIT_90 = np.log(9)


def drawn(a90: float, slope: float, rng: np.random.Generator, sizes: np.ndarray = SIZES) -> np.ndarray:
    odds = LOGIT_90 + slope * (np.log(sizes) - np.log(a90))
    return rng.random(len(sizes)) < 1 / (1 + np.exp(-odds))


def likelihood(curve: np.ndarray, sizes: np.ndarray, found: np.ndarray) -> float:
    odds = curve[0] + curve[1] * np.log(sizes)
    return float((found * odds - np.logaddexp(0, odds)).sum())


@pytest.mark.parametrize("seed", range(4))
def test_the_curve_is_that_of_an_unpenalised_logistic_regression(seed: int) -> None:
    found = drawn(8, 2.5, np.random.default_rng(seed))
    pod = pod_curve(SIZES, found)
    peer = LogisticRegression(C=np.inf, tol=1e-10, max_iter=10_000).fit(np.log(SIZES)[:, None], found)
    assert pod.outcome == "fitted"
    assert pod.slope == pytest.approx(peer.coef_[0, 0], rel=1e-4)
    assert pod.intercept == pytest.approx(peer.intercept_[0], rel=1e-4)
    assert pod.at(pod.a90) == pytest.approx(0.9)
    assert np.allclose(pod.at(SIZES), peer.predict_proba(np.log(SIZES)[:, None])[:, 1], atol=1e-4)


def test_the_bounds_are_where_the_likelihood_is_as_low_as_it_may_be() -> None:
    """The profile of the odds at a size, maximised by another optimiser over the slope that is left."""
    found = drawn(8, 2.5, np.random.default_rng(0))
    pod = pod_curve(SIZES, found)
    best = likelihood(np.array([pod.intercept, pod.slope]), SIZES, found)
    assert pytest.approx(chi2.ppf(0.9, 1), rel=1e-6) == CRITICAL

    def profile(size: float, share: float) -> float:
        odds = np.log(share / (1 - share))

        def unlikely(slope: np.ndarray) -> float:
            return -likelihood(np.array([odds - slope[0] * np.log(size), slope[0]]), SIZES, found)

        return 2 * (best + minimize(unlikely, [2.0], method="Nelder-Mead", options={"xatol": 1e-9}).fun)

    for size in (2.0, 6.0, 20.0):
        lower, upper = (float(bound[0]) for bound in pod.band([size]))
        assert lower < pod.at(size) < upper
        assert profile(size, lower) == pytest.approx(CRITICAL, abs=5e-3)
        assert profile(size, upper) == pytest.approx(CRITICAL, abs=5e-3)
    assert pod.a90_95 is not None and pod.a90 is not None and pod.a90_95 > pod.a90
    assert profile(pod.a90_95, 0.9) == pytest.approx(CRITICAL, abs=5e-3)


def test_the_bounds_are_those_of_a_grid_of_the_likelihood() -> None:
    found = drawn(6, 3, np.random.default_rng(1))
    pod = pod_curve(SIZES, found)
    assert pod.intercept is not None and pod.slope is not None
    intercepts = pod.intercept + np.linspace(-4, 4, 201)
    slopes = pod.slope + np.linspace(-2.5, 2.5, 201)
    grid = np.stack(np.meshgrid(intercepts, slopes, indexing="ij"), -1).reshape(-1, 2)
    odds = grid[:, :1] + grid[:, 1:] * np.log(SIZES)
    values = (found * odds - np.logaddexp(0, odds)).sum(axis=1)
    likely = grid[values >= values.max() - CRITICAL / 2]
    lower, upper = pod.band([5.0])
    at = 1 / (1 + np.exp(-(likely[:, 0] + likely[:, 1] * np.log(5.0))))
    assert at.min() == pytest.approx(lower[0], abs=0.01) and at.max() == pytest.approx(upper[0], abs=0.01)
    largest = np.exp(((LOGIT_90 - likely[:, 0]) / likely[:, 1]).max())
    assert pod.a90_95 == pytest.approx(largest, rel=0.02)


def test_the_upper_bound_holds_about_as_often_as_it_says() -> None:
    rng, held = np.random.default_rng(0), []
    for _ in range(150):
        pod = pod_curve(SIZES, drawn(8, 2.5, rng))
        held.append((pod.a90_95 or np.inf) >= 8)
    assert 0.89 <= np.mean(held) <= 0.995


def test_more_trials_tighten_the_bounds() -> None:
    widths = []
    for times in (1, 4, 16):
        sizes = np.tile(SIZES, times)
        lower, upper = pod_curve(sizes, drawn(8, 2.5, np.random.default_rng(2), sizes)).band([6.0])
        widths.append(float(upper[0] - lower[0]))
    assert widths[0] > 1.5 * widths[1] > 2.2 * widths[2]


def test_the_unit_of_length_does_not_matter() -> None:
    found = drawn(8, 2.5, np.random.default_rng(3))
    pixels, millimetres = pod_curve(SIZES, found), pod_curve(SIZES * 0.05, found)
    assert pixels.slope == pytest.approx(millimetres.slope)
    assert pixels.a90 and pixels.a90_95
    assert millimetres.a90 == pytest.approx(0.05 * pixels.a90)
    assert millimetres.a90_95 == pytest.approx(0.05 * pixels.a90_95, rel=1e-4)


@pytest.mark.parametrize(
    ("sizes", "found", "outcome", "between", "start"),
    [
        ([1, 2, 4, 6], [0, 0, 0, 1], "separated", (4, 6), 6),
        ([1, 2, 2, 4], [0, 0, 1, 1], "separated", (1, 4), 4),  # one size is both: no slope is steep enough
        ([1, 1, 2, 4], [0, 1, 1, 1], "separated", (1, 2), 2),
        ([1] * 10 + [2], [0] + [1] * 10, "separated", (1, 2), 1),  # nine in ten of the size in which it changes
        ([1, 2, 4, 4], [0, 0, 0, 1], "separated", None, None),  # the change may lie beyond
        ([1, 2, 4], [1, 1, 1], "all found", None, 1),
        ([1, 2, 4], [0, 0, 0], "all missed", None, None),
        ([1, 2, 4, 8], [1, 1, 0, 0], "no trend", None, None),
        ([1, 2, 4, 8] * 2, [1, 1, 0, 0, 0, 1, 1, 0], "no trend", None, None),
        ([1] * 10 + [2] * 10, [1] * 10 + [1] * 9 + [0], "no trend", None, 1),
    ],
)
def test_where_no_curve_fits(
    sizes: list, found: list, outcome: str, between: tuple | None, start: float | None
) -> None:
    pod = pod_curve(sizes, found)
    assert (pod.outcome, pod.between, pod.found_from) == (outcome, between, start)
    assert pod.a90 is pod.a90_95 is pod.intercept is None
    stand_in = pod.at([0.1, 1000.0])
    assert ((stand_in >= 0) & (stand_in <= 1)).all() and stand_in[0] <= stand_in[1]
    with pytest.raises(FlawsightError, match="no curve fits"):
        pod.band([2.0])


def test_nothing_is_said_beyond_what_was_tried() -> None:
    sizes = np.repeat([1.0, 2, 3, 4, 5], 40)
    beyond = pod_curve(sizes, drawn(20, 2, np.random.default_rng(0), sizes))
    assert beyond.outcome == "fitted" and beyond.a90 is None and beyond.a90_95 is None and beyond.found_from is None
    below = pod_curve(sizes, drawn(0.5, 1.5, np.random.default_rng(0), sizes))
    assert below.outcome == "fitted" and below.a90 == 1 == below.found_from
    flat = pod_curve(np.repeat([1.0, 2], 10), [0, 1] * 5 + [0, 1, 1, 1, 0, 1, 0, 1, 0, 1])
    assert flat.outcome == "fitted" and flat.a90_95 is None


def test_a_single_odd_trial_does_not_stop_the_fit() -> None:
    """Nearly separated: the steepest curves are found, too."""
    pod = pod_curve([1, 2, 3, 4, 4.1, 5, 6, 7], [0, 0, 0, 1, 0, 1, 1, 1])
    assert pod.outcome == "fitted" and pod.slope and pod.slope > 10 and 4 < pod.a90 < 5


@pytest.mark.parametrize(
    ("sizes", "found", "what"),
    [
        ([], [], "one length"),
        ([1, 2], [True], "one length"),
        ([0, 1], [0, 1], "above 0"),
        ([np.nan, 1], [0, 1], "finite"),
        ([1, 2], [0, 2], "True or False"),
    ],
)
def test_what_is_no_trial_is_refused(sizes: list, found: list, what: str) -> None:
    with pytest.raises(FlawsightError, match=what):
        pod_curve(sizes, found)
    with pytest.raises(FlawsightError, match="as many hits"):
        Pod((1.0,), (1, 2), (3,), "fitted")
