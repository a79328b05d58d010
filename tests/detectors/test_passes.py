"""One pass over the images for many detectors is the same as a pass for each."""

import threading

import numpy as np
import pytest
import torch

from flawsight.detectors import PatchCore
from flawsight.detectors.passes import BATCH, LayerSet, batches, fit_detectors, map_images
from flawsight.features import Extractor, Layer
from flawsight.features.graph import catalogue

SETS: list[LayerSet] = [("layer1.1.relu_1",), ("layer2.0.bn1", "layer3.0.add"), ("layer2.0.bn1",), ("relu", "bn1")]


@pytest.fixture(scope="module")
def extractor() -> Extractor:
    return Extractor("resnet18", "random", image_size=64)


@pytest.fixture(scope="module")
def images() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (60 + 3 * i, 80, 3), dtype=np.uint8) for i in range(19)]


def detectors(sets: list[LayerSet]) -> dict[LayerSet, PatchCore]:
    return {layers: PatchCore(bank_size=40, max_descriptors=300) for layers in sets}


def test_together_as_apart(extractor: Extractor, images: list[np.ndarray]) -> None:
    together = detectors(SETS)
    fit_detectors(extractor, images, together)
    maps = map_images(extractor, images[:11], together)
    assert list(maps) == SETS
    for layers in SETS:
        alone = detectors([layers])
        fit_detectors(extractor, images, alone)
        features = extractor.extract(images, layers)
        plain = PatchCore(bank_size=40, max_descriptors=300).fit([features[name] for name in layers])
        assert torch.allclose(alone[layers].bank_, together[layers].bank_, atol=1e-4)
        assert torch.allclose(plain.bank_, together[layers].bank_, atol=1e-3)
        single = map_images(extractor, images[:11], {layers: together[layers]})[layers]
        assert single.dtype == np.float32 and single.shape == maps[layers].shape
        assert np.allclose(single, maps[layers], atol=1e-3)
        by_hand = extractor.extract(images[8:11], layers)
        found = together[layers].anomaly_maps([by_hand[name] for name in layers]).numpy()
        # Batches of another size round differently, and roots magnify that where a descriptor is itself in the bank.
        assert np.allclose(found, maps[layers][8:11], atol=5e-3)


def test_grids_are_those_of_the_finest_layer(extractor: Extractor, images: list[np.ndarray]) -> None:
    several = detectors(SETS)
    fit_detectors(extractor, images[:3], several)
    shapes = {layers: maps.shape for layers, maps in map_images(extractor, images[:2], several).items()}
    assert list(shapes.values()) == [(2, 16, 16), (2, 8, 8), (2, 8, 8), (2, 32, 32)]


def test_the_network_runs_once(extractor: Extractor, images: list[np.ndarray], monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, int]] = []
    extract = extractor.extract
    monkeypatch.setattr(
        extractor, "extract", lambda some, names: seen.append((len(some), len(names))) or extract(some, names)
    )
    steps: list[int] = []
    several = detectors(SETS)
    fit_detectors(extractor, images, several, steps.append)
    whole, rest = divmod(len(images), BATCH)
    assert sorted(seen) == sorted([*[(BATCH, 5)] * whole, (rest, 5)])
    assert steps == [*[BATCH] * whole, rest]
    map_images(extractor, images[:1], several, steps.append)
    assert steps[whole + 1 :] == [1]


def test_the_catalogue_is_made_before_work_is_spread(images: list[np.ndarray], monkeypatch: pytest.MonkeyPatch) -> None:
    """Tracing patches torch's modules for everyone: while other threads run the network, it would break them."""
    made_by: list[threading.Thread] = []

    def noted(*given: object) -> tuple[Layer, ...]:
        made_by.append(threading.current_thread())
        return catalogue(*given)

    monkeypatch.setattr("flawsight.features.extractor.catalogue", noted)
    fit_detectors(Extractor("resnet18", "random", image_size=64), images[:8], detectors(SETS[:1]))
    assert made_by == [threading.current_thread()]


def test_batches_say_which_images(extractor: Extractor, images: list[np.ndarray]) -> None:
    found = list(batches(extractor, images, SETS[:2], lambda indices, features: (indices, features)))
    assert [index for indices, _ in found for index in indices] == list(range(19))
    assert all(len(indices) <= BATCH for indices, _ in found)
    for indices, features in found:
        assert list(features) == SETS[:2]
        assert [len(values) for maps in features.values() for values in maps] == [len(indices)] * 3


def test_results_can_be_used_outside_of_the_pass(extractor: Extractor, images: list[np.ndarray]) -> None:
    several = detectors(SETS[:1])
    fit_detectors(extractor, images[:4], several)
    copy = several[SETS[0]].bank_.clone()
    copy += 1
    maps = map_images(extractor, images[:2], several)[SETS[0]]
    maps += 1
    assert maps.flags.owndata or maps.base is not None
