"""One pass over the images for many detectors is the same as a pass for each."""

import threading
from pathlib import Path
from typing import Self

import numpy as np
import pytest
import torch

from flawsight.detectors import DetectorTags, FeatureMaps, PatchCore
from flawsight.features import INPUT, Extractor, Layer
from flawsight.features.graph import catalogue
from flawsight.inference.feature_pass import BATCH, LayerSet, MemberSpec, fit_detectors, iter_features, predict_raw
from flawsight.training import TrainingContext

SETS: list[LayerSet] = [("layer1.1.relu_1",), ("layer2.0.bn1", "layer3.0.add"), ("layer2.0.bn1",), ("relu", "bn1")]


@pytest.fixture(scope="module")
def extractor() -> Extractor:
    return Extractor("resnet18", "random", image_size=64)


@pytest.fixture(scope="module")
def images() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (60 + 3 * i, 80, 3), dtype=np.uint8) for i in range(19)]


def readings(sets: list[LayerSet]) -> list[MemberSpec]:
    return [MemberSpec(layers, PatchCore(bank_size=40, max_descriptors=300)) for layers in sets]


def test_together_as_apart(extractor: Extractor, images: list[np.ndarray]) -> None:
    together = readings(SETS)
    fit_detectors(extractor, images, together)
    found = predict_raw(extractor, images[:11], together)
    for reading, (maps, scores) in zip(together, found, strict=True):
        layers, detector, _ = reading
        (alone,) = readings([layers])
        fit_detectors(extractor, images, [alone])
        features = extractor.extract(images, layers)
        plain = PatchCore(bank_size=40, max_descriptors=300).fit([features[name] for name in layers])
        assert torch.allclose(alone.detector.bank_, detector.bank_, atol=1e-4)
        assert torch.allclose(plain.bank_, detector.bank_, atol=1e-3)
        (single,) = predict_raw(extractor, images[:11], [reading])
        assert single.maps.dtype == np.float32 and single.maps.shape == maps.shape
        assert np.allclose(single.maps, maps, atol=1e-3)
        by_hand = extractor.extract(images[8:11], layers)
        expected = detector.anomaly_maps([by_hand[name] for name in layers]).numpy()
        # Batches of another size round differently, and roots magnify that where a descriptor is itself in the bank.
        assert np.allclose(expected, maps[8:11], atol=5e-3)
        assert scores is None and single.scores is None


def test_several_may_read_the_same_layers(extractor: Extractor, images: list[np.ndarray]) -> None:
    layers = SETS[1]
    both = [MemberSpec(layers, PatchCore(bank_size=40)), MemberSpec(layers, PatchCore(bank_size=40, neighbours=3))]
    fit_detectors(extractor, images, both)
    assert torch.equal(both[0].detector.bank_, both[1].detector.bank_)
    nearest, mean = predict_raw(extractor, images[:3], both)
    assert nearest.maps.shape == mean.maps.shape and (nearest.maps <= mean.maps + 1e-5).all()
    assert not np.allclose(nearest.maps, mean.maps)


class Brightness(PatchCore):
    """Scores an image by the sum of its features, whatever it learned."""

    @property
    def tags(self) -> DetectorTags:
        return DetectorTags(image_score=True)

    def image_scores(self, features: FeatureMaps) -> torch.Tensor:
        return features[0].flatten(1).sum(1)


def test_scores_of_its_own_come_beside_the_maps(extractor: Extractor, images: list[np.ndarray]) -> None:
    both = [MemberSpec(SETS[2], Brightness(bank_size=40)), *readings([SETS[2]])]
    fit_detectors(extractor, images, both)
    own, usual = predict_raw(extractor, images[:5], both)
    features = extractor.extract(images[:5], SETS[2])[SETS[2][0]].double()
    assert own.scores is not None and own.scores.dtype == np.float32
    assert np.allclose(own.scores, features.sum((1, 2, 3)).numpy(), rtol=1e-3, atol=0.05)
    assert usual.scores is None and own.maps.shape == usual.maps.shape == (5, 8, 8)


