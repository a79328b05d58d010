"""Finding image files in folders: links are followed once, and whatever is left out has a reason."""

import os
import re
import stat
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flawsight.core import FlawsightError

IMAGE_SUFFIXES = (
    ".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".tif", ".tiff", ".webp", ".jp2", ".pgm", ".ppm", ".pnm", ".pbm",
)  # fmt: skip
# What nobody takes for a picture, so that nobody misses it.
_NO_PICTURES = (".txt", ".md", ".yaml", ".yml", ".html", ".pdf", ".log")
_CLUTTER = ("thumbs.db", "desktop.ini", "readme", "license")
_FILE, _FOLDER = "a file", "a folder"
_KINDS = {
    stat.S_IFREG: _FILE,
    stat.S_IFDIR: _FOLDER,
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
_MOST_NAMED = 5


@dataclass(frozen=True)
class Listing:
    """The image files of a folder in natural order, and what was left out, each with the reason.

    >>> listing = list_images(good)
    >>> len(listing.images), listing.skipped
    (12, ())
    """

    images: tuple[Path, ...]
    skipped: tuple[tuple[Path, str], ...] = ()

    def notes(self) -> tuple[str, ...]:
        """A sentence for each reason, with the number and the first few names."""
        by_reason = defaultdict(list)
        for path, reason in self.skipped:
            by_reason[reason].append(path)
        return tuple(f"{len(paths)} left out ({why}): {few_names(paths)}" for why, paths in by_reason.items())


def list_images(folder: str | Path, recursive: bool = True) -> Listing:
    """The image files of a folder; links to folders are followed, each folder is read once.

    Hidden files and folders are passed over. Raises FlawsightError if the folder is missing, is no folder or cannot be
    read; a folder without images is no error.

    >>> [path.name for path in list_images(good).images[:2]]
    ['000.png', '001.png']
    """
    folder = Path(folder)
    images, skipped = [], []
    for path, kind in _found(folder, recursive):
        if kind == _FILE and path.suffix.lower() in IMAGE_SUFFIXES:
            images.append(path)
        elif kind not in (_FILE, _FOLDER):
            skipped.append((path, kind))
        elif kind == _FILE and path.suffix.lower() not in _NO_PICTURES and path.name.lower() not in _CLUTTER:
            skipped.append((path, f"{path.suffix.lower() or 'no suffix'} is not read"))
    key = _order_below(folder)
    return Listing(tuple(sorted(images, key=key)), tuple(sorted(skipped, key=lambda item: key(item[0]))))


def find_images(folder: str | Path, recursive: bool = False) -> list[Path]:
    """The image files of a folder in natural order (img2 before img10); hidden files and folders are skipped.

    Raises FlawsightError if the folder is missing, is no folder, cannot be read or holds no image.

    >>> [path.name for path in find_images(good)[:3]]
    ['000.png', '001.png', '002.png']
    """
    listing = list_images(folder, recursive)
    if not listing.images:
        where = "or below it " if recursive else ""
        raise FlawsightError(
            f"no image in {folder} {where}: accepted suffixes are {', '.join(IMAGE_SUFFIXES)}"
            + "".join(f"; {note}" for note in listing.notes())
        )
    return list(listing.images)


def has_images(folder: Path, recursive: bool = False) -> bool:
    """True if `find_images` would find at least one image."""
    return any(kind == _FILE and path.suffix.lower() in IMAGE_SUFFIXES for path, kind in _found(folder, recursive))


def subfolders(folder: Path, recursive: bool = False) -> list[Path]:
    """The visible folders in a folder, in natural order; none if the folder itself is missing."""
    if not folder.is_dir():
        return []
    return sorted((path for path, kind in _found(folder, recursive) if kind == _FOLDER), key=_order_below(folder))


def folder_named(folder: Path, *names: str) -> Path:
    """The folder of one of these names inside, in any case; where there is none, where the first of them would be."""
    wanted = [name.casefold() for name in names]
    if (folder / names[0]).is_dir():
        return folder / names[0]
    return next((sub for sub in subfolders(folder) if sub.name.casefold() in wanted), folder / names[0])


def natural_key(text: str) -> tuple[list[str | int], str]:
    """Sort key that compares runs of digits as numbers and ignores case; the text itself breaks ties."""
    parts = re.split(r"(\d+)", text.casefold())  # text and digits alternate, so like meets like
    return [int(p) if i % 2 else p for i, p in enumerate(parts)], text


def few_names(paths: Iterable[Path] | Iterable[str]) -> str:
    """The names of the first few files, and how many more there are."""
    names = [path.name if isinstance(path, Path) else path for path in paths]
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more


def _order_below(folder: Path) -> Callable[[Path], Any]:
    return lambda path: natural_key(path.relative_to(folder).as_posix())


def _found(folder: Path, recursive: bool) -> Iterator[tuple[Path, str]]:
    """Whatever is visible in the folder, and what it is; a folder that was read before is named, not entered."""
    read: set[tuple[int, int]] = set()
    folders, links = [folder], list[Path]()
    while folders or links:
        # Links come last, so that a link to a folder that is read anyway is the one that is left out.
        here = folders.pop() if folders else links.pop(links.index(min(links)))
        identity = here.stat() if here.exists() else None
        if identity and (place := (identity.st_dev, identity.st_ino)) in read:
            yield here, "a link to a folder that is read already"
            continue
        if identity:
            read.add(place)
        try:
            with os.scandir(here) as entries:
                inside = [entry for entry in entries if not entry.name.startswith(".")]
        except OSError as error:
            if here == folder:
                raise _not_listed(folder, error) from None
            yield here, f"cannot be listed: {error.strerror}"
            continue
        for entry in inside:
            path, kind = here / entry.name, _kind_of(entry)
            if kind == _FOLDER and recursive:
                (links if entry.is_symlink() else folders).append(path)
            yield path, kind


def _kind_of(entry: os.DirEntry[str]) -> str:
    if not entry.is_symlink():  # known without asking the disk
        if entry.is_file():
            return _FILE
        if entry.is_dir():
            return _FOLDER
    try:
        return _KINDS.get(stat.S_IFMT(entry.stat().st_mode), "no plain file")
    except OSError as error:
        return "a link that leads nowhere" if entry.is_symlink() else f"cannot be read: {error.strerror}"


def _not_listed(folder: Path, error: OSError) -> FlawsightError:
    if isinstance(error, FileNotFoundError):
        return FlawsightError(f"no such folder: {folder}; check the path")
    if isinstance(error, NotADirectoryError):
        return FlawsightError(f"{folder} is a file; give the folder that holds the images")
    return FlawsightError(f"cannot list {folder}: {error.strerror}; check its permissions")
