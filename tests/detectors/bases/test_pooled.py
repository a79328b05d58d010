"""Detectors of one vector per image, against scikit-learn."""

import numpy as np
import pytest
import torch
from sklearn.neighbors import NearestNeighbors
from sklearn.svm import OneClassSVM as Reference
from torch import Tensor

from flawsight.core import FlawsightError
from flawsight.detectors import KNearest, OneClassSVM


def maps(count: int, seed: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(count, *shape, generator=generator) + 3 for shape in [(5, 6, 7), (9, 3, 3)]]


GOOD, QUERIES = maps(30, 0), maps(12, 1)
POOLED = [[values.mean((2, 3)).numpy() for values in group] for group in (GOOD, QUERIES)]


@pytest.mark.parametrize("neighbours", [1, 2, 50])
def test_knn_is_that_of_scikit_learn_summed_over_levels(neighbours: int) -> None:
    expected = np.zeros(12)
    for good, queries in zip(*POOLED, strict=True):
        distances, _ = NearestNeighbors(n_neighbors=min(neighbours, 30)).fit(good).kneighbors(queries)
        expected += distances.mean(1)
    detector = KNearest(neighbours=neighbours).fit(GOOD)
    assert np.allclose(detector.image_scores(QUERIES), expected, rtol=1e-4)
    assert detector.anomaly_maps(QUERIES).shape == (12, 1, 1)


@pytest.mark.parametrize("nu", [0.1, 0.5])
@pytest.mark.parametrize("gamma", [None, 0.3])
def test_ocsvm_is_that_of_scikit_learn_summed_over_levels(nu: float, gamma: float | None) -> None:
    expected = np.zeros(12)
    for good, queries in zip(*POOLED, strict=True):
        reference = Reference(nu=nu, gamma="scale" if gamma is None else gamma).fit(good)
        expected -= reference.decision_function(queries) / (nu * len(good))  # LIBSVM's weights add up to that
    detector = OneClassSVM(nu=nu, gamma=gamma).fit(GOOD)
    assert np.allclose(detector.image_scores(QUERIES), expected, rtol=1e-4, atol=1e-5)


def test_ocsvm_scores_are_on_one_scale_however_many_images_there_were() -> None:
    """Or else scores of a calibration's folds, which learn from fewer, say nothing of those to come."""
    twice = [torch.cat([values, values]) for values in GOOD]
    once, again = (OneClassSVM(nu=0.2).fit(good).image_scores(QUERIES) for good in (GOOD, twice))
    assert torch.allclose(once, again, rtol=0.02)


def test_only_the_average_counts() -> None:
    detector = KNearest().fit(GOOD)
    turned = [values.flip(2).transpose(2, 3) for values in QUERIES]
    assert torch.allclose(detector.image_scores(turned), detector.image_scores(QUERIES), atol=1e-4)


def test_each_level_adds_to_the_score() -> None:
    alone = [KNearest().fit([good]).image_scores([query]) for good, query in zip(GOOD, QUERIES, strict=True)]
    assert torch.allclose(KNearest().fit(GOOD).image_scores(QUERIES), alone[0] + alone[1])


def test_only_vectors_are_held() -> None:
    assert KNearest().collected_bytes(8, 100, 10) == 4 * 8 * 10
    assert all(values.shape == (30, width) for values, width in zip(KNearest().embed(GOOD, 0), (5, 9), strict=True))


@pytest.mark.parametrize(
    ("detector", "message"),
    [
        (KNearest(neighbours=0), "neighbours"),
        (OneClassSVM(nu=0), "nu"),
        (OneClassSVM(nu=1.5), "nu"),
        (OneClassSVM(gamma=0), "gamma"),
    ],
)
def test_senseless_parameters(detector: KNearest | OneClassSVM, message: str) -> None:
    with pytest.raises(FlawsightError, match=message):
        detector.fit(GOOD)


def test_other_channels_than_learned_from() -> None:
    with pytest.raises(FlawsightError, match="channels"):
        KNearest().fit(GOOD).image_scores(QUERIES[::-1])
