"""The autoencoder, its network and its connected-component score."""

import numpy as np
import pytest
import torch
import torchvision
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from torch import Tensor

from flawsight.core import FlawsightError
from flawsight.detectors import Autoencoder, make_detector
from flawsight.detectors.autoencoder.components import component_score
from flawsight.detectors.autoencoder.network import ResNetAutoencoder

SMALL = {"side": 32, "width": 4, "latent": 4, "epochs": 15, "learning_rate": 0.01, "patience": None}


def pictures(count: int, seed: int = 0) -> Tensor:
    """Stripes of varying contrast."""
    generator = torch.Generator().manual_seed(seed)
    stripes = torch.sin(torch.arange(32) * 0.6).expand(3, 32, 32)
    contrast = 0.1 + 0.1 * torch.rand(count, 1, 1, 1, generator=generator)
    return 0.5 + contrast * stripes + 0.005 * torch.randn(count, 3, 32, 32, generator=generator)


def by_every_threshold(values: np.ndarray, least_area: float) -> float:
    found = []
    for threshold in values.ravel():
        labels, count = ndimage.label(values >= threshold, structure=np.ones((3, 3)))
        if np.bincount(labels.ravel(), minlength=count + 1)[1:].max() >= least_area * values.size:
            found.append(threshold)
    return max(found)


@given(
    st.integers(0, 10**6), st.integers(1, 9), st.integers(1, 9), st.floats(0.001, 1), st.sampled_from([3, 10, 10**6])
)
@settings(max_examples=100)
def test_component_score_is_the_best_of_every_threshold(seed: int, h: int, w: int, area: float, values: int) -> None:
    drawn = np.random.default_rng(seed).integers(0, values, (h, w)).astype(np.float32)
    assert component_score(drawn, area) == by_every_threshold(drawn, area)


def test_regions_that_touch_at_a_corner_are_one() -> None:
    diagonal = np.eye(4, dtype=np.float32)
    assert component_score(diagonal, 4 / 16) == 1
    assert component_score(diagonal, 5 / 16) == 0
    assert component_score(diagonal[:, ::2], 2 / 8) == 0  # two pixels apart are not


def test_a_single_hot_pixel_matters_only_where_it_may() -> None:
    values = np.zeros((20, 20), np.float32)
    values[3, 3], values[10:12, 10:12] = 9, 5
    assert component_score(values, 1 / 400) == 9
    assert component_score(values, 2 / 400) == 5
    assert component_score(values, 5 / 400) == 0


def test_the_encoder_is_a_resnet_18_at_full_width() -> None:
    trunk = torchvision.models.resnet18(weights=None)
    expected = sum(values.numel() for name, values in trunk.named_parameters() if not name.startswith("fc"))
    network = ResNetAutoencoder(side=224, width=64, latent=32)
    assert sum(values.numel() for values in network.encoder.parameters()) == expected + 512 * 32 * 7 * 7


@pytest.mark.parametrize("side", [32, 64, 96])
def test_the_reconstruction_has_the_size_of_the_image_and_passes_a_short_vector(side: int) -> None:
    network = ResNetAutoencoder(side, 4, 6).eval()
    images = torch.rand(2, 3, side, side)
    assert network.encoder(images).shape == (2, 6, 1, 1)
    reconstructed = network(images)
    assert reconstructed.shape == images.shape and reconstructed.min() >= 0 and reconstructed.max() <= 1


def test_training_lowers_the_loss_and_reconstructs() -> None:
    detector = Autoencoder(**SMALL).fit([pictures(24)])
    assert detector.losses_[-1] < 0.5 * detector.losses_[0]
    grey = (pictures(8, 1) - 0.5).square().sum(1).mean()
    assert detector.image_scores([pictures(8, 1)]).mean() < 0.5 * grey


@pytest.mark.parametrize("score", ["mean", "component"])
def test_a_planted_defect_is_not_reconstructed(score: str) -> None:
    detector = Autoencoder(**SMALL, score=score, least_area=0.02).fit([pictures(24)])
    queries = pictures(8, 1)
    queries[:4, :, 8:16, 20:28] = 0.9
    scores, maps = detector.image_scores([queries]), detector.anomaly_maps([queries])
    assert scores[:4].min() > scores[4:].max()
    assert maps[:4, 8:16, 20:28].mean() > 3 * maps[:4, 20:, :16].mean()
    expected = maps.mean((1, 2)) if score == "mean" else [component_score(one, 0.02) for one in maps.numpy()]
    assert torch.allclose(scores, torch.as_tensor(expected))


def test_a_map_is_the_squared_distance_over_the_colours() -> None:
    detector, queries = Autoencoder(**SMALL).fit([pictures(6)]), pictures(2, 1)
    with torch.no_grad():
        difference = detector.network_(queries) - queries
    assert torch.allclose(detector.anomaly_maps([queries]), difference.norm(dim=1) ** 2, atol=1e-6)


def test_images_of_another_size_are_resized() -> None:
    detector = Autoencoder(**SMALL).fit([pictures(6)])
    large = torch.nn.functional.interpolate(pictures(2, 1), (80, 80))
    assert detector.anomaly_maps([large]).shape == (2, 32, 32)
    assert detector.embed([large], 0)[0].shape == (2, 3, 32, 32)


def test_a_loss_that_stands_still_ends_the_training() -> None:
    detector = Autoencoder(**{**SMALL, "epochs": 30, "patience": 1, "learning_rate": 0.0}).fit([pictures(4)])
    assert len(detector.losses_) < 30


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"side": 100}, "multiple of 32"),
        ({"score": "median"}, "mean, component"),
        ({"least_area": 0.0}, "fraction"),
        ({"epochs": 0}, "1 or more"),
    ],
)
def test_senseless_parameters(parameters: dict, message: str) -> None:
    with pytest.raises(FlawsightError, match=message):
        make_detector("autoencoder", **parameters).fit([pictures(2)])


@pytest.mark.parametrize("given", [[pictures(2) * 3 - 1], [pictures(2)[:, :2]], [pictures(2), pictures(2)]])
def test_only_images_are_read(given: list[Tensor]) -> None:
    with pytest.raises(FlawsightError, match="reads images"):
        Autoencoder(**SMALL).fit(given)
