"""Small products to put defects on, made here: textures, and a bright disc on a dark background."""

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest

from flawsight.defects import Image, Mask, Product, SyntheticDefect, make


def texture(seed: int, shape: tuple[int, int] = (128, 128), colour: bool = True) -> Image:
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(*shape, 3 if colour else 1)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 1.5).reshape(*shape, -1)
    return np.clip(128 + 120 * smooth + np.zeros(3), 0, 255).astype(np.uint8)


def disc_mask(shape: tuple[int, int] = (128, 128), radius: int = 45) -> Mask:
    mask = np.zeros(shape, dtype=np.uint8)
    cv2.circle(mask, (shape[1] // 2, shape[0] // 2), radius, 1, -1)
    return mask.astype(bool)


def disc(seed: int, shape: tuple[int, int] = (128, 128)) -> Image:
    """A textured disc, brighter than 60, on a background of 10 to 12."""
    background = np.random.default_rng(seed).integers(10, 13, (*shape, 3), dtype=np.uint8)
    return np.where(disc_mask(shape)[..., None], np.maximum(texture(seed, shape), 60), background)


DISC = Product(
    texture=False, background=(11.0, 20.0), half_height=(0.03, 0.3), half_width=(0.03, 0.3), resize=(0.7, 1.3)
)


@pytest.fixture(scope="session")
def make_any() -> Callable[..., SyntheticDefect]:
    """`make`, with the material that a kind cannot do without."""
    needed: dict[str, dict[str, Any]] = {"sdas": {"pictures": [texture(seed, (24, 40)) for seed in (40, 41)]}}
    return lambda kind, **params: make(kind, **{**needed.get(kind, {}), **params})


@pytest.fixture
def textures() -> list[Image]:
    return [texture(seed) for seed in range(6)]


@pytest.fixture
def discs() -> list[Image]:
    return [disc(seed) for seed in range(6)]


@pytest.fixture
def disc_product() -> Product:
    return DISC
