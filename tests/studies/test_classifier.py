"""The supervised upper bound."""

import numpy as np
import pytest
import torch
from sklearn.exceptions import NotFittedError
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn

from flawsight.core import FlawsightError
from flawsight.detectors import DETECTORS, make_detector
from flawsight.features import Extractor
from flawsight.features.networks import create_network
from flawsight.studies import SupervisedClassifier
from flawsight.studies.classifier import with_one_output
from flawsight.training import seeded


def labelled(count: int, seed: int) -> tuple[Tensor, np.ndarray]:
    """Grey noise; every second image has a bright spot."""
    rng = np.random.default_rng(seed)
    images = torch.tensor(rng.uniform(0.3, 0.5, (count, 3, 16, 16)), dtype=torch.float32)
    labels = np.arange(count) % 2
    for number in np.flatnonzero(labels):
        y, x = rng.integers(0, 12, 2)
        images[number, :, y : y + 4, x : x + 4] = 0.9
    return images, labels


def small_network() -> nn.Module:
    with seeded(0):
        return nn.Sequential(
            nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Dropout(0.1),
            nn.Linear(8, 10),
        )  # fmt: skip


def classifier(**parameters: object) -> SupervisedClassifier:
    return SupervisedClassifier(small_network(), **{"epochs": 8, "learning_rate": 0.02, **parameters})  # type: ignore[arg-type]


def test_it_learns_what_a_defect_is() -> None:
    fitted = classifier().fit(*labelled(40, 0))
    images, labels = labelled(40, 1)
    scores = fitted.image_scores(images)
    assert scores.shape == (40,) and roc_auc_score(labels, scores) > 0.95
    assert torch.allclose(scores, torch.cat([fitted.image_scores(one) for one in images.split(3)]), atol=1e-5)


def test_the_best_state_on_held_out_images_is_kept() -> None:
    images, labels = labelled(40, 0)
    fitted = classifier(epochs=6).fit(images, labels)
    held_out = fitted._held_out(images, labels)
    assert held_out.sum() == 10 and labels[held_out].sum() == 5
    kept = roc_auc_score(labels[held_out], fitted.image_scores(images[torch.from_numpy(held_out)]))
    assert len(fitted.validation_auroc_) == 6 and kept == max(fitted.validation_auroc_)


def test_same_seed_same_scores_and_nothing_else_changes() -> None:
    images, labels = labelled(12, 0)
    one = classifier(epochs=2)
    before = {name: values.clone() for name, values in one.network.state_dict().items()}
    state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    first = one.fit(images, labels).image_scores(images)
    torch.manual_seed(7)
    assert torch.equal(classifier(epochs=2).fit(images, labels).image_scores(images), first)
    torch.set_rng_state(state)
    classifier(epochs=1).fit(images, labels)
    assert torch.equal(torch.get_rng_state(), state)
    assert np.array_equal(np.random.get_state()[1], numpy_state)  # noqa: NPY002
    assert all(torch.equal(values, before[name]) for name, values in one.network.state_dict().items())


@pytest.mark.parametrize("name", ["torchvision:resnet18", "torchvision:efficientnet_b0", "timm:vit_tiny_patch16_224"])
def test_networks_of_either_library_get_one_output(name: str) -> None:
    network = create_network(name, "random", 64).module
    images = torch.rand(2, 3, 64, 64)
    assert with_one_output(network).eval()(images).shape == (2, 1)
    assert network(images).shape == (2, 1000)


def test_an_extractor_is_fine_tuned() -> None:
    network = Extractor("tf_efficientnet_lite0", image_size=32).network
    images, labels = labelled(8, 0)
    fitted = SupervisedClassifier(network.module, network.mean, network.std, epochs=1).fit(images, labels)
    assert torch.isfinite(fitted.image_scores(images)).all() and network.module(images).shape == (8, 1000)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0] * 6, "0 defective images"),
        ([1] * 6, "0 good images"),
        ([0, 0, 0, 0, 0, 1], "1 defective images"),
        ([0, 1, 2, 0, 1, 2], "labels must be"),
        ([0, 1], "one label each"),
    ],
)
def test_labels_it_cannot_learn_from(labels: list[int], message: str) -> None:
    with pytest.raises(FlawsightError, match=message):
        classifier().fit(labelled(6, 0)[0], labels)


def test_a_network_without_a_classifier() -> None:
    with pytest.raises(FlawsightError, match="no linear layer"):
        SupervisedClassifier(nn.Conv2d(3, 1, 3)).fit(*labelled(8, 0))


def test_use_before_fit() -> None:
    with pytest.raises(NotFittedError, match="call fit first"):
        classifier().image_scores(labelled(2, 0)[0])


def test_it_is_no_detector() -> None:
    assert "classifier" not in DETECTORS
    with pytest.raises(FlawsightError, match=r"labelled defects.*SupervisedClassifier"):
        make_detector("classifier")
