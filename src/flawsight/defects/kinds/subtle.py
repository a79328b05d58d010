"""Stains of low contrast: a soft-edged blob, shifted by little more than the image's own spread. Hard by design."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from flawsight.defects.base import DrawnDefect, Image, Mask, check_bounds, is_grey
from flawsight.defects.kinds.local import Weight, local_sigmas, random_place, shifted, softened
from flawsight.defects.product import Product, foreground


@dataclass(frozen=True, kw_only=True)
class Subtle(DrawnDefect):
    """A random blob, on the object, whose brightness, contrast or colour is off by `contrast` local sigmas.

    size bounds its diameter as a share of the smaller side (drawn log-uniformly), softness the blur of its edge as a
    share of the diameter. lowest_sigma, in grey levels, stands in where the product is smoother than that.
    """

    title: ClassVar = "Faint stains"
    looks: ClassVar = "soft spots, slightly off in brightness or colour: hard on purpose"

    product: Product = field(default_factory=Product)
    size: tuple[float, float] = (0.04, 0.40)
    contrast: tuple[float, float] = (0.75, 2.0)
    softness: tuple[float, float] = (0.03, 0.15)
    lowest_sigma: float = 3.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_bounds("size", self.size, 0.001, 1.0)
        check_bounds("contrast", self.contrast, 0.0, 100.0)
        check_bounds("softness", self.softness, 0.001, 1.0)

    def draw(self, image: Image, rng: np.random.Generator, sources: Sequence[Image]) -> tuple[Image, Mask] | None:
        """Shift one blob; see `DrawnDefect.draw`."""
        allowed = foreground(image, self.product)
        centre = random_place(allowed, rng)
        if centre is None:
            return None
        diameter = float(np.exp(rng.uniform(*np.log(self.size)))) * min(image.shape[:2])
        blur = max(0.5, rng.uniform(*self.softness) * diameter)
        weight = softened(blob(allowed.shape, centre, diameter, rng), blur) * allowed
        return shifted(
            image, weight, self._shift(image, weight, local_sigmas(image, allowed, centre, int(diameter)), rng)
        )

    def _shift(
        self, image: Image, weight: Weight, sigmas: tuple[float, float], rng: np.random.Generator
    ) -> NDArray[np.floating]:
        """Return what to add at full weight: one level, a stretch around the mean, or a tint of equal brightness."""
        amount = rng.uniform(*self.contrast) * rng.choice([-1.0, 1.0])
        grey_sigma, colour_sigma = (max(sigma, self.lowest_sigma) for sigma in sigmas)
        change = rng.choice(["brightness", "contrast"] if is_grey(image) else ["brightness", "contrast", "colour"])
        if change == "brightness":
            return np.full(3, amount * grey_sigma)
        if change == "contrast":
            mean = np.average(image.reshape(-1, 3), axis=0, weights=weight.ravel() + 1e-9)
            # Fading by more than all of the contrast would invert it.
            return np.asarray((image - mean) * max(amount, -1.0))
        tint = rng.normal(size=3)
        tint -= tint.mean()
        return np.asarray(amount * colour_sigma * np.sqrt(3) * tint / np.linalg.norm(tint))


def blob(
    shape: tuple[int, ...], centre: tuple[int, int], diameter: float, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Return a 0/1 mask (H, W) of a smooth, turned, stretched random outline around centre (row, column)."""
    angles = np.linspace(0, 2 * np.pi, 72, endpoint=False)
    waves = sum(rng.normal(0, 0.25 / k) * np.cos(k * angles + rng.uniform(0, 2 * np.pi)) for k in range(2, 6))
    radii = diameter / 2 * np.clip(1 + waves, 0.3, 2.0)
    outline = np.stack([radii * np.cos(angles), radii * np.sin(angles) * rng.uniform(0.4, 1.0)], axis=1)
    turn = rng.uniform(0, np.pi)
    outline @= np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    mask = np.zeros(shape, dtype=np.uint8)
    cv2.fillPoly(mask, [np.rint(outline + centre[::-1]).astype(np.int32)], 1)
    return mask
