"""Changes that leave a good part good, with which paper C enlarges small data sets (its Fig. 2)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from flawsight.core import FlawsightError
from flawsight.data.lazy import LazyImages

ORIENTATIONS = ("flip", "rotate90")
AUGMENTATIONS = ("blur", "contrast", "colour", "noise", *ORIENTATIONS, "shift", "rotate")
LABEL_PRESERVING = ("blur", "contrast", "colour", "noise")
"""What seldom makes a defect; whether a part may be mirrored, turned or moved, only its owner knows."""

Change = Callable[[np.ndarray, np.random.Generator], np.ndarray]


def augment(
    image: np.ndarray,
    rng: np.random.Generator,
    label_preserving: Collection[str] = LABEL_PRESERVING,
    most_degrees: float = 45.0,
) -> np.ndarray:
    """The image (H, W, 3) uint8 RGB, one time in two unchanged, else after each group in `label_preserving` by chance.

    `most_degrees` bounds "rotate"; paper C takes 15 for most objects. A quarter turn of an image that is not square is
    resized to the old size.

    >>> changed = augment(images[0], np.random.default_rng(0), label_preserving=["blur", "flip"])
    >>> changed.shape
    (64, 80, 3)
    """
    check_label_preserving(label_preserving)
    if rng.random() < 0.5:
        return image.copy()
    for group, chance, change in (
        ("blur", 0.2, _blur),
        ("contrast", 0.3, _contrast),
        ("colour", 0.3, _colour),
        ("noise", 0.2, _noise),
        ("flip", 0.5, _flip),
        ("rotate90", 0.5, _rotate90),
    ):
        if group in label_preserving and rng.random() < chance:
            image = change(image, rng)
    if {"shift", "rotate"} & set(label_preserving) and rng.random() < 0.2:
        image = _moved(image, rng, "shift" in label_preserving, most_degrees if "rotate" in label_preserving else 0.0)
    return np.array(image, order="C")


def augmented(
    images: Sequence[np.ndarray],
    passes: int,
    label_preserving: Collection[str] = LABEL_PRESERVING,
    seed: int = 0,
    most_degrees: float = 45.0,
) -> Sequence[np.ndarray]:
    """`passes` differently augmented copies of every image, made when asked for; paper C takes 100.

    Number p * len(images) + i is image i in pass p: the same for the same seed, in whatever order they are read.

    >>> many = augmented(images, passes=3)
    >>> len(images), len(many)
    (12, 36)
    """
    check_label_preserving(label_preserving)
    if passes < 1:
        raise FlawsightError(f"passes must be 1 or more, but it is {passes}")
    return _Augmented(images, passes, frozenset(label_preserving), seed, most_degrees)


@dataclass(frozen=True, eq=False)
class _Augmented(LazyImages):
    images: Sequence[np.ndarray]
    passes: int
    label_preserving: frozenset[str]
    seed: int
    most_degrees: float

    def __len__(self) -> int:
        return self.passes * len(self.images)

    def _image(self, number: int) -> np.ndarray:
        rng = np.random.default_rng([self.seed, number])
        return augment(self.images[number % len(self.images)], rng, self.label_preserving, self.most_degrees)


def turned(images: Sequence[np.ndarray], label_preserving: Collection[str]) -> Sequence[np.ndarray]:
    """Square images in all orientations that "flip" and "rotate90" allow: 1, 2, 4 or 8, the given one first.

    Number p * len(images) + i is image i in orientation p, made when asked for.

    >>> squares = [fs.views.resize_image(image, 64) for image in images]
    >>> len(turned(squares, ["flip"])), len(turned(squares, ["flip", "rotate90"]))
    (24, 96)
    """
    quarters = range(4 if "rotate90" in label_preserving else 1)
    mirrored = (False, True) if "flip" in label_preserving else (False,)
    return _Turned(images, [(turns, is_mirrored) for turns in quarters for is_mirrored in mirrored])


@dataclass(frozen=True, eq=False)
class _Turned(LazyImages):
    images: Sequence[np.ndarray]
    orientations: Sequence[tuple[int, bool]]

    def __len__(self) -> int:
        return len(self.orientations) * len(self.images)

    def _image(self, number: int) -> np.ndarray:
        orientation, index = divmod(number, len(self.images))
        turns, is_mirrored = self.orientations[orientation]
        image = np.rot90(self.images[index], turns)
        return np.ascontiguousarray(image[:, ::-1] if is_mirrored else image)


def check_label_preserving(label_preserving: Collection[str]) -> None:
    """Raise where a group is unknown.

    >>> check_label_preserving(["blur", "mirror"])
    Traceback (most recent call last):
        ...
    flawsight.core.errors.FlawsightError: unknown augmentation 'mirror': use some of blur, contrast, ...
    """
    unknown = sorted(set(label_preserving) - set(AUGMENTATIONS))
    if unknown:
        raise FlawsightError(f"unknown augmentation '{unknown[0]}': use some of {', '.join(AUGMENTATIONS)}")


def _blur(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Motion of 3, 5 or 7 pixels half the time, else a median or a mean of 3 x 3."""
    kind = rng.choice(3, p=(0.5, 0.25, 0.25))
    if kind == 1:
        return cv2.medianBlur(image, 3)
    if kind == 2:
        return cv2.blur(image, (3, 3))
    size = int(rng.choice((3, 5, 7)))
    middle = (size - 1) / 2
    angle = rng.uniform(0, np.pi)
    end = np.array([np.cos(angle), np.sin(angle)]) * middle
    first, last = (tuple(np.rint(middle + sign * end).astype(int).tolist()) for sign in (-1, 1))
    kernel = cv2.line(np.zeros((size, size), np.float32), first, last, 1.0)
    return cv2.filter2D(image, -1, kernel / kernel.sum())


