"""The chi-square operating point: exact on normal data of known distribution, by simulation and by SciPy."""

import math

import numpy as np
import pytest
from scipy.stats import chi2

from flawsight.core import FlawsightError
from flawsight.metrics import chi_square_threshold


@pytest.mark.parametrize("dimensions", [1, 7, 320])
@pytest.mark.parametrize("rate", [0.3, 0.01, 1e-9])
def test_against_scipy(dimensions: int, rate: float) -> None:
    assert chi_square_threshold(dimensions, rate) == pytest.approx(math.sqrt(chi2.isf(rate, dimensions)))


def test_one_dimension_is_the_two_sided_normal_quantile() -> None:
    for sigma in range(1, 6):
        assert chi_square_threshold(1, math.erfc(sigma / math.sqrt(2))) == pytest.approx(sigma)


def test_normal_data_keep_the_rate() -> None:
    rng = np.random.default_rng(0)
    mix = rng.normal(size=(12, 12))
    points = rng.normal(size=(40_000, 12)) @ mix.T
    distances = np.sqrt(np.einsum("nd,de,ne->n", points, np.linalg.inv(mix @ mix.T), points))
    for rate in (0.3, 0.05, 0.01):
        error = math.sqrt(rate * (1 - rate) / len(points))
        assert np.mean(distances > chi_square_threshold(12, rate)) == pytest.approx(rate, abs=4 * error)


@pytest.mark.parametrize(("dimensions", "rate"), [(0, 0.1), (3, 0.0), (3, 1.0)])
def test_nonsense(dimensions: int, rate: float) -> None:
    with pytest.raises(FlawsightError):
        chi_square_threshold(dimensions, rate)
