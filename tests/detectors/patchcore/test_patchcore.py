"""PatchCore: the whole recipe against numpy and scipy, its parameters, and the sample it collects."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist
from scipy.stats import chi2
from torch import Tensor

from flawsight.core import FlawsightError
from flawsight.data import folds
from flawsight.detectors import PatchCore, greedy_k_center
from flawsight.detectors.bases.descriptors import patch_descriptors


def features(count: int, channels: int = 5, side: int = 6, seed: int = 0) -> list[Tensor]:
    return [torch.randn(count, channels, side, side, generator=torch.Generator().manual_seed(seed))]


def flat(given: list[Tensor], **options: int) -> np.ndarray:
    descriptors = patch_descriptors(given, **options)
    return descriptors.reshape(-1, descriptors.shape[3]).numpy()


@pytest.mark.parametrize(
    "parameters", [{}, {"embed_dim": 8}, {"neighbourhood": 1}, {"neighbourhood": 5}, {"max_grid": 3}]
)
@pytest.mark.parametrize("neighbours", [1, 3])
def test_the_whole_recipe(parameters: dict, neighbours: int) -> None:
    good, queries = features(4), features(3, seed=1)
    options = {key: parameters[key] for key in parameters}
    all_of_them = flat(good, **options)
    bank = all_of_them[greedy_k_center(all_of_them, 30, 7)]
    side = parameters.get("max_grid", 6)
    distances = np.sort(cdist(flat(queries, **options), bank), axis=1)[:, :neighbours].mean(1).reshape(3, side, side)
    detector = PatchCore(bank_size=30, seed=7, neighbours=neighbours, **parameters).fit(good)
    assert np.array_equal(detector.bank_.numpy(), bank)
    assert np.allclose(detector.anomaly_maps(queries), distances, atol=1e-3)
    assert np.allclose(detector.image_scores(queries), distances.max((1, 2)), atol=1e-3)


def test_squared() -> None:
    plain, squared = (PatchCore(bank_size=30, squared=squared).fit(features(3)) for squared in (False, True))
    queries = features(2, seed=1)
    assert torch.allclose(squared.anomaly_maps(queries), plain.anomaly_maps(queries) ** 2)
    assert torch.allclose(squared.image_scores(queries), plain.image_scores(queries) ** 2)


def test_the_bank_is_all_there_is_when_there_is_no_more() -> None:
    detector = PatchCore(bank_size=1000).fit(features(3))
    assert detector.bank_.shape == (3 * 36, 5)
    assert detector.anomaly_maps(features(3)).max() < 5e-3


def test_a_projection_only_chooses() -> None:
    good = features(8, channels=120)
    descriptors = flat(good)
    full, projected = (
        PatchCore(bank_size=30, neighbourhood=3, projection_dim=dims, seed=1).fit(good) for dims in (None, 24)
    )
    assert projected.bank_.shape == (30, 120)
    rows = {row.tobytes() for row in descriptors}
    assert all(row.tobytes() in rows for row in projected.bank_.numpy())
    assert not torch.equal(full.bank_, projected.bank_)
    again = PatchCore(bank_size=30, projection_dim=24, seed=1).fit(good)
    assert torch.equal(again.bank_, projected.bank_)
    covers = [cdist(descriptors, detector.bank_.numpy()).min(1).max() for detector in (full, projected)]
    assert covers[1] < 1.3 * covers[0]
    for dims in (120, 500):
        assert torch.equal(PatchCore(bank_size=30, projection_dim=dims, seed=1).fit(good).bank_, full.bank_)


def test_a_projection_is_random_and_linear() -> None:
    detector = PatchCore(projection_dim=64, seed=3)
    identity = detector._projected(torch.eye(400))
    assert identity.shape == (400, 64)
    assert identity.abs().max() <= 400**-0.5
    assert abs(float(identity.mean())) < 3 * (400**-0.5 / 3**0.5) / (400 * 64) ** 0.5
    assert float(identity.std()) == pytest.approx(400**-0.5 / 3**0.5, rel=0.02)
    values = features(1, channels=400)[0].flatten(2)[0].T
    assert torch.allclose(detector._projected(values), values @ identity, atol=1e-5)


def numbered(images: int, places: int) -> list[Tensor]:
    """One channel, and each descriptor is its own number."""
    return [torch.arange(images * places, dtype=torch.float32).reshape(images, 1, 1, places)]


def sample(images: int, places: int, size: int, seed: int, batch: int) -> np.ndarray:
    detector = PatchCore(bank_size=size, max_descriptors=size, neighbourhood=1, seed=seed)
    return detector.fit([[part] for part in numbered(images, places)[0].split(batch)]).bank_.numpy().ravel().astype(int)


def test_the_sample_is_uniform() -> None:
    images, places, size, runs = 10, 12, 24, 3000
    counts = np.zeros(images * places)
    for seed in range(runs):
        found = sample(images, places, size, seed, batch=1 + seed % 4)
        assert len(found) == len(set(found.tolist())) == size
        counts[found] += 1
    share = size / (images * places)
    spread = runs * share * (1 - share)
    # Fixed-size samples: the squares sum to a chi-squared of one degree less, up to the factor (n - 1) / n.
    for totals, variance in [
        (counts, spread),
        (counts.reshape(images, places).sum(1), spread * places * (images - 1) * places / (images * places - 1)),
    ]:
        degrees = len(totals) - 1
        statistic = ((totals - totals.mean()) ** 2).sum() / variance * degrees / (degrees + 1)
        assert 0.001 < chi2.cdf(statistic, degrees) < 0.999


@pytest.mark.parametrize("images", range(2, 30))
def test_the_sample_does_not_depend_on_the_batches(images: int) -> None:
    for size in (20, 64):
        expected = sample(images, 50, size, images, batch=images)
        for batch in (1, 3, 7):
            assert np.array_equal(sample(images, 50, size, images, batch), expected)


def ahead(images: int, lead: int, seed: int) -> PatchCore:
    """A sample of 100 numbers, two images at a time, when reading is `lead` batches ahead of taking."""
    detector = PatchCore(bank_size=100, max_descriptors=100, neighbourhood=1, seed=seed)
    detector.reset()
    waiting = []
    for number, part in enumerate(numbered(images, 40)[0].split(2)):
        waiting.append(detector.embed([part], 2 * number))
        if len(waiting) > lead:
            detector.update(waiting.pop(0))
    for batch in waiting:
        detector.update(batch)
    return detector


def bank(detector: PatchCore) -> list[int]:
    return detector.finalize().bank_.ravel().int().tolist()


@pytest.mark.parametrize("images", [8, 11, 16, 25])
@pytest.mark.parametrize("seed", range(10))
def test_reading_ahead_changes_nothing(images: int, seed: int) -> None:
    """Batches are read side by side: whether one is read before or after another was taken is chance."""
    detectors = [ahead(images, lead, seed) for lead in (0, 1, 2, 5)]
    for part in [(), *folds(images, 5, seed)]:
        first, *others = [bank(detector.leave_out(part)) for detector in detectors]
        assert all(other == first for other in others), part
    first, *others = map(bank, detectors)
    assert all(other == first for other in others)


@pytest.mark.parametrize("seed", range(10))
def test_the_sample_without_some_images(seed: int) -> None:
    images, places, size = 40, 25, 200
    detector = PatchCore(bank_size=size, max_descriptors=size, neighbourhood=1, seed=seed)
    detector.reset()
    for batch in numbered(images, places)[0].split(2):
        detector.partial_fit([batch])
    everyone = bank(detector.leave_out(()))
    assert everyone == sample(images, places, size, seed, batch=2).tolist()
    for part in folds(images, 8, seed):
        found = bank(detector.leave_out(part))
        assert len(found) == len(set(found)) == size
        assert not {number // places for number in found} & set(part)
        # Who was drawn stays drawn: others only take the places of those who left.
        assert set(found) >= {number for number in everyone if number // places not in part}
    assert bank(detector) == everyone


def test_the_estimate_of_what_is_held_is_not_passed() -> None:
    for parameters in ({}, {"embed_dim": 3}, {"max_grid": 6}, {"max_descriptors": None}):
        detector = PatchCore(**{"bank_size": 50, "max_descriptors": 100, **parameters})
        for count in (1, 4, 15):
            detector.reset()
            for number in range(count):
                detector.partial_fit([torch.randn(2, 4, 12, 12, generator=torch.Generator().manual_seed(number))])
                held = sum(rows.descriptors.nbytes for rows in detector._sample)
                assert 0 < held <= detector.collected_bytes(4, 144, 2 * (number + 1)), parameters
        assert held == detector.collected_bytes(4, 144, 30) or detector.max_descriptors


def test_memory_is_bounded() -> None:
    detector = PatchCore(bank_size=50, max_descriptors=100, neighbourhood=1)
    detector.reset()
    for _ in range(60):
        detector.partial_fit([torch.randn(2, 4, 20, 20)])
        held = {
            rows.descriptors.untyped_storage().data_ptr(): rows.descriptors.untyped_storage().nbytes()
            for rows in detector._sample
        }
        assert sum(held.values()) <= 3 * 100 * 4 * 4
    assert detector.finalize().bank_.shape == (50, 4)
    assert not detector._sample


def test_without_a_maximum_all_are_kept() -> None:
    given = numbered(9, 30)
    detector = PatchCore(bank_size=10_000, max_descriptors=None, neighbourhood=1).fit(given)
    assert np.array_equal(detector.bank_.numpy().ravel(), np.arange(270))


def test_a_rare_kind_of_patch_stays_in_the_bank() -> None:
    good = [torch.randn(20, 4, 8, 8, generator=torch.Generator().manual_seed(0)) * 0.1]
    good[0][13, :, 4, 4] = 30
    scores = PatchCore(bank_size=20, neighbourhood=1).fit(good).image_scores(good)
    assert scores[13] < 2


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"bank_size": 0}, "1 or more"),
        ({"neighbours": 0}, "1 or more"),
        ({"neighbourhood": 2}, "neighbourhood 2 must be odd"),
        ({"neighbourhood": -1}, "must be odd"),
        ({"max_grid": 0}, "max_grid 0 must be 1 or more"),
        ({"max_grid": -3}, "max_grid -3 must be 1 or more"),
        ({"bank_size": 100, "max_descriptors": 99}, "max_descriptors 99 is below bank_size 100"),
    ],
)
def test_bad_parameters(parameters: dict, message: str) -> None:
    with pytest.raises(FlawsightError, match=message):
        PatchCore(**parameters).fit(features(2))


def test_other_channels_than_in_fit() -> None:
    with pytest.raises(FlawsightError, match="descriptors have 7 values, the memory bank 5"):
        PatchCore(bank_size=10).fit(features(2)).anomaly_maps(features(2, channels=7))


def test_restoring_replaces_what_was_learned() -> None:
    first, second = PatchCore(bank_size=10).fit(features(2)), PatchCore(bank_size=10).fit(features(2, seed=5))
    queries = features(2, seed=1)
    assert not torch.equal(first.anomaly_maps(queries), second.anomaly_maps(queries))
    second.load_state_dict(first.state_dict())
    assert torch.equal(first.anomaly_maps(queries), second.anomaly_maps(queries))
