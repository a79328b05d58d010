"""The good images of a fit, each decoded once, so that a bad one is named before long work begins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from flawsight.core import FlawsightError, Progress
from flawsight.data import (
    MIN_GOOD,
    PixelFormat,
    fingerprint,
    good_samples,
    has_colour,
    learn_pixel_format,
    measured,
    mixed_colours,
    usual_looks,
)
from flawsight.settings import DefectSettings, FitSettings
from flawsight.views import ImageCache


@dataclass(frozen=True, eq=False)
class GoodImages:
    """Squares of the good images at these sorted paths, a digest of the files, and what their pixels are like."""

    images: ImageCache
    fingerprint: str
    pixels: PixelFormat

    @property
    def paths(self) -> list[Path]:
        """Where they come from."""
        return self.images.paths

    @property
    def key(self) -> str:
        """Names the images as they are read."""
        return self.fingerprint + self.pixels.key


def find_good(
    good: Path | Sequence[Path], layout: str, category: str | None, good_class: str | None
) -> tuple[list[Path], tuple[str, ...]]:
    """The sorted paths of the good images in a folder or data set, or of a list, and what to mind about them.

    FlawsightError for too few.
    """
    if isinstance(good, Path):
        samples = good_samples(good, layout, category, good_class)
        paths, notes, where = [sample.path for sample in samples], samples.notes, f"'{good}'"
    else:
        paths, notes, where = list(good), (), "the list"
    if len(paths) < MIN_GOOD:
        raise FlawsightError(
            f"{where} holds {len(paths)} good images, but at least {MIN_GOOD} are needed: add pictures of good parts"
            + "".join(f"; {note}" for note in notes)
        )
    return sorted(paths), notes


def load_images(paths: Sequence[Path], settings: FitSettings, progress: Progress) -> GoodImages:
    """Learn what the camera delivers, then decode every image once by it; a bad one is named."""
    pixels = learned_pixels(paths, settings)
    # A few were looked at: grey among colour is named, with all of them, once all have been seen.
    as_they_are = pixels if pixels.bayer else replace(pixels, is_colour=None)
    images = ImageCache(paths, settings.image_size, settings.max_pixels, as_they_are)
    rows, colours = [], {}
    with progress.stage("Checking images", len(images)) as advance:
        for path, image in zip(paths, images, strict=True):
            rows.append(measured(image))
            colours[path] = has_colour(image)
            advance(1)
    mixed = "" if pixels.bayer or pixels.is_colour is None else mixed_colours(colours)
    if mixed:
        pixels = replace(pixels, is_colour=None, concerns=(mixed, *pixels.concerns))
    return GoodImages(images, fingerprint(paths), replace(pixels, looks=usual_looks(rows)))


def learned_pixels(paths: Sequence[Path], settings: DefectSettings) -> PixelFormat:
    """The format of these pictures, with what the settings say of the camera."""
    return learn_pixel_format(paths, settings.bayer, settings.bits, settings.max_pixels)
