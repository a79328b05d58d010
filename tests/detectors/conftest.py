"""Small pictures, a network of two layers and square defects, for what learns from defects that it makes."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from flawsight.core import FlawsightError
from flawsight.detectors import AnomalySynthesis, RealNet

Pictures = list[np.ndarray]
QUICK = {"channels": (4, 6), "afs_pairs": 6, "pairs": 24, "training_steps": 6, "batch_size": 3}


def make_pictures(count: int, seed: int = 0) -> Pictures:
    rng = np.random.default_rng(seed)
    return [rng.integers(90, 120, (32, 32, 3)).astype(np.uint8) for _ in range(count)]


def two_layers(images: Pictures) -> list[Tensor]:
    """Means of the colours, and their differences, over 2 x 2 and 4 x 4 pixels."""
    values = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2) / 255
    values = torch.cat([values, values - values.roll(1, 1)], 1)
    return [torch.nn.functional.avg_pool2d(values, side) for side in (2, 4)]


def put_square(image: np.ndarray, rng: np.random.Generator, sources: Pictures) -> tuple[np.ndarray, np.ndarray]:
    mask = np.zeros((32, 32), bool)
    top, left = rng.integers(0, 24, 2)
    mask[top : top + 8, left : left + 8] = True
    return np.where(mask[..., None], np.uint8(230), image), mask


def put_nothing(image: np.ndarray, rng: np.random.Generator, sources: Pictures) -> tuple[np.ndarray, np.ndarray]:
    raise FlawsightError("no place for a defect")


def make_features(images: Pictures) -> list[Tensor]:
    return [torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2) / 255, *two_layers(images)]


def make_realnet(**parameters: object) -> RealNet:
    return RealNet(**{**QUICK, **parameters}).attach(AnomalySynthesis(two_layers, [put_square]))


@pytest.fixture(scope="session")
def pictures() -> Callable[..., Pictures]:
    """So many pictures of noise, by a seed."""
    return make_pictures


@pytest.fixture(scope="session")
def layers_of() -> Callable[[Pictures], list[Tensor]]:
    """What the network gives for pictures."""
    return two_layers


@pytest.fixture(scope="session")
def square() -> Callable:
    """A defect: a bright square of 8 x 8 pixels."""
    return put_square


@pytest.fixture(scope="session")
def impossible() -> Callable:
    """A defect for which there is no place."""
    return put_nothing


@pytest.fixture(scope="session")
def synthesis() -> AnomalySynthesis:
    return AnomalySynthesis(two_layers, [put_square])


@pytest.fixture(scope="session")
def as_features() -> Callable[[Pictures], list[Tensor]]:
    """Pictures as RealNet is given them: themselves and their layers."""
    return make_features


@pytest.fixture(scope="session")
def realnet() -> Callable[..., RealNet]:
    """A quick RealNet, with other parameters if given, that has not learned."""
    return make_realnet


@pytest.fixture(scope="session")
def learned() -> Callable[..., RealNet]:
    """The same when it has learned from six pictures."""
    return lambda **parameters: make_realnet(**parameters).fit(make_features(make_pictures(6)))
