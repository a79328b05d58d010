"""Names of image files: which suffixes are read, in which order they come, and a few of many."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

IMAGE_SUFFIXES = (
    ".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".tif", ".tiff", ".webp", ".jp2", ".pgm", ".ppm", ".pnm", ".pbm",
)  # fmt: skip
_MOST_NAMED = 5


def is_called_like_image(path: Path) -> bool:
    """Whether the suffix is one of those read."""
    return path.suffix.lower() in IMAGE_SUFFIXES


def natural_key(text: str) -> tuple[list[str | int], str]:
    """Sort key that compares runs of digits as numbers and ignores case; the text itself breaks ties."""
    parts = re.split(r"(\d+)", text.casefold())  # text and digits alternate, so like meets like
    return [int(p) if i % 2 else p for i, p in enumerate(parts)], text


def few_names(paths: Iterable[Path] | Iterable[str]) -> str:
    """The names of the first few files, and how many more there are."""
    names = [path.name if isinstance(path, Path) else path for path in paths]
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more
