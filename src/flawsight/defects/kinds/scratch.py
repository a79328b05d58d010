"""Scratches: one thin, curved, anti-aliased line, a few local sigmas darker or brighter than its surroundings."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import cv2
import numpy as np

from flawsight.defects.base import REFERENCE_SIDE, DrawnDefect, Image, Mask, check_bounds
from flawsight.defects.kinds.local import Weight, local_sigmas, random_place, shifted, softened
from flawsight.defects.product import Product, foreground


@dataclass(frozen=True, kw_only=True)
class Scratch(DrawnDefect):
    """A line through the object whose heading walks at random, shifted by `contrast` local sigmas.

    length bounds its length as a share of the smaller side, width its width in pixels at 256, bend the standard
    deviation, in radians, of the turn that it takes every 4 pixels at 256. lowest_sigma, in grey levels, stands in
    where the product is smoother than that.
    """

    title: ClassVar = "Scratches"
    looks: ClassVar = "thin, faint, winding lines"

    product: Product = field(default_factory=Product)
    length: tuple[float, float] = (0.10, 0.60)
    width: tuple[float, float] = (1.0, 3.0)
    contrast: tuple[float, float] = (2.0, 4.0)
    bend: float = 0.12
    lowest_sigma: float = 3.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_bounds("length", self.length, 0.001, 2.0)
        check_bounds("width", self.width, 0.1, REFERENCE_SIDE)
        check_bounds("contrast", self.contrast, 0.0, 100.0)

    def draw(self, image: Image, rng: np.random.Generator, sources: Sequence[Image]) -> tuple[Image, Mask] | None:
        """Draw one scratch; see `DrawnDefect.draw`."""
        allowed = foreground(image, self.product)
        centre = random_place(allowed, rng)
        if centre is None:
            return None
        side = min(image.shape[:2])
        width = max(1.0, rng.uniform(*self.width) * side / REFERENCE_SIDE)
        weight = self._line(allowed.shape, centre, rng.uniform(*self.length) * side, width, rng) * allowed
        sigma = max(local_sigmas(image, allowed, centre, max(2, side // 16))[0], self.lowest_sigma)
        return shifted(image, weight, rng.uniform(*self.contrast) * rng.choice([-1.0, 1.0]) * sigma)

    def _line(
        self, shape: tuple[int, ...], centre: tuple[int, int], length: float, width: float, rng: np.random.Generator
    ) -> Weight:
        """Return the weights (H, W), 1 on the line, of a random walk of that length through centre (row, column)."""
        step = 4 * min(shape) / REFERENCE_SIDE
        count = max(2, round(length / step))
        heading = rng.uniform(0, 2 * np.pi) + np.cumsum(rng.normal(0, self.bend, count))
        path = np.cumsum(length / count * np.stack([np.cos(heading), np.sin(heading)], axis=1), axis=0)
        path += np.array(centre[::-1]) - path[count // 2]
        off_line = np.ones(shape, dtype=np.uint8)
        cv2.polylines(off_line, [np.rint(path).astype(np.int32)], False, 0, 1)
        if off_line.all():
            return np.zeros(shape, dtype=np.float32)
        distance = cv2.distanceTransform(off_line, cv2.DIST_L2, 5)
        line = softened(np.clip(width / 2 + 0.5 - distance, 0, 1), 0.5 * max(1.0, step / 4))
        return np.asarray(line / line.max(), dtype=np.float32)
