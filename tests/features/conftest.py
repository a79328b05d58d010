"""The networks that several files look at, built once, and small images."""

import numpy as np
import pytest

from flawsight.features import Extractor


@pytest.fixture(scope="session")
def default() -> Extractor:
    """The embedded default at 64 pixels."""
    return Extractor(image_size=64)


@pytest.fixture(scope="session")
def resnet18() -> Extractor:
    return Extractor("resnet18", "random", image_size=64)


@pytest.fixture(scope="session")
def densenet121() -> Extractor:
    return Extractor("densenet121", "random", image_size=64)


@pytest.fixture
def images() -> list[np.ndarray]:
    """Three images of different shapes."""
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (*shape, 3), dtype=np.uint8) for shape in [(64, 64), (97, 60), (130, 200)]]