def test_pictures_are_read_as_if_they_were_a_layer(extractor: Extractor, images: list[np.ndarray]) -> None:
    """They need no pass of the network, and stand beside layers where both are asked for."""
    both: list[LayerSet] = [(INPUT,), SETS[0]]
    for sets in (both[:1], both):
        for indices, features in iter_features(extractor, images, sets, lambda *given: given):
            assert torch.equal(features[INPUT,][0], extractor.pixels([images[i] for i in indices]))
            assert all(values.min() >= 0 and values.max() <= 1 for values in features[INPUT,])


class Noted(PatchCore):
    """Says what it was given to keep its training in."""

    def finalize(self, training: TrainingContext | None = None) -> Self:
        self.training_ = training
        return super().finalize(training)


def test_each_detector_gets_its_own_training(extractor: Extractor, images: list[np.ndarray], tmp_path: Path) -> None:
    both = [MemberSpec(layers, Noted(bank_size=5)) for layers in SETS[:2]]
    trainings = [TrainingContext(tmp_path / "a"), TrainingContext(tmp_path / "b")]
    fit_detectors(extractor, images[:4], both, trainings=trainings)
    assert [reading.detector.training_ for reading in both] == trainings
    fit_detectors(extractor, images[:4], both)
    assert [reading.detector.training_ for reading in both] == [TrainingContext(), TrainingContext()]


def test_grids_are_those_of_the_finest_layer(extractor: Extractor, images: list[np.ndarray]) -> None:
    several = readings(SETS)
    fit_detectors(extractor, images[:3], several)
    shapes = [found.maps.shape for found in predict_raw(extractor, images[:2], several)]
    assert shapes == [(2, 16, 16), (2, 8, 8), (2, 8, 8), (2, 32, 32)]


def test_the_network_runs_once(extractor: Extractor, images: list[np.ndarray], monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, int]] = []
    extract = extractor.extract
    monkeypatch.setattr(
        extractor, "extract", lambda some, names: seen.append((len(some), len(names))) or extract(some, names)
    )
    steps: list[float] = []
    several = readings(SETS)
    fit_detectors(extractor, images, several, steps.append)
    whole, rest = divmod(len(images), BATCH)
    assert sorted(seen) == sorted([*[(BATCH, 5)] * whole, (rest, 5)])
    assert steps[: whole + 1] == [*[BATCH] * whole, rest]
    assert sum(steps[whole + 1 :]) == len(images)  # while they learn
    steps.clear()
    predict_raw(extractor, images[:1], several, steps.append)
    assert steps == [1]


def test_the_catalogue_is_made_before_work_is_spread(images: list[np.ndarray], monkeypatch: pytest.MonkeyPatch) -> None:
    """Tracing patches torch's modules for everyone: while other threads run the network, it would break them."""
    made_by: list[threading.Thread] = []

    def noted(*given: object) -> tuple[Layer, ...]:
        made_by.append(threading.current_thread())
        return catalogue(*given)

    monkeypatch.setattr("flawsight.features.extractor.catalogue", noted)
    fit_detectors(Extractor("resnet18", "random", image_size=64), images[:8], readings(SETS[:1]))
    assert made_by == [threading.current_thread()]


def test_batches_say_which_images(extractor: Extractor, images: list[np.ndarray]) -> None:
    found = list(iter_features(extractor, images, SETS[:2], lambda indices, features: (indices, features)))
    assert [index for indices, _ in found for index in indices] == list(range(19))
    assert all(len(indices) <= BATCH for indices, _ in found)
    for indices, features in found:
        assert list(features) == SETS[:2]
        assert [len(values) for maps in features.values() for values in maps] == [len(indices)] * 3


def test_results_can_be_used_outside_of_the_pass(extractor: Extractor, images: list[np.ndarray]) -> None:
    several = readings(SETS[:1])
    fit_detectors(extractor, images[:4], several)
    copy = several[0].detector.bank_.clone()
    copy += 1
    maps = predict_raw(extractor, images[:2], several)[0].maps
    maps += 1
    assert maps.flags.owndata or maps.base is not None
