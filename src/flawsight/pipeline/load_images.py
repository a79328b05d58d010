"""The good images of a fit, each decoded once, so that a bad one is named before long work begins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from flawsight.core import FlawsightError, Progress
from flawsight.data import MIN_GOOD, fingerprint, good_samples
from flawsight.settings import FitSettings
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
    """Decode every image once."""
    images = ImageCache(paths, settings.image_size, settings.max_pixels)
    with progress.stage("Checking images", len(images)) as advance:
        for index in range(len(images)):
            images[index]
            advance(1)
    return GoodImages(images, fingerprint(paths))
