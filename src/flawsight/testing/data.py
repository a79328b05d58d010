"""What checks give a detector to learn from and to look at, by what it reads; all made from seeds."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps

import cv2
import numpy as np
import torch
from sklearn.base import clone
from torch import Tensor

from flawsight.detectors import AnomalySynthesis, Detector, FeatureMaps

Shapes = list[tuple[int, int, int]]
Check = Callable[[Detector], None]
ONE_LAYER: Shapes = [(6, 8, 8)]
TWO_LAYERS: Shapes = [(6, 8, 8), (10, 4, 4)]
NOT_SQUARE: Shapes = [(3, 5, 9), (4, 10, 18), (2, 3, 4)]
IMAGES: Shapes = [(3, 32, 32)]
BOTH: Shapes = [(3, 32, 32), (6, 16, 16), (10, 8, 8)]
SHAPES = {
    "features": {"one": ONE_LAYER, "two": TWO_LAYERS, "not_square": NOT_SQUARE},
    "image": {"images": IMAGES},
    "image+features": {"both": BOTH},
}
"""What a detector can be given, by `tags.input`."""
EVERY = ("one", "two", "not_square")


def on(*titles: str) -> Callable[[Callable[[Detector, Shapes], None]], Check]:
    """Make a check run for these of the shapes that a detector of features is given, for any other on all it is."""

    def made(check: Callable[[Detector, Shapes], None]) -> Check:
        @wraps(check)
        def run(detector: Detector) -> None:
            for title, shapes in SHAPES[detector.tags.input].items():
                if title in titles or title not in EVERY:
                    try:
                        check(detector, shapes)
                    except Exception as error:
                        error.add_note(f"with maps of shapes {shapes}")
                        raise

        return run

    return made


def fresh(detector: Detector) -> Detector:
    """A clone that has learned nothing, with what it needs to make defects, if it makes any."""
    copy = clone(detector)
    if copy.tags.needs_defects:
        copy.attach(AnomalySynthesis(lambda images: network(as_pictures(images)), [spoilt]))
    return copy


def fed(detector: Detector, features: FeatureMaps, *sizes: int) -> Detector:
    """A fresh one that has taken these images in batches of these sizes, and has not learned yet."""
    copy = fresh(detector)
    copy.reset()
    for batch in split(features, *sizes):
        copy.partial_fit(batch)
    return copy


def good(count: int, shapes: Shapes, seed: int = 0) -> list[Tensor]:
    """What is read of good images: each channel has its own level and a little noise."""
    rng = np.random.default_rng(seed)
    if shapes == IMAGES:
        return [pictures(count, rng)]
    if shapes == BOTH:
        images = pictures(count, rng)
        return [images, *network(images)]
    level = [np.random.default_rng([9, c]).normal(size=(1, c, 1, 1)) for c, _, _ in shapes]
    return [
        torch.tensor(mean + 0.1 * rng.normal(size=(count, *shape)), dtype=torch.float32)
        for mean, shape in zip(level, shapes, strict=True)
    ]


def pictures(count: int, rng: np.random.Generator) -> Tensor:
    """One soft pattern, in another contrast each time, with a little noise; values from 0 to 1."""
    channels, height, width = np.meshgrid(*(np.arange(extent) for extent in IMAGES[0]), indexing="ij")
    pattern = 0.1 * np.sin(0.4 * width + channels) * np.cos(0.3 * height - channels)
    contrast = rng.uniform(0.5, 1.5, (count, 1, 1, 1))
    return torch.tensor(0.4 + contrast * pattern + rng.normal(0, 0.005, (count, *IMAGES[0])), dtype=torch.float32)


def network(images: Tensor) -> list[Tensor]:
    """A fixed network of two layers: pictures (N, 3, 32, 32) to maps of the other shapes in BOTH."""
    generator = torch.Generator().manual_seed(0)
    maps = []
    for channels, side, _ in BOTH[1:]:
        stride = 32 // side
        weights = torch.randn(channels, 3, stride, stride, generator=generator) / stride
        maps.append(4 * torch.conv2d(images, weights, stride=stride))
    return maps


def as_pictures(images: Sequence[np.ndarray]) -> Tensor:
    """Pictures (H, W, 3) uint8 as one tensor (N, 3, H, W) from 0 to 1."""
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2) / 255


def spoilt(image: np.ndarray, rng: np.random.Generator, sources: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """A defect: a rectangle that is brighter or darker."""
    del sources
    top, left = rng.integers(0, 20, 2)
    height, width = rng.integers(6, 20, 2)
    mask = np.zeros(image.shape[:2], bool)
    mask[top : top + height, left : left + width] = True
    shift = rng.choice([-1, 1]) * rng.uniform(20, 120)
    return np.where(mask[..., None], np.clip(image + shift, 0, 255), image).astype(np.uint8), mask


def texture(seed: int, size: tuple[int, int] = (128, 128)) -> np.ndarray:
    """A picture (H, W, 3) uint8 of smooth noise in colour."""
    noise = np.random.default_rng(seed).normal(size=(*size, 3)).astype(np.float32)
    return np.clip(128 + 120 * cv2.GaussianBlur(noise, (0, 0), 1.5), 0, 255).astype(np.uint8)


def shifted(
    features: FeatureMaps, shift: float, shapes: Shapes, rows: slice = slice(None), part: int = 1
) -> list[Tensor]:
    """Features so far from good ones in these rows, in the upper left 1/part of both sides; pictures stay in 0 to 1."""
    changed = [values.clone() for values in features]
    for values in changed[:1] if shapes == BOTH else changed:
        corner = values[rows, :, : values.shape[2] // part, : values.shape[3] // part]
        corner[:] = (corner + 0.1 * shift).clamp(0, 1) if shapes in (IMAGES, BOTH) else corner + shift
    return [changed[0], *network(changed[0])] if shapes == BOTH else changed


def split(features: FeatureMaps, *sizes: int) -> list[list[Tensor]]:
    """Features of all images in batches of these sizes."""
    return [list(batch) for batch in zip(*[values.split(list(sizes)) for values in features], strict=True)]


def spread(values: Tensor) -> float:
    """From the lowest to the highest: what raw scores, of any scale and sign, are compared by."""
    return float(values.max() - values.min())


def same(one: Tensor, other: Tensor) -> bool:
    """Whether they are equal but for rounding."""
    return one.shape == other.shape and torch.allclose(one, other, rtol=1e-4, atol=1e-4)


@contextmanager
def raises(kind: type[Exception], words: str = "") -> Iterator[None]:
    """Fail unless such an error is raised inside, and says these words (a regular expression)."""
    try:
        yield
    except kind as error:
        assert re.search(words, str(error)), f"the {kind.__name__} '{error}' does not say '{words}'"
    else:
        raise AssertionError(f"no {kind.__name__} ('{words}') was raised")
