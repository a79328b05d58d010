"""Inspector: a backend and a manifest; a picture in, a verdict and a heat map out."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from flawsight.bundle import Manifest
from flawsight.core import FlawsightError
from flawsight.data import MAX_PIXELS, InMemory, check_shape, read_image
from flawsight.inspection.backend import Backend
from flawsight.metrics import p_values
from flawsight.regions import Region, find_regions, to_labelme, to_supervision
from flawsight.views import Frame, RegionOfInterest, View

CHUNK = 16
"""Images that `inspect_many` is best given at once: they are worked on side by side."""


@dataclass(frozen=True, eq=False)
class Result:
    """What the inspector says of one image.

    `anomaly_map` is (H, W) float32 at the image's own size, raw; `p_value` is the share of good images expected to
    score as high (conformal); `is_defective` iff `score` exceeds the operating point's threshold. `regions` say where,
    the most anomalous first: an image has one exactly where it is defective, unless the method makes no maps.

    >>> result = inspector.inspect(dataset / "test" / "spot" / "000.png")
    >>> result.verdict, result.score > inspector.threshold, result.anomaly_map.shape
    ('defective', True, (64, 80))
    >>> len(result.regions), result.regions[0].peak == result.score
    (1, True)
    >>> result.to_labelme("000.png")["shapes"][0]["label"]
    'defect'
    """

    score: float
    p_value: float
    is_defective: bool
    anomaly_map: np.ndarray
    regions: tuple[Region, ...] = ()

    @property
    def verdict(self) -> str:
        """`good` or `defective`."""
        return "defective" if self.is_defective else "good"

    def to_supervision(self) -> Any:
        """The regions as `supervision.Detections`; FlawsightError where that package is not installed."""
        return to_supervision(self.regions, self._size)

    def to_labelme(self, image_name: str) -> dict[str, Any]:
        """The regions as a LabelMe document of an image of this name."""
        return to_labelme(self.regions, self._size, image_name)

    @property
    def _size(self) -> tuple[int, int]:
        return self.anomaly_map.shape[0], self.anomaly_map.shape[1]


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

    def with_mm_per_pixel(self, mm_per_pixel: float | None) -> Inspector:
        """The same, giving areas in mm², too; as it is for None."""
        if mm_per_pixel is None:
            return self
        return Inspector(self.backend, self.manifest.model_copy(update={"mm_per_pixel": mm_per_pixel}))

    @property
    def layers(self) -> tuple[tuple[str, ...], ...]:
        """The layers that members read, those that several read once."""
        return self.manifest.layers

    @property
    def threshold(self) -> float:
        """An image is defective iff its score is above this."""
        return self.manifest.operating_point.threshold

    @property
    def pixel_threshold(self) -> float:
        """Regions are where the map is above this: the image's own threshold, unless scores are not maxima of maps."""
        return self.manifest.colour_scale.threshold if self.manifest.has_own_scores else self.threshold

    @property
    def at_once(self) -> int:
        """So many images are best given to `inspect_many`: of those that are cut into tiles, one."""
        return 1 if self.view.kind == "tiles" else CHUNK

    @property
    def view(self) -> View:
        """How a picture becomes the network's inputs."""
        return self.manifest.view

    @cached_property
    def region(self) -> RegionOfInterest | None:
        """What is inspected; None for everything."""
        return RegionOfInterest.from_png(b64decode(self.manifest.region)) if self.manifest.region else None

    @cached_property
    def judged(self) -> RegionOfInterest | None:
        """What counts in maps and scores, of what is inspected; None for all of it."""
        return RegionOfInterest.from_png(b64decode(self.manifest.judged)) if self.manifest.judged else None

    @cached_property
    def _good_scores(self) -> np.ndarray:
        return np.array(self.manifest.calibration.scores)

    @cached_property
    def _localizes(self) -> bool:
        return any(member.detector.localizes for member in self.manifest.members)

    def inspect(self, image: str | Path | InMemory | np.ndarray, max_pixels: int = MAX_PIXELS) -> Result:
        """Score one image; a file that is not as the good ones, in depth or colour, is a FlawsightError."""
        if isinstance(image, str | Path | InMemory):
            image = self.read(image, max_pixels)
        return next(self.inspect_many([image]))

    def inspect_many(self, images: Sequence[np.ndarray]) -> Iterator[Result]:
        """Score RGB uint8 arrays of the proportions that were learned, in order; about `CHUNK` at once for speed."""
        frames = [self.frame(image) for image in images]
        squares = (square for image, frame in zip(images, frames, strict=True) for square in frame.cut(image))
        answers = self._answers(squares)
        for frame in frames if self.judged is None else [frame.judging(self.judged) for frame in frames]:
            maps, scores = zip(*islice(answers, frame.tiles), strict=True)
            yield self._result(frame, maps, scores)

    def read(self, source: str | Path | InMemory, max_pixels: int = MAX_PIXELS) -> np.ndarray:
        """Read a picture's file by what was learned; FlawsightError, by its name, where it cannot be inspected."""
        image = read_image(source, max_pixels, self.manifest.data.pixels)
        self.frame(image, str(source))
        return image

    def frame(self, image: np.ndarray, name: str = "the image") -> Frame:
        """Where the network's inputs lie in an image; FlawsightError, by its name, where it is not as those learned."""
        pixels = self.manifest.data.pixels
        is_picture = isinstance(image, np.ndarray) and image.dtype == np.uint8 and image.ndim == 3
        if not is_picture or image.shape[2] != 3 or not image.size:
            raise FlawsightError("an image must be a uint8 array of shape (H, W, 3) in RGB order, or a path")
        size = (image.shape[0], image.shape[1])
        regions = [region for region in (self.region, self.judged) if region is not None]
        for region in regions:
            region.check(size, name)
        # What is as large as the network's input, somebody resized.
        if not regions and pixels and size != (self.view.side, self.view.side):
            check_shape(name, size, pixels)
        try:
            return self.view.frame(size, self.region)
        except FlawsightError as error:
            raise FlawsightError(f"{name}: {error}") from error

    def _answers(self, squares: Iterator[np.ndarray]) -> Iterator[tuple[np.ndarray, float]]:
        """The map and the score of every square; no more than `CHUNK` are held."""
        while chunk := list(islice(squares, CHUNK)):
            maps, scores = self.backend.predict(chunk)
            yield from zip(maps, scores.tolist(), strict=True)

    def _result(self, frame: Frame, maps: Sequence[np.ndarray], scores: Sequence[float]) -> Result:
        joined = frame.join(maps)
        # A picture is as bad as its worst place.
        score = max(scores) if self.manifest.has_own_scores else frame.peak(joined)
        is_defective = score > self.threshold
        return Result(
            score=score,
            p_value=float(p_values([score], self._good_scores)[0]),
            is_defective=is_defective,
            anomaly_map=frame.to_picture(joined),
            regions=self._regions(frame, joined) if is_defective and self._localizes else (),
        )

    def _regions(self, frame: Frame, joined: np.ndarray) -> tuple[Region, ...]:
        left, top, width, height = frame.box
        # Where a score of its own finds what the map does not show, the map's highest place is what there is to show.
        threshold = min(self.pixel_threshold, float(np.nextafter(np.float32(joined.max()), np.float32(-np.inf))))
        return find_regions(joined, threshold, (height, width), self.manifest.mm_per_pixel, (left, top))
