"""The check of a folder: what is in it, what is left out, how pictures were saved, and what they are like."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from flawsight.core import FlawsightError, Progress, default_progress
from flawsight.data import MIN_GOOD, PixelFormat, has_colour
from flawsight.health.facts import PictureFacts, facts_of
from flawsight.health.findings import Finding, HealthReport, Severity, graver_first
from flawsight.health.formats import format_findings, learned_format
from flawsight.health.listed import good_in, left_out_findings
from flawsight.health.pictures import check_pictures
from flawsight.settings import CheckSettings
from flawsight.views import ImageCache

SIDE = 256
"""Side of the squares that are looked at: what a fit makes by default, so that both find the same."""


@dataclass(frozen=True, eq=False)
class FolderCheck:
    """The findings, and small pictures to show with them.

    >>> check = check_folder(good)
    >>> check.picture(good / "000.png", 40).shape
    (32, 40, 3)
    """

    report: HealthReport
    images: ImageCache

    def picture(self, path: Path, side: int = 224) -> np.ndarray | None:
        """A picture with its longer side at `side` pixels; None where it could not be read."""
        return picture_of(self.images, path, side)


def picture_of(images: ImageCache, path: Path, side: int = 224) -> np.ndarray | None:
    """A picture in its own proportions, made from its square, which is not decoded again.

    >>> images = fs.views.ImageCache(fs.data.find_images(good), 64)
    >>> _ = images[3]
    >>> picture_of(images, good / "003.png", 40).shape
    (32, 40, 3)
    """
    number = images.paths.index(path) if path in images.paths else -1
    if number not in images.sizes:
        return None
    height, width = images.sizes[number]
    scale = side / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(images[number], size, interpolation=cv2.INTER_AREA), np.uint8)


def check_folder(
    good: str | Path | Sequence[str | Path] | CheckSettings, *, progress: Progress | None = None, **options: Any
) -> FolderCheck:
    """Look at a folder of good pictures, or at what a fit learns from of a data set, before anything is learned.

    `options` are those of the command, by name. FlawsightError where there is no picture to look at.

    >>> report = check_folder(dataset).report
    >>> report.pictures, [finding.kind for finding in report.findings]
    (12, [])
    """
    if not isinstance(good, CheckSettings):
        given = good if isinstance(good, str | Path) else tuple(Path(path) for path in good)
        good = CheckSettings.of({"good": given, **options})
    paths, notes, skipped = good_in(good)
    learned = learned_format(paths, good)
    pixels = learned.pixels and _as_they_are(learned.pixels)
    images = ImageCache(paths, SIDE, good.max_pixels, pixels)
    facts, colours, errors = _looked_at(images, set(learned.odd), progress or default_progress())
    pictures = check_pictures(facts)
    found = [
        *_too_few(len(paths) - len(errors)),
        *notes,
        *_unreadable(errors),
        *format_findings(learned, colours, paths, is_shape_said=bool(pictures.of_kind("proportions"))),
        *pictures.findings,
        *left_out_findings(skipped),
    ]
    return FolderCheck(HealthReport(len(paths), graver_first(found), pictures.typical), images)


def _as_they_are(pixels: PixelFormat) -> PixelFormat:
    """Grey and colour are both let through: which are the fewer is known when all have been seen."""
    return pixels if pixels.bayer else replace(pixels, is_colour=None)


def _looked_at(
    images: ImageCache, odd: set[Path], progress: Progress
) -> tuple[list[PictureFacts], dict[Path, bool], dict[Path, str]]:
    """Facts and colours of what can be read, and why the others cannot."""
    facts, colours, errors = [], {}, {}
    with progress.stage("Checking images", len(images)) as advance:
        for number, path in enumerate(images.paths):
            try:
                if path not in odd:
                    square = images[number]
                    facts.append(facts_of(path, square, images.sizes[number]))
                    if not facts[-1].is_blank:
                        colours[path] = has_colour(square)
            except FlawsightError as error:
                errors[path] = str(error)
            except OSError as error:  # a name that the system cannot take
                errors[path] = f"cannot read {path}: {error.strerror}"
            advance(1)
    return facts, colours, errors


def _too_few(count: int) -> list[Finding]:
    if count >= MIN_GOOD:
        return []
    severity: Severity = "warning" if count else "error"
    number = "1 picture" if count == 1 else f"{count or 'no'} pictures"
    text = f"{number} can be learned from, and {MIN_GOOD} are needed to choose layers by"
    return [Finding("too_few", severity, (), text, "add pictures of good parts")]


def _unreadable(errors: dict[Path, str]) -> list[Finding]:
    """The reason of each stands in the text, where they are few."""
    if not errors:
        return []
    count = "1 picture cannot" if len(errors) == 1 else f"{len(errors)} pictures cannot"
    reasons = "; ".join(_reason(path, why) for path, why in list(errors.items())[:3])
    more = f"; and {len(errors) - 3} more" if len(errors) > 3 else ""
    text = f"{count} be read: {reasons}{more}"
    return [Finding("unreadable", "error", tuple(errors), text, "remove or replace what cannot be read")]


def _reason(path: Path, why: str) -> str:
    """Without folders and advice, which are said for all."""
    return why.replace(str(path), path.name).partition("; ")[0]