def _contrast(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One of: local histogram equalisation, sharpening, embossing, another brightness and contrast."""
    kind = rng.integers(4)
    if kind == 0:
        lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB)
        lab[..., 0] = cv2.createCLAHE(rng.uniform(1, 2), (8, 8)).apply(np.ascontiguousarray(lab[..., 0]))
        return cv2.cvtColor(lab, cv2.COLOR_LAB2RGB)
    if kind == 3:
        return _clipped(image * rng.uniform(0.8, 1.2) + 255 * rng.uniform(-0.1, 0.2))
    share = rng.uniform(0.2, 0.5)
    if kind == 1:
        kernel = np.full((3, 3), -1.0)
        kernel[1, 1] = 8 + rng.uniform(0.5, 1.0)
    else:
        slope = rng.uniform(0.2, 0.7)
        kernel = np.array([[-1 - slope, -slope, 0], [-slope, 1, slope], [0, slope, 1 + slope]])
    identity = np.zeros((3, 3))
    identity[1, 1] = 1
    return cv2.filter2D(image, -1, (1 - share) * identity + share * kernel)


def _colour(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Another hue (10 of 180 steps), saturation (30 of 255) and value (-10 to 20 of 255)."""
    hue, saturation, value = cv2.split(cv2.cvtColor(image, cv2.COLOR_RGB2HSV))
    hue = ((hue + rng.uniform(-10, 10)) % 180).astype(np.uint8)
    changed = [_clipped(plane + rng.uniform(*most)) for plane, most in ((saturation, (-30, 30)), (value, (-10, 20)))]
    return cv2.cvtColor(cv2.merge([hue, *changed]), cv2.COLOR_HSV2RGB)


def _noise(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Normal noise of 1 to 3 % of the range, the same in all channels or one by one."""
    channels = int(rng.choice((1, 3)))
    return _clipped(
        image + rng.uniform(0.01, 0.03) * 255 * rng.standard_normal((*image.shape[:2], channels), np.float32)
    )


def _flip(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Mirrored left to right."""
    del rng
    return image[:, ::-1]


def _rotate90(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Turned by 0 to 3 quarters."""
    height, width = image.shape[:2]
    turned = np.ascontiguousarray(np.rot90(image, int(rng.integers(4))))
    return turned if turned.shape == image.shape else cv2.resize(turned, (width, height), interpolation=cv2.INTER_AREA)


def _moved(image: np.ndarray, rng: np.random.Generator, shift: bool, most_degrees: float) -> np.ndarray:
    """Turned about the centre, moved by 5 % and scaled by 0.95 to 1.1, mirrored at the border."""
    height, width = image.shape[:2]
    angle = rng.uniform(-most_degrees, most_degrees)
    scale = rng.uniform(0.95, 1.1) if shift else 1.0
    matrix: np.ndarray = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), angle, scale)
    if shift:
        matrix[:, 2] += rng.uniform(-0.05, 0.05, 2) * (width, height)
    return cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REFLECT_101)


def _clipped(values: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)
