"""The Gaussian detector: sums over levels, distributions per position, and which of them answers what."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import mahalanobis
from torch import Tensor
from torch.nn import functional

from flawsight.core import FlawsightError
from flawsight.detectors import Gaussian
from flawsight.detectors.gaussian.distance import fit_gaussian


def maps(count: int, *shapes: tuple[int, int, int], seed: int = 0) -> list[Tensor]:
    rng = np.random.default_rng([seed, 3])
    return [torch.tensor(3 + rng.normal(size=(count, *shape)), dtype=torch.float32) for shape in shapes]


TWO = ((5, 6, 4), (7, 3, 2))


@pytest.mark.parametrize("distance", ["mahalanobis", "standardised", "euclidean"])
@pytest.mark.parametrize("reduction", ["none", "pca", "npca"])
def test_the_score_is_the_sum_over_levels_of_pooled_features(distance: str, reduction: str) -> None:
    good, queries = maps(20, *TWO), maps(4, *TWO, seed=1)
    detector = Gaussian(distance, reduction=reduction, variance=0.8).fit(good)
    expected = sum(
        fit_gaussian(level.double().mean((2, 3)), distance, reduction=reduction, variance=0.8).distances(
            asked.double().mean((2, 3))
        )
        for level, asked in zip(good, queries, strict=True)
    )
    assert torch.allclose(detector.image_scores(queries), expected.float(), rtol=1e-4)
    single = sum(
        Gaussian(distance, reduction=reduction, variance=0.8).fit([a]).image_scores([b])
        for a, b in zip(good, queries, strict=True)
    )
    assert torch.allclose(detector.image_scores(queries), single, rtol=1e-4)


@pytest.mark.parametrize("count", [1, 3, 40])
def test_maps_against_a_loop_over_positions(count: int) -> None:
    good, queries = maps(count, (5, 6, 4), seed=2), maps(3, (5, 6, 4), seed=1)
    found = Gaussian(dims=None).fit(good).anomaly_maps(queries)
    assert found.shape == (3, 6, 4)
    for y in range(6):
        for x in range(4):
            here = good[0][:, :, y, x].double().numpy()
            covariance = (np.cov(here.T) if count > 1 else 0) + 0.01 * np.eye(5)
            for query, one in zip(queries[0][:, :, y, x].double().numpy(), found[:, y, x], strict=True):
                assert float(one) == pytest.approx(
                    mahalanobis(query, here.mean(0), np.linalg.inv(covariance)), rel=1e-3
                )


def test_layers_stand_side_by_side_on_the_finest_grid() -> None:
    good, queries = maps(20, *TWO), maps(3, *TWO, seed=1)
    joined = [torch.cat([a, functional.interpolate(b, (6, 4), mode="bilinear")], 1) for a, b in (good, queries)]
    expected = Gaussian(dims=None).fit(joined[:1]).anomaly_maps(joined[1:])
    assert torch.allclose(Gaussian(dims=None).fit(good).anomaly_maps(queries), expected, rtol=1e-4)
    swapped = Gaussian(dims=None).fit(good[::-1]).anomaly_maps(queries[::-1])
    assert torch.allclose(swapped, expected, rtol=1e-3)


def test_large_grids_are_pooled() -> None:
    good, queries = maps(20, (3, 40, 24)), maps(3, (3, 40, 24), seed=1)
    found = Gaussian(max_grid=10).fit(good).anomaly_maps(queries)
    pooled = [[functional.avg_pool2d(values, 4) for values in group] for group in (good, queries)]
    assert found.shape == (3, 10, 6)
    assert torch.allclose(found, Gaussian().fit(pooled[0]).anomaly_maps(pooled[1]), rtol=1e-4)
    assert Gaussian(max_grid=None).fit(good).anomaly_maps(queries).shape == (3, 40, 24)


def test_channels_are_drawn_by_the_seed() -> None:
    good, queries = maps(20, *TWO), maps(3, *TWO, seed=1)
    detector = Gaussian(dims=4).fit(good)
    assert len(detector.kept_) == 4 == len(set(detector.kept_.tolist())) and int(detector.kept_.max()) < 12
    assert torch.equal(detector.anomaly_maps(queries), Gaussian(dims=4).fit(good).anomaly_maps(queries))
    assert {tuple(Gaussian(dims=4, seed=seed).fit(good).kept_.tolist()) for seed in range(3)} != {detector.kept_}
    other = [values.clone() for values in queries]
    left_out = [channel for channel in range(12) if channel not in detector.kept_.tolist()]
    for channel in left_out:
        (other[0] if channel < 5 else other[1])[:, channel if channel < 5 else channel - 5] += 9
    assert torch.equal(detector.anomaly_maps(queries), detector.anomaly_maps(other))
    assert (detector.image_scores(other) > detector.image_scores(queries)).all()  # the score reads every channel


def test_layers_of_which_no_channel_is_drawn() -> None:
    for seed in range(6):
        detector = Gaussian(dims=1, seed=seed).fit(maps(20, *TWO))
        assert detector.anomaly_maps(maps(3, *TWO, seed=1)).shape == (3, 6, 4)


def test_which_distribution_answers() -> None:
    good, queries = maps(20, *TWO), maps(3, *TWO, seed=1)
    pooled, by_map, without = (Gaussian(**p).fit(good) for p in ({}, {"score": "map"}, {"maps": "none"}))
    assert pooled.tags.image_score and pooled.tags.localizes
    assert not by_map.tags.image_score and by_map.tags.localizes
    assert without.tags.image_score and not without.tags.localizes
    assert torch.equal(by_map.image_scores(queries), pooled.anomaly_maps(queries).amax((1, 2)))
    assert torch.equal(without.anomaly_maps(queries), pooled.image_scores(queries)[:, None, None])
    assert not [name for name in by_map.state_dict() if name.startswith("level")]
    assert "whitening" not in without.state_dict()
    for detector, parameters in ((by_map, {"score": "map"}), (without, {"maps": "none"})):
        again = Gaussian(**parameters).load_state_dict(detector.state_dict())
        assert torch.equal(again.anomaly_maps(queries), detector.anomaly_maps(queries))
        assert torch.equal(again.image_scores(queries), detector.image_scores(queries))


@pytest.mark.parametrize("parameters", [{}, {"score": "map"}, {"maps": "none"}])
def test_memory_is_estimated(parameters: dict) -> None:
    good = maps(6, (9, 8, 8))
    detector = Gaussian(dims=4, max_grid=4, **parameters)
    held = detector.embed(good, 0)
    bookkeeping = held[0].numel() * held[0].element_size()
    assert sum(v.numel() * v.element_size() for v in held) - bookkeeping == detector.collected_bytes(9, 64, 6)


def test_a_cheaper_one_for_ranking() -> None:
    coarse = Gaussian(distance="euclidean", dims=None).low_fidelity()
    assert (coarse.distance, coarse.dims, coarse.max_grid) == ("euclidean", 32, 16)
    assert (Gaussian(dims=5, max_grid=7).low_fidelity().dims, Gaussian(dims=5, max_grid=7).low_fidelity().max_grid) == (
        5,
        7,
    )


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"distance": "cosine"}, "distance 'cosine'"),
        ({"covariance": "oas"}, "covariance"),
        ({"reduction": "ica"}, "reduction"),
        ({"score": "best"}, "score"),
        ({"maps": "all"}, "maps"),
        ({"score": "map", "maps": "none"}, "needs maps"),
        ({"variance": 1.0}, "variance"),
        ({"dims": 0}, "dims"),
        ({"max_grid": 0}, "max_grid"),
        ({"ridge": 0.0}, "ridge"),
    ],
)
def test_nonsense(parameters: dict, message: str) -> None:
    with pytest.raises(FlawsightError, match=message):
        Gaussian(**parameters).fit(maps(3, (4, 5, 5)))


def test_other_features_than_learned() -> None:
    detector = Gaussian().fit(maps(5, (4, 6, 6)))
    with pytest.raises(FlawsightError, match="grid"):
        detector.anomaly_maps(maps(2, (4, 8, 8)))
    for wrong in (maps(2, (5, 6, 6)), maps(2, *TWO)):
        for answer in (detector.anomaly_maps, detector.image_scores):
            with pytest.raises(FlawsightError, match="channels"):
                answer(wrong)
