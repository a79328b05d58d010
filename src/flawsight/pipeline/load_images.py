"""The good images of a fit, each decoded once, so that a bad one is named before long work begins."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from flawsight.core import FlawsightError, Progress, all_of, cache_key
from flawsight.data import (
    PixelFormat,
    Skipped,
    fingerprint,
    good_samples,
    has_colour,
    learn_pixel_format,
    measured,
    mixed_colours,
    usual_looks,
)
from flawsight.health import HealthReport, check_pictures, facts_of
from flawsight.pipeline.trust.groups import Parts, find_parts, named_parts
from flawsight.settings import DataOptions, DefectSettings, FitSettings
from flawsight.views import Frame, ImageCache, Inputs, Pictures, RegionOfInterest, View

OVERVIEW = 256
"""Side of the overviews, where no image size is named."""


@dataclass(frozen=True, eq=False)
class GoodImages:
    """Overviews, squares, of the good images at these sorted paths, a digest of the files, what their pixels are like,
    copies and outliers among them, and which show the same part.

    `view` and `region`: how they become the network's inputs, once that is decided.
    """

    images: ImageCache
    fingerprint: str
    pixels: PixelFormat
    health: HealthReport
    parts: Parts
    view: View | None = None
    region: RegionOfInterest | None = None

    def seen(self, view: View, region: RegionOfInterest | None) -> GoodImages:
        """The same through a view."""
        return replace(self, view=view, region=region)

    def without(self, left_out: Collection[int]) -> GoodImages:
        """The same without the pictures of these numbers."""
        kept = [number for number in range(len(self.paths)) if number not in left_out]
        images = self.images.chosen(kept)
        for place in range(len(kept)):
            _ = images[place]  # decoded, so that its size is known
        parts = replace(self.parts, of=self.parts.of[kept])
        return replace(self, images=images, fingerprint=fingerprint(images.paths), parts=parts)

    @cached_property
    def pictures(self) -> Pictures:
        """The images in their own pixels."""
        return Pictures(self.paths, self.images.max_pixels, self.images.pixels)

    @cached_property
    def inputs(self) -> Inputs:
        """The network's inputs, picture after picture."""
        return Inputs(self.images if self.is_overview else self.pictures, self.frames)

    @cached_property
    def frames(self) -> list[Frame]:
        """Where the inputs lie in every picture, or in its overview; FlawsightError, by name, where they do not fit."""
        assert self.view is not None
        if self.is_overview:  # which is kept already
            return [self.view.frame((self.view.side, self.view.side))] * len(self.images)
        return [self._frame(number) for number in range(len(self.paths))]

    def _frame(self, number: int) -> Frame:
        assert self.view is not None
        try:
            return self.view.frame(self.sizes[number], self.region)
        except FlawsightError as error:
            raise FlawsightError(f"{self.paths[number]}: {error}") from error

    @property
    def is_overview(self) -> bool:
        """Whether the network's inputs are just the overviews."""
        return self.view == View("squash", self.images.side) and self.region is None

    @cached_property
    def sizes(self) -> list[tuple[int, int]]:
        """(height, width) of every picture."""
        return [self.images.sizes[number] for number in range(len(self.images))]

    @property
    def input_key(self) -> str:
        """Names the network's inputs."""
        if self.is_overview:
            return self.key
        return cache_key(self.key, repr(self.view), self.region.key if self.region else "")

    @property
    def concerns(self) -> tuple[str, ...]:
        """What to mind about them, a sentence each."""
        said = self.pixels.concerns
        is_shape_said = any("other proportions" in one for one in said)
        found = [one for one in self.health.findings if not (is_shape_said and one.kind == "proportions")]
        return (*said, *(one.sentence for one in found), *self.parts.concerns)

    @property
    def paths(self) -> list[Path]:
        """Where they come from."""
        return self.images.paths

    @property
    def key(self) -> str:
        """Names the images as they are read, and which belong together."""
        return self.fingerprint + self.pixels.key + self.parts.key


def find_good(
    settings: DataOptions, good: Path | Sequence[Path]
) -> tuple[list[Path], tuple[str, ...], tuple[Skipped, ...]]:
    """The sorted paths of the good images in a folder or data set, or of a list; what to mind, and what was left out.

    FlawsightError for none.
    """
    notes: tuple[str, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    if isinstance(good, Path):
        samples = good_samples(good, settings.layout, settings.category, settings.good_class)
        paths, notes, skipped = [sample.path for sample in samples], samples.notes, samples.skipped
        where = f"'{good}'"
    else:
        paths, where = list(good), "the list"
    if not paths:
        raise FlawsightError(f"{where} holds no good images: " + "; ".join(["add pictures of good parts", *notes]))
    return sorted(paths), notes, skipped


def load_images(paths: Sequence[Path], settings: FitSettings, progress: Progress) -> GoodImages:
    """Learn what the camera delivers, then decode every image once by it; all that cannot be read are named."""
    folder = settings.good if isinstance(settings.good, Path) else None
    names = named_parts(paths, settings.group_by, folder) if settings.group_by is not None else None
    pixels = learned_pixels(paths, settings)
    # A few were looked at: grey among colour is named, with all of them, once all have been seen.
    as_they_are = pixels if pixels.bayer else replace(pixels, is_colour=None)
    images = ImageCache(paths, min(settings.sides, default=OVERVIEW), settings.max_pixels, as_they_are)
    rows, colours, facts = [], {}, []

    def look(number: int) -> None:
        image = images[number]
        rows.append(measured(image))
        facts.append(facts_of(paths[number], image, images.sizes[number], rows[-1]))
        colours[paths[number]] = has_colour(image)

    check_images(paths, look, progress)
    mixed = "" if pixels.bayer or pixels.is_colour is None else mixed_colours(colours)
    if mixed:
        pixels = replace(pixels, is_colour=None, concerns=(mixed, *pixels.concerns))
    looks, health = usual_looks(rows), check_pictures(facts)
    parts = find_parts(paths, names, health)
    return GoodImages(images, fingerprint(paths), replace(pixels, looks=looks), health, parts)


def check_images(paths: Sequence[Path], read: Callable[[int], object], progress: Progress) -> None:
    """Read every image by its number; FlawsightError names all that cannot be read."""
    errors: list[FlawsightError] = []
    with progress.stage("Checking images", len(paths)) as advance:
        for number in range(len(paths)):
            try:
                read(number)
            except FlawsightError as error:
                errors.append(error)
            advance(1)
    if errors:
        raise all_of(f"{len(errors)} of {len(paths)} images cannot be used", errors)


def learned_pixels(paths: Sequence[Path], settings: DefectSettings) -> PixelFormat:
    """The format of these pictures, with what the settings say of the camera."""
    return learn_pixel_format(paths, settings.bayer, settings.bits, settings.max_pixels)
