import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flawsight.core import FlawsightError
from flawsight.metrics import OperatingPoint, one_a_part, operating_point, p_values

TIED = st.integers(0, 6).map(float)
ANY = st.floats(-1e6, 1e6)
RATES = st.sampled_from([0.001, 0.01, 0.05, 0.1, 0.29, 1 / 3, 0.5, 0.999]) | st.floats(1e-4, 0.9999)


def test_p_values_by_hand():
    assert p_values([5, 4, 2.5, 0], [1, 2, 3, 4]) == pytest.approx([1 / 5, 2 / 5, 3 / 5, 1])


@given(st.lists(TIED, min_size=1, max_size=40) | st.lists(ANY, min_size=1, max_size=40), st.data(), RATES)
def test_defective_by_threshold_is_defective_by_p_value(calibration, data, rate):
    point = operating_point(calibration, rate)
    scores = np.array([*calibration, *data.draw(st.lists(TIED | ANY, max_size=20))])
    p = p_values(scores, calibration)
    assert ((p <= point.rate) == (scores > point.threshold)).all()
    if point.is_supported:
        assert ((p <= rate) == (scores > point.threshold)).all()


@given(st.integers(1, 300), RATES)
def test_the_rate_is_the_largest_attainable_one(size, rate):
    point = operating_point(np.arange(size), rate)
    attainable = [alarms / (size + 1) for alarms in range(1, size + 1)]
    below = [value for value in attainable if value <= rate]
    assert point.is_supported == bool(below)
    assert point.rate == (max(below) if below else attainable[0])
    assert (point.requested_rate, point.calibration_size) == (rate, size)


@given(RATES | st.integers(2, 5000).map(lambda n: 1 / n))
def test_needed_images_is_the_smallest_sufficient_number(rate):
    needed = operating_point([0.0], rate).needed_images
    assert 1 / (needed + 1) <= rate
    assert needed <= 1 or 1 / needed > rate
    assert abs(needed - max(1, math.ceil(1 / Fraction(rate)) - 1)) <= 1


def test_needed_images_of_familiar_rates():
    needed = [operating_point([0.0], rate).needed_images for rate in (0.5, 0.1, 0.05, 0.01, 0.001, 1 / 49)]
    assert needed == [1, 9, 19, 99, 999, 48]


def test_too_few_images_fall_back_to_the_largest_score_and_say_so():
    point = operating_point([3.0, 1.0, 2.0], 0.01)
    assert point == OperatingPoint(requested_rate=0.01, rate=0.25, threshold=3.0, calibration_size=3)
    assert not point.is_supported and point.needed_images == 99
    assert operating_point(np.arange(99), 0.01).is_supported
    assert not operating_point(np.arange(98), 0.01).is_supported


def test_a_product_that_floating_point_rounds_down_loses_no_alarm():
    assert 0.29 * 100 < 29
    assert operating_point(np.arange(99), 0.29).rate == 0.29


@pytest.mark.parametrize(("size", "rate"), [(19, 0.05), (50, 0.1), (99, 0.01), (7, 0.3), (5, 0.01)])
@pytest.mark.parametrize("levels", [4, None])
def test_false_alarms_keep_to_the_rate(size, rate, levels):
    rng = np.random.default_rng(0)
    runs = 4000
    draws = rng.lognormal(size=(runs, size + 1)) if levels is None else rng.integers(0, levels, (runs, size + 1))
    points = [operating_point(row[:-1], rate) for row in draws]
    alarms = np.mean([row[-1] > point.threshold for row, point in zip(draws, points, strict=True)])
    promised = points[0].rate
    noise = 4 * math.sqrt(promised * (1 - promised) / runs)
    assert alarms <= promised + noise
    if levels is None:  # without ties the promise is met exactly, so the threshold is not timid either
        assert alarms >= promised - noise


def test_float32_scores_keep_the_equivalence():
    calibration = np.random.default_rng(1).random(50).astype(np.float32)
    point = operating_point(calibration, 0.1)
    assert ((p_values(calibration, calibration) <= point.rate) == (calibration > point.threshold)).all()


@pytest.mark.parametrize("rate", [0, 1, -0.1, 1.5, float("nan")])
def test_a_rate_outside_0_to_1_is_refused(rate):
    with pytest.raises(FlawsightError, match="between 0 and 1"):
        operating_point([1.0], rate)


@pytest.mark.parametrize(
    ("calibration", "message"),
    [([], "at least one"), ([1.0, np.nan], "NaN"), ([1.0, np.inf], "infinity"), ([[1.0]], "one-dimensional")],
)
def test_bad_calibration_is_explained(calibration, message):
    with pytest.raises(FlawsightError, match=message):
        operating_point(calibration, 0.1)
    with pytest.raises(FlawsightError, match=message):
        p_values([1.0], calibration)


def test_a_score_that_is_nan_has_no_p_value():
    with pytest.raises(FlawsightError, match="NaN"):
        p_values([np.nan], [1.0])


@given(st.lists(st.integers(0, 9), min_size=1, max_size=30), st.data())
def test_one_score_a_part_is_the_hierarchical_p_value_rounded_up(scores, data):
    """Against Lee, Barber and Willett's p-value, (1 + sum over parts of their share of scores >= s) / (parts + 1)."""
    parts = data.draw(st.lists(st.integers(0, 5), min_size=len(scores), max_size=len(scores)))
    made = one_a_part(scores, parts)
    names = sorted(set(parts))
    assert len(made) == len(names) and (np.diff(made) >= 0).all() and set(made) <= set(scores)
    for new in np.arange(-0.5, 10.5, 0.5):
        shares = [
            np.mean([score >= new for score, part in zip(scores, parts, strict=True) if part == one]) for one in names
        ]
        rounded_up = np.ceil(1 + np.sum(shares) - 1e-9) / (len(names) + 1)
        assert p_values([new], made)[0] == pytest.approx(rounded_up)


def test_scores_of_different_parts_stay_as_they_are():
    scores = np.random.default_rng(0).normal(size=30)
    assert np.array_equal(one_a_part(scores, np.arange(30)), np.sort(scores))
    assert np.array_equal(one_a_part(scores, [str(number) for number in range(30)]), np.sort(scores))
    with pytest.raises(FlawsightError, match="30 calibration scores, but the parts of 29"):
        one_a_part(scores, np.arange(29))


def test_the_stated_rate_holds_for_pictures_of_new_parts_and_not_if_pictures_are_counted():
    """Parts differ much, pictures of a part little, and some parts have many."""
    rng, rate, alarms = np.random.default_rng(5), 0.1, {"parts": [], "pictures": []}
    for _ in range(600):
        sizes = rng.choice([1, 2, 12], 20)
        scores = np.repeat(rng.gumbel(size=20), sizes) + 0.1 * rng.normal(size=sizes.sum())
        new = np.repeat(rng.gumbel(size=50), 3) + 0.1 * rng.normal(size=150)
        for name, known in (("parts", one_a_part(scores, np.repeat(np.arange(20), sizes))), ("pictures", scores)):
            alarms[name].append(np.mean(new > operating_point(known, rate).threshold))
    error = np.std(alarms["parts"]) / np.sqrt(600)
    assert np.mean(alarms["parts"]) <= rate + 3 * error
    assert np.mean(alarms["parts"]) >= 0.6 * rate  # and not by never alarming
    assert np.mean(alarms["pictures"]) > rate + 3 * error
