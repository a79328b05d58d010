"""Inspector: a backend and a manifest; a picture in, a verdict and a heat map out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from flawsight.bundle import Manifest
from flawsight.core import FlawsightError
from flawsight.data import MAX_PIXELS, check_shape, read_image
from flawsight.inspection.backend import Backend
from flawsight.metrics import p_values
from flawsight.scoring import to_image_size
from flawsight.views import resize_image

CHUNK = 16
"""Images that `inspect_many` is best given at once: they are worked on side by side."""


@dataclass(frozen=True, eq=False)
class Result:
    """What the inspector says of one image.

    `anomaly_map` is (H, W) float32 at the image's own size, raw; `p_value` is the share of good images expected to
    score as high (conformal); `is_defective` iff `score` exceeds the operating point's threshold.

    >>> result = inspector.inspect(dataset / "test" / "spot" / "000.png")
    >>> result.verdict, result.score > inspector.threshold, result.anomaly_map.shape
    ('defective', True, (64, 80))
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
    """Made by `fit` or `load`; `inspect` takes a path or an RGB uint8 array (H, W, 3).

    >>> inspector = fs.load(bundle)
    >>> inspector.inspect(dataset / "test" / "spot" / "000.png").verdict
    'defective'
    >>> [result.verdict for result in inspector.inspect_many(images[:2])]
    ['good', 'good']
    """

    def __init__(self, backend: Backend, manifest: Manifest) -> None:
        self.backend = backend
        self.manifest = manifest

    @property
    def layers(self) -> tuple[tuple[str, ...], ...]:
        """The layers that each member reads."""
        return self.manifest.layers

    @property
    def threshold(self) -> float:
        """An image is defective iff its score is above this."""
        return self.manifest.operating_point.threshold

    @property
    def pixel_threshold(self) -> float:
        """A pixel of the map is marked iff it is above this."""
        return self.manifest.colour_scale.threshold

    @cached_property
    def _good_scores(self) -> np.ndarray:
        return np.array(self.manifest.calibration.scores)

    def inspect(self, image: str | Path | np.ndarray, max_pixels: int = MAX_PIXELS) -> Result:
        """Score one image; a file that is not as the good ones, in depth or colour, is a FlawsightError."""
        if isinstance(image, str | Path):
            image = read_image(image, max_pixels, self.manifest.data.pixels)
        return next(self.inspect_many([image]))

    def inspect_many(self, images: Sequence[np.ndarray]) -> Iterator[Result]:
        """Score RGB uint8 arrays of the proportions that were learned, in order; about `CHUNK` at once for speed."""
        if not len(images):
            return
        side, pixels = self.manifest.extractor.image_size, self.manifest.data.pixels
        for image in images:
            is_picture = isinstance(image, np.ndarray) and image.dtype == np.uint8 and image.ndim == 3
            if not is_picture or image.shape[2] != 3 or not image.size:
                raise FlawsightError("an image must be a uint8 array of shape (H, W, 3) in RGB order, or a path")
            if pixels and image.shape[:2] != (side, side):  # those are as the network sees them
                check_shape("the image", image.shape[:2], pixels)
        maps, scores = self.backend.predict([resize_image(image, side) for image in images])
        for image, anomaly_map, score in zip(images, maps, scores.tolist(), strict=True):
            yield Result(
                score=score,
                p_value=float(p_values([score], self._good_scores)[0]),
                is_defective=score > self.threshold,
                anomaly_map=to_image_size(anomaly_map, (image.shape[0], image.shape[1])),
            )
