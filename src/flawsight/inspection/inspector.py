"""Inspector: a cut network, fitted detectors and a working point; a picture in, a verdict and a heat map out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from flawsight.data import MAX_PIXELS, read_image
from flawsight.detectors.engine.passes import map_images
from flawsight.detectors.parts.maps import to_image_size
from flawsight.errors import FlawsightError
from flawsight.features import Extractor, resize_image
from flawsight.inspection.manifest import Manifest
from flawsight.inspection.members import Member, judge_image, of_image
from flawsight.metrics import p_values

if TYPE_CHECKING:
    from flawsight.inspection.fitting import Fitting


CHUNK = 16
"""Images that `inspect_many` is best given at once: they are worked on side by side."""


@dataclass(frozen=True, eq=False)
class Result:
    """What the inspector says of one image.

    `anomaly_map` is (H, W) float32 at the image's own size, raw; `p_value` is the share of good images expected to
    score as high (conformal); `is_defective` iff `score` exceeds the working point's threshold.
    """

    score: float
    p_value: float
    is_defective: bool
    anomaly_map: np.ndarray

    @property
    def verdict(self) -> str:
        """`good` or `defective`."""
        return "defective" if self.is_defective else "good"


class Inspector:
    """Made by `fit` or `load`; `inspect` takes a path or an RGB uint8 array (H, W, 3)."""

    def __init__(self, extractor: Extractor, members: Sequence[Member], manifest: Manifest) -> None:
        self.extractor = extractor
        self.members = tuple(members)
        self.manifest = manifest
        self.fitting: Fitting | None = None

    @property
    def layers(self) -> tuple[tuple[str, ...], ...]:
        """The layers that each member reads."""
        return tuple(member.layers for member in self.members)

    @property
    def threshold(self) -> float:
        """An image is defective iff its score is above this."""
        return self.manifest.working_point.threshold

    @cached_property
    def _calibration(self) -> np.ndarray:
        return np.array(self.manifest.working_point.calibration_scores)

    def inspect(self, image: str | Path | np.ndarray, max_pixels: int = MAX_PIXELS) -> Result:
        """Score one image."""
        if isinstance(image, str | Path):
            image = read_image(image, max_pixels)
        return next(self.inspect_many([image]))

    def inspect_many(self, images: Sequence[np.ndarray]) -> Iterator[Result]:
        """Score RGB uint8 arrays of any sizes, in order; pass about `CHUNK` at once for speed."""
        if not len(images):
            return
        for image in images:
            is_picture = isinstance(image, np.ndarray) and image.dtype == np.uint8 and image.ndim == 3
            if not is_picture or image.shape[2] != 3 or not image.size:
                raise FlawsightError("an image must be a uint8 array of shape (H, W, 3) in RGB order, or a path")
        side = self.extractor.image_size
        squares = [resize_image(image, side) for image in images]
        found = map_images(self.extractor, squares, self.members)
        for index, image in enumerate(images):
            fused, score = judge_image([of_image(one, index) for one in found], self.members, side)
            yield Result(
                score=score,
                p_value=float(p_values([score], self._calibration)[0]),
                is_defective=score > self.threshold,
                anomaly_map=to_image_size(fused, (image.shape[0], image.shape[1])),
            )
