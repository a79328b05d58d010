"""Distances to normal distributions, against SciPy and scikit-learn and by hand."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import mahalanobis, seuclidean
from scipy.stats import chi2
from sklearn.covariance import LedoitWolf
from sklearn.decomposition import PCA
from torch import Tensor

from flawsight.detectors.gaussian.distance import GaussianDistance, fit_gaussian, kept_components
from flawsight.metrics import chi_square_threshold


def correlated(count: int, channels: int, seed: int = 0) -> Tensor:
    """Vectors about a mean far from 0, of the same distribution whatever the seed; variances span four decades."""
    fixed, rng = np.random.default_rng(9), np.random.default_rng([1, seed])
    mix = fixed.normal(size=(channels, channels)) * np.logspace(0, -2, channels)
    return torch.tensor(5 + fixed.normal(size=channels) + rng.normal(size=(count, channels)) @ mix.T)


def by_scipy(good: np.ndarray, queries: np.ndarray, precision: np.ndarray) -> list[float]:
    return [mahalanobis(query, good.mean(0), precision) for query in queries]


@pytest.mark.parametrize(("count", "channels"), [(60, 8), (9, 8), (8, 8), (6, 30), (3, 5)])
def test_mahalanobis_with_ledoit_wolf(count: int, channels: int) -> None:
    good, queries = correlated(count, channels), correlated(20, channels, seed=1)
    expected = by_scipy(good.numpy(), queries.numpy(), LedoitWolf().fit(good.numpy()).precision_)
    normal = fit_gaussian(good)
    assert normal.distances(queries).numpy() == pytest.approx(expected, rel=1e-4)
    assert normal.dimensions == channels


def test_mahalanobis_with_the_empirical_covariance() -> None:
    good, queries = correlated(60, 8), correlated(20, 8, seed=1)
    expected = by_scipy(good.numpy(), queries.numpy(), np.linalg.inv(np.cov(good.numpy().T)))
    assert fit_gaussian(good, covariance="empirical").distances(queries).numpy() == pytest.approx(expected, rel=1e-4)


def test_standardised_and_euclidean() -> None:
    good, queries = correlated(30, 8), correlated(20, 8, seed=1)
    variances = good.numpy().var(0, ddof=1)
    standardised = [seuclidean(query, good.numpy().mean(0), variances) for query in queries.numpy()]
    assert fit_gaussian(good, "standardised").distances(queries).numpy() == pytest.approx(standardised, rel=1e-5)
    euclidean = torch.linalg.vector_norm(queries - good.mean(0), dim=1)
    assert torch.allclose(fit_gaussian(good, "euclidean").distances(queries), euclidean, rtol=1e-5)


def test_much_data_is_not_shrunk_and_little_is_a_ball() -> None:
    # With ever more data the shrunk covariance is the empirical one; with little, and a true covariance that is the
    # identity, nearly all of it is shrunk to a multiple of that.
    rng = np.random.default_rng(0)
    mix = np.linspace(1, 3, 6)[:, None] * rng.normal(size=(6, 6))
    many, queries = (torch.tensor(rng.normal(size=(count, 6)) @ mix) for count in (50_000, 20))
    shrunk, empirical = (fit_gaussian(many, covariance=name) for name in ("ledoit_wolf", "empirical"))
    assert torch.allclose(shrunk.distances(queries), empirical.distances(queries), rtol=0.01)
    few, queries = torch.tensor(rng.normal(size=(8, 200))), torch.tensor(rng.normal(size=(20, 200)))
    ratio = fit_gaussian(few).distances(queries) / fit_gaussian(few, "euclidean").distances(queries)
    assert float(ratio.max() / ratio.min()) < 1.05


def test_kept_components_by_hand() -> None:
    ratios = torch.tensor([0.6, 0.3, 0.06, 0.03, 0.01])  # cumulated: 0.6, 0.9, 0.96, 0.99, 1
    found = {
        (reduction, variance): list(range(5))[kept_components(ratios, reduction, variance)]
        for reduction in ("pca", "npca")
        for variance in (0.5, 0.7, 0.95, 0.98)
    }
    assert found == {
        ("pca", 0.5): [0],
        ("pca", 0.7): [0, 1],
        ("pca", 0.95): [0, 1, 2],
        ("pca", 0.98): [0, 1, 2, 3],
        ("npca", 0.5): [0, 1, 2, 3, 4],
        ("npca", 0.7): [0, 1, 2, 3, 4],
        ("npca", 0.95): [1, 2, 3, 4],
        ("npca", 0.98): [2, 3, 4],
    }
    assert kept_components(torch.tensor([0.5, 0.25]), "pca", 0.9) == slice(0, 2)  # never exceeded, by rounding


@pytest.mark.parametrize("reduction", ["pca", "npca"])
@pytest.mark.parametrize("variance", [0.9, 0.99])
@pytest.mark.parametrize("count", [60, 7])
def test_reductions_against_scikit_learn(reduction: str, variance: float, count: int) -> None:
    good, queries = correlated(count, 10), correlated(20, 10, seed=1)
    most = min(count - 1, 10)
    analysis = PCA(n_components=most).fit(good.numpy())
    kept = kept_components(torch.tensor(analysis.explained_variance_ratio_), reduction, variance)
    reduced, asked = (analysis.transform(values.numpy())[:, kept] for values in (good, queries))
    expected = by_scipy(reduced, asked, LedoitWolf().fit(reduced).precision_)
    normal = fit_gaussian(good, reduction=reduction, variance=variance)
    assert normal.distances(queries).numpy() == pytest.approx(expected, rel=1e-3)
    assert normal.dimensions == reduced.shape[1] < 10
    for distance, scale in (("standardised", reduced.std(0, ddof=1)), ("euclidean", 1.0)):
        found = fit_gaussian(good, distance, reduction=reduction, variance=variance).distances(queries)
        assert found.numpy() == pytest.approx(np.linalg.norm(asked / scale, axis=1), rel=1e-3)


def test_chi_square_holds_for_many_normal_vectors_and_not_for_few() -> None:
    unseen = correlated(20_000, 10, seed=1)
    rates = {
        count: fit_gaussian(correlated(count, 10), covariance="empirical").distances(unseen) for count in (20, 5000)
    }
    alarms = {
        count: float((distances > chi_square_threshold(10, 0.05)).double().mean()) for count, distances in rates.items()
    }
    assert alarms[5000] == pytest.approx(0.05, abs=0.01)
    assert alarms[20] > 0.2
    # Of N vectors the distance is not chi-square but Hotelling's, which tells how far off the threshold is.
    assert np.mean(chi2.sf(rates[5000].numpy() ** 2, 10)) == pytest.approx(0.5, abs=0.02)


DEGENERATE = {
    "one vector": correlated(1, 5),
    "equal vectors": torch.full((6, 5), 0.3),
    "zeros": torch.zeros(6, 5),
    "a constant channel": torch.cat([correlated(6, 4), torch.ones(6, 1)], dim=1),
    "two equal channels": correlated(20, 5)[:, [0, 0, 1, 2, 3]],
    "one channel": correlated(6, 1),
}


@pytest.mark.parametrize("case", DEGENERATE)
@pytest.mark.parametrize("distance", ["mahalanobis", "standardised", "euclidean"])
@pytest.mark.parametrize("covariance", ["ledoit_wolf", "empirical"])
@pytest.mark.parametrize("reduction", ["none", "pca", "npca"])
def test_nothing_breaks(case: str, distance: str, covariance: str, reduction: str) -> None:
    good = DEGENERATE[case]
    normal = fit_gaussian(good, distance, covariance, reduction)
    near, far = (normal.distances(good.mean(0, keepdim=True) + shift) for shift in (0.0, 3.0))
    assert torch.isfinite(far).all() and near < far
    assert all(torch.isfinite(values).all() and values.dtype == torch.float32 for values in normal.tensors().values())


def test_goes_through_tensors() -> None:
    normal, queries = fit_gaussian(correlated(6, 30)), correlated(5, 30, seed=1)
    again = GaussianDistance.of({f"a.{name}": values for name, values in normal.tensors().items()}, "a.")
    assert torch.equal(normal.distances(queries), again.distances(queries))
    assert max(values.numel() for values in normal.tensors().values()) == 30 * 5  # axes, not a 30 x 30 matrix
