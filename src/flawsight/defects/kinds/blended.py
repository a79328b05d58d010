"""Perlin-shaped regions blended with something foreign: what the kinds after Eq. 3 of paper E share."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from flawsight.defects.base import DrawnDefect, Image, Mask, as_image, changed, check_bounds, check_count, is_grey
from flawsight.defects.product import Product, foreground


@dataclass(frozen=True, kw_only=True)
class Blended(DrawnDefect):
    """Perlin noise above threshold, on the object, shows something through with an opacity drawn from `opacity`.

    The label is the part of the region that really changed, by more than `tolerance` grey levels.
    """

    product: Product = field(default_factory=Product)
    opacity: tuple[float, float] = (0.2, 1.0)
    threshold: float = 0.5
    most_cells: int = 32
    tolerance: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_bounds("opacity", self.opacity, 0.0, 1.0)
        check_count("most_cells", self.most_cells)

    @abstractmethod
    def foreign(self, image: Image, rng: np.random.Generator, sources: Sequence[Image]) -> Image:
        """Return what shows through, of image's size: P of Eq. 3."""

    def draw(self, image: Image, rng: np.random.Generator, sources: Sequence[Image]) -> tuple[Image, Mask] | None:
        """Blend (Eq. 3 of paper E); see `DrawnDefect.draw`."""
        mask = self._region(image.shape, rng) & foreground(image, self.product)
        foreign = self.foreign(image, rng, sources)
        if is_grey(image):  # colour would give the defect away on a product that has none
            foreign = as_image(cv2.cvtColor(cv2.cvtColor(foreign, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB))
        opacity = rng.uniform(*self.opacity)
        blended = cv2.addWeighted(image, 1 - opacity, foreign, opacity, 0)
        result = np.where(mask[..., None], as_image(blended), image)
        return result, changed(image, result, self.tolerance)

    def _region(self, shape: tuple[int, ...], rng: np.random.Generator) -> Mask:
        """Return the thresholded noise, turned by a random angle; what turns in from outside is no defect."""
        powers = int(np.log2(self.most_cells)) + 1
        cells = tuple(min(2 ** int(rng.integers(powers)), side) for side in shape[:2])
        noise = perlin_noise((shape[0], shape[1]), (cells[0], cells[1]), rng)
        turn = cv2.getRotationMatrix2D(((shape[1] - 1) / 2, (shape[0] - 1) / 2), rng.uniform(-90, 90), 1.0)
        region: Mask = cv2.warpAffine(noise, turn, (shape[1], shape[0])) > self.threshold
        return region


def perlin_noise(shape: tuple[int, int], cells: tuple[int, int], rng: np.random.Generator) -> NDArray[np.float32]:
    """Return gradient noise (H, W), within -1 and 1, of cells[0] x cells[1] cells: unit gradients, quintic fade."""
    angles = rng.uniform(0, 2 * np.pi, (cells[0] + 1, cells[1] + 1)).astype(np.float32)
    rows, columns = (np.arange(side, dtype=np.float32) * count / side for side, count in zip(shape, cells, strict=True))
    row, column = rows.astype(int), columns.astype(int)
    y, x = (rows - row)[:, None], (columns - column)[None, :]

    def corner(down: int, right: int) -> NDArray[np.float32]:
        angle = angles[np.ix_(row + down, column + right)]
        ramp: NDArray[np.float32] = np.sin(angle) * (y - down) + np.cos(angle) * (x - right)
        return ramp

    fade_y, fade_x = (t**3 * (t * (t * 6 - 15) + 10) for t in (y, x))
    upper = corner(0, 0) + fade_x * (corner(0, 1) - corner(0, 0))
    lower = corner(1, 0) + fade_x * (corner(1, 1) - corner(1, 0))
    return np.asarray(np.sqrt(2) * (upper + fade_y * (lower - upper)), dtype=np.float32)
