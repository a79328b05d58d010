"""Perlin-shaped regions blended with a foreign texture (Sec. 3.2 of paper E, the blending of its "DTD" variant)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from flawsight.core import FlawsightError
from flawsight.defects.base import Image, check_image, pick_source
from flawsight.defects.kinds.augment import augment, shuffle_tiles
from flawsight.defects.kinds.blended import Blended


@dataclass(frozen=True, kw_only=True)
class Perlin(Blended):
    """A texture shows through Perlin-shaped regions; see `Blended`.

    The texture is one of `textures` (uint8 RGB images of any size) or, without them, a good image with its tiles
    shuffled; either is augmented three times.
    """

    title: ClassVar = "Irregular stains"
    looks: ClassVar = "cloudy areas in which another texture shows through"

    textures: Sequence[Image] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.textures is not None and len(self.textures) == 0:
            raise FlawsightError("textures is empty: give at least one image, or None for augmented good images.")
        for texture in self.textures or ():
            check_image(texture, "a texture")

    def foreign(self, image: Image, rng: np.random.Generator, sources: Sequence[Image]) -> Image:
        """Return an augmented texture; see `Blended.foreign`."""
        texture = pick_source(self.textures if self.textures is not None else sources, rng, image.shape)
        if self.textures is None:
            texture = shuffle_tiles(texture, rng)
        return augment(texture, rng)
