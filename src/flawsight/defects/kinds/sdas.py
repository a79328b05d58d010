"""Perlin-shaped regions blended with an anomalous picture of the product itself (Eq. 3 of paper E, SDAS)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import cv2
import numpy as np

from flawsight.core import FlawsightError
from flawsight.defects.base import Image, as_image, check_image
from flawsight.defects.kinds.blended import Blended


@dataclass(frozen=True, kw_only=True)
class Sdas(Blended):
    """One of `pictures` (uint8 RGB images of any size) shows through Perlin-shaped regions; see `Blended`.

    keep_detail gives a picture smaller than the image the image's own fine grain, so that the structure changes and
    not the sharpness, which any detector would see.
    """

    title: ClassVar = "Anomalous structure"
    looks: ClassVar = "cloudy areas in which an invented, slightly wrong product shows through"

    pictures: Sequence[Image] = ()
    opacity: tuple[float, float] = (0.5, 1.0)
    keep_detail: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.pictures) == 0:
            raise FlawsightError(
                "The kind 'sdas' needs pictures, a sequence of uint8 RGB images: "
                "make them with flawsight.generation.sdas_pictures(good_images, folder)."
            )
        for picture in self.pictures:
            check_image(picture, "a picture")

    def foreign(self, image: Image, rng: np.random.Generator, sources: Sequence[Image]) -> Image:
        """Return a picture at the image's size; see `Blended.foreign`."""
        picture = self.pictures[int(rng.integers(len(self.pictures)))]
        full = (image.shape[1], image.shape[0])
        size = (min(full[0], picture.shape[1]), min(full[1], picture.shape[0]))
        structure = cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(np.float32)
        if size == full:
            return as_image(structure)
        if self.keep_detail:
            structure -= cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        raised = cv2.resize(structure, full, interpolation=cv2.INTER_LINEAR)
        return as_image(raised + image if self.keep_detail else raised)
