"""Finding image files and folders."""

from pathlib import Path

from flawsight.core import FlawsightError
from flawsight.data.listing import FILE, FOLDER, found, list_images, order_below
from flawsight.data.names import IMAGE_SUFFIXES, is_called_like_image


def find_images(folder: str | Path, recursive: bool = False) -> list[Path]:
    """The image files of a folder in natural order (img2 before img10); hidden files and folders are skipped.

    Raises FlawsightError if the folder is missing, is no folder, cannot be read or holds no image.

    >>> [path.name for path in find_images(good)[:3]]
    ['000.png', '001.png', '002.png']
    """
    listing = list_images(folder, recursive)
    if not listing.images:
        where = " or below it" if recursive else ""
        raise FlawsightError(
            f"no image in {folder}{where}: accepted suffixes are {', '.join(IMAGE_SUFFIXES)}"
            + "".join(f"; {note}" for note in listing.notes())
        )
    return list(listing.images)


def has_images(folder: Path, recursive: bool = False) -> bool:
    """True if `find_images` would find at least one image."""
    return any(kind == FILE and is_called_like_image(path) for path, kind in found(folder, recursive))


def subfolders(folder: Path, recursive: bool = False) -> list[Path]:
    """The visible folders in a folder, in natural order; none if the folder itself is missing."""
    if not folder.is_dir():
        return []
    return sorted((path for path, kind in found(folder, recursive) if kind == FOLDER), key=order_below(folder))


def folder_named(folder: Path, *names: str) -> Path:
    """The folder of one of these names inside, in any case; where there is none, where the first of them would be."""
    wanted = [name.casefold() for name in names]
    if (folder / names[0]).is_dir():
        return folder / names[0]
    return next((sub for sub in subfolders(folder) if sub.name.casefold() in wanted), folder / names[0])
