"""Surprise is -log of the share of held-out pixels that are higher, whatever the scale of the raw maps."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flawsight.scoring.calibration import MapCalibrator

STEP = -np.log(0.005) / 63
"""Between two knots the true share can be anything between theirs."""


def draw(kind: str, count: int = 40_000, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    draws = {
        "normal": rng.normal,
        "exponential": rng.exponential,
        "lognormal": rng.lognormal,
        "uniform": rng.random,
        "two humps": lambda size: np.where(rng.random(size) < 0.9, rng.normal(size=size), rng.normal(9, 1, size)),
    }
    return draws[kind](size=count).astype(np.float32)


KINDS = pytest.mark.parametrize("kind", ["normal", "exponential", "lognormal", "uniform", "two humps"])


@KINDS
def test_minus_log_tail_share(kind: str) -> None:
    values = draw(kind)
    surprise = MapCalibrator.of([values.reshape(-1, 20, 20)[i] for i in range(100)])
    held = np.sort(values)
    inside = held[: int(0.995 * len(held))][:: len(held) // 500]
    share = (held[None, :] >= inside[:, None]).mean(1)
    assert np.abs(surprise(inside) + np.log(share)).max() < STEP + 0.02
    for level in (0.5, 0.9, 0.99):
        assert surprise(np.quantile(held, level)) == pytest.approx(-np.log(1 - level), abs=STEP + 0.02)


@KINDS
def test_good_pixels_of_another_day_are_exponential(kind: str) -> None:
    new = MapCalibrator.of([draw(kind)])(draw(kind, seed=1))
    assert new.mean() == pytest.approx(1, abs=0.05)
    for threshold in (1, 3, 5):
        assert (new > threshold).mean() == pytest.approx(np.exp(-threshold), rel=0.2)


@KINDS
def test_linear_beyond_the_tail(kind: str) -> None:
    values = draw(kind).astype(np.float64)
    surprise = MapCalibrator.of([values])
    edge = np.sort(values)[int(0.995 * (len(values) - 1))]
    excess = (values[values > edge] - edge).mean()
    assert surprise(edge) == pytest.approx(-np.log(0.005), abs=1e-3)
    steps = np.array([1.0, 2, 10, 1000]) * excess
    assert np.allclose(surprise(edge + steps) - surprise(edge), steps / excess, rtol=1e-3)


def test_the_exponential_is_its_own_surprise() -> None:
    surprise = MapCalibrator.of([draw("exponential", 400_000)])
    places = np.linspace(0, 12, 100)
    assert np.allclose(surprise(places), places, atol=0.1, rtol=0.1)


@settings(max_examples=60)
@given(
    values=st.lists(st.floats(-1e3, 1e3, width=32), min_size=1, max_size=300),
    places=st.lists(st.floats(-2e3, 2e3, width=32), min_size=2, max_size=30),
)
def test_monotone_and_finite_on_anything(values: list[float], places: list[float]) -> None:
    surprise = MapCalibrator.of([np.array(values, np.float32)])
    found = surprise(np.sort(np.array(places)))
    assert found.dtype == np.float32 and np.isfinite(found).all()
    assert (found >= 0).all() and (np.diff(found) >= 0).all()


@KINDS
def test_scale_and_offset_of_the_raw_maps_do_not_matter(kind: str) -> None:
    values, queries = draw(kind, 5000).astype(np.float64), draw(kind, 200, seed=1).astype(np.float64) * 2
    plain = MapCalibrator.of([values])(queries)
    assert np.allclose(MapCalibrator.of([values * 64 + 1000])(queries * 64 + 1000), plain, rtol=1e-4, atol=1e-4)


def test_maps_of_any_shape_in_any_order() -> None:
    values = draw("normal", 4000)
    whole = MapCalibrator.of([values])
    parts = MapCalibrator.of(iter([values[3000:].reshape(10, 100), values[:3000].reshape(50, 60)]))
    assert np.array_equal(whole.knots, parts.knots) and whole.tail_scale == pytest.approx(parts.tail_scale)
    grid = draw("normal", 12, seed=2).reshape(3, 4)
    assert whole(grid).shape == (3, 4)
    before = values.copy()
    MapCalibrator.of([values])
    assert np.array_equal(values, before)


@pytest.mark.parametrize("level", [0.0, 3.0, -2.0])
def test_constant_maps(level: float) -> None:
    surprise = MapCalibrator.of([np.full((8, 8), level, np.float32)])
    assert surprise.tail_scale > 0
    found = surprise(np.array([level - 1, level, level + 1]))
    assert np.isfinite(found).all() and found[0] <= found[1] < found[2]
    assert np.ptp(surprise(np.full((4, 4), level))) == 0


def test_round_trip_from_its_knots() -> None:
    surprise = MapCalibrator.of([draw("lognormal")])
    again = MapCalibrator(tuple(float(repr(knot)) for knot in surprise.knots), float(repr(surprise.tail_scale)))
    queries = np.linspace(-1, 50, 200)
    assert np.array_equal(again(queries), surprise(queries))
    assert len(surprise.knots) == 64 and (np.diff(surprise.knots) >= 0).all()
