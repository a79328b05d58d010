"""Finding image files in folders."""

import re
from collections.abc import Iterable
from pathlib import Path

from flawsight.core import FlawsightError
from flawsight.data.own_output import is_own_folder, is_own_output

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")


def find_images(folder: str | Path, recursive: bool = False) -> list[Path]:
    """The image files of a folder in natural order (img2 before img10); hidden files and folders are skipped.

    Raises FlawsightError if the folder is missing, is no folder, cannot be read or holds no image.
    """
    folder = Path(folder)
    images = [p for p in _visible(folder, recursive) if p.suffix.lower() in IMAGE_SUFFIXES and p.is_file()]
    if not images:
        where = "or below it " if recursive else ""
        raise FlawsightError(f"no image in {folder} {where}: accepted suffixes are {', '.join(IMAGE_SUFFIXES)}")
    return sorted(images, key=lambda p: natural_key(p.relative_to(folder).as_posix()))


def has_images(folder: Path, recursive: bool = False) -> bool:
    """True if `find_images` would find at least one image."""
    return any(p.suffix.lower() in IMAGE_SUFFIXES and p.is_file() for p in _visible(folder, recursive))


def subfolders(folder: Path, recursive: bool = False) -> list[Path]:
    """The visible folders in a folder, in natural order; none if the folder itself is missing."""
    if not folder.is_dir():
        return []
    found = [p for p in _visible(folder, recursive) if p.is_dir()]
    return sorted(found, key=lambda p: natural_key(p.relative_to(folder).as_posix()))


def natural_key(text: str) -> tuple[list[str | int], str]:
    """Sort key that compares runs of digits as numbers and ignores case; the text itself breaks ties."""
    parts = re.split(r"(\d+)", text.casefold())  # text and digits alternate, so like meets like
    return [int(p) if i % 2 else p for i, p in enumerate(parts)], text


def _visible(folder: Path, recursive: bool) -> Iterable[Path]:
    """Everything in the folder whose path below it has no hidden part, but what Flawsight wrote there itself."""
    try:
        found = list(folder.rglob("*") if recursive else folder.iterdir())
    except FileNotFoundError:
        raise FlawsightError(f"no such folder: {folder}; check the path") from None
    except NotADirectoryError:
        raise FlawsightError(f"{folder} is a file; give the folder that holds the images") from None
    except OSError as error:
        raise FlawsightError(f"cannot list {folder}: {error.strerror}; check its permissions") from error
    shown = [p for p in found if not any(part.startswith(".") for part in p.relative_to(folder).parts)]
    own = {p for p in shown if p.is_dir() and (is_own_output(p) or is_own_folder(p))}
    return [p for p in shown if p not in own and not own.intersection(p.parents)] if own else shown
