"""The good images of a fit, each decoded once, so that a bad one is named before long work begins."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from flawsight.core import FlawsightError, Progress, all_of
from flawsight.data import MIN_GOOD, Skipped, fingerprint, good_samples, left_out
from flawsight.data.listing import no_file
from flawsight.settings import DataOptions, FitSettings
from flawsight.views import ImageCache


@dataclass(frozen=True, eq=False)
class GoodImages:
    """Squares of the good images at these sorted paths, and a digest of the files."""

    images: ImageCache
    fingerprint: str

    @property
    def paths(self) -> list[Path]:
        """Where they come from."""
        return self.images.paths


def find_good(settings: DataOptions, good: Path | Sequence[Path]) -> tuple[list[Path], tuple[Skipped, ...]]:
    """The sorted paths of the good images in a folder or data set, or of a list, and what was left out beside them.

    FlawsightError for too few.
    """
    skipped: tuple[Skipped, ...] = ()
    if isinstance(good, Path):
        samples = good_samples(good, settings.layout, settings.category, settings.good_class)
        paths, skipped, where = [sample.path for sample in samples], samples.skipped, f"'{good}'"
    else:
        paths, where = list(good), "the list"
    if len(paths) < MIN_GOOD:
        raise FlawsightError(
            f"{where} holds {len(paths)} good images, but at least {MIN_GOOD} are needed: "
            + "; ".join(["add pictures of good parts", *left_out(skipped)])
        )
    return sorted(paths), skipped


def load_images(paths: Sequence[Path], settings: FitSettings, progress: Progress) -> GoodImages:
    """Decode every image once; FlawsightError names all that cannot be read."""
    images = ImageCache(paths, settings.image_size, settings.max_pixels)
    check_images(paths, images.__getitem__, progress)
    return GoodImages(images, fingerprint(paths))


def check_images(paths: Sequence[Path], read: Callable[[int], object], progress: Progress) -> None:
    """Read every image by its number; FlawsightError names all that cannot be read."""
    errors: list[FlawsightError] = []
    with progress.stage("Checking images", len(paths)) as advance:
        for number, path in enumerate(paths):
            try:
                if kind := no_file(path):
                    raise FlawsightError(f"{path} is {kind}, not a file; give an image file")
                read(number)
            except FlawsightError as error:
                errors.append(error)
            advance(1)
    if errors:
        raise all_of(f"{len(errors)} of {len(paths)} images cannot be used", errors)
