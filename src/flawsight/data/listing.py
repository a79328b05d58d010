"""What a folder of pictures holds: the pictures, and all that was left out, with the reason."""

from __future__ import annotations

import os
import stat
from collections import defaultdict, deque
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from flawsight.core import FlawsightError
from flawsight.data.names import few_names, is_called_like_image, natural_key
from flawsight.data.own_output import is_marked_png, is_own_folder, own_entries

OWN = "Flawsight wrote it itself"
FILE, FOLDER = "a file", "a folder"
_HIDDEN = "a hidden file"
_KINDS = {
    stat.S_IFREG: FILE,
    stat.S_IFDIR: FOLDER,
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
# What nobody takes for a picture: it is listed, and no sentence is made of it.
_NO_PICTURES = (".txt", ".md", ".yaml", ".yml", ".html", ".pdf", ".log")
_CLUTTER = ("thumbs.db", "desktop.ini", "readme", "license", "defects_config.json")


class Skipped(NamedTuple):
    """A file or folder that was left out, and why.

    >>> from pathlib import Path
    >>> Skipped(Path("good/scan.xyz"), ".xyz is not read").path.name
    'scan.xyz'
    """

    path: Path
    reason: str


@dataclass(frozen=True)
class Listing:
    """The image files of a folder in natural order, and what was left out, each with the reason.

    >>> listing = list_images(good)
    >>> len(listing.images), listing.skipped
    (12, ())
    """

    images: tuple[Path, ...]
    skipped: tuple[Skipped, ...] = ()

    def notes(self) -> tuple[str, ...]:
        """What `left_out` says of the skipped."""
        return left_out(self.skipped)


def left_out(skipped: Iterable[Skipped]) -> tuple[str, ...]:
    """A sentence for each reason, with the number and the first few names; none on text files and the like.

    >>> (tmp / "scan.xyz").touch()
    >>> left_out(list_images(tmp).skipped)
    ('1 left out (.xyz is not read): scan.xyz',)
    """
    by_reason = defaultdict(list)
    for path, reason in skipped:
        if path.suffix.lower() not in _NO_PICTURES and path.name.lower() not in _CLUTTER:
            by_reason[reason].append(path)
    return tuple(f"{len(paths)} left out ({why}): {few_names(paths)}" for why, paths in by_reason.items())


def list_images(folder: str | Path, recursive: bool = True, leave_out: Collection[Path] = ()) -> Listing:
    """The image files of a folder; links are followed, each folder is read once, and our own output is left out.

    `leave_out` names folders that are not read. Raises FlawsightError if the folder is missing, is no folder or cannot
    be listed; a folder without images is no error.

    >>> [path.name for path in list_images(good).images[:2]]
    ['000.png', '001.png']
    """
    folder = Path(folder)
    images, skipped, like_images = [], [], []
    for path, kind in found(folder, recursive, leave_out):
        if kind == FILE and is_marked_png(path):
            skipped.append(Skipped(path, OWN))
        elif kind == FILE and is_called_like_image(path):
            images.append(path)
        elif kind == FOLDER:
            like_images += [path] if recursive and is_called_like_image(path) else []
        else:
            reason = f"{path.suffix.lower() or 'no suffix'} is not read" if kind == FILE else kind
            skipped.append(Skipped(path, reason))
    parents = {parent for path in images for parent in path.parents} if like_images else set()
    skipped += [Skipped(path, "a folder, not a file") for path in like_images if path not in parents]
    key = order_below(folder)
    return Listing(tuple(sorted(images, key=key)), tuple(sorted(skipped, key=lambda one: key(one.path))))


def images_beside(folder: Path, known: Collection[Path], layout: str) -> tuple[Skipped, ...]:
    """Images of a folder that are not among those known, because its layout has no place for them."""
    images = list_images(folder).images
    return tuple(Skipped(path, f"the layout {layout} has no place for it") for path in images if path not in known)


def order_below(folder: Path) -> Callable[[Path], Any]:
    """Natural order of paths below a folder."""
    return lambda path: natural_key(path.relative_to(folder).as_posix())


def no_file(path: Path) -> str:
    """What a path is that must not be opened as a file, such as "a named pipe"; empty for files and what is missing."""
    with suppress(OSError):
        kind = _KINDS.get(stat.S_IFMT(path.stat().st_mode), "")
        return "" if kind in (FILE, FOLDER) else kind
    return ""


def is_file(path: Path) -> bool:
    """Whether the path is a file; a name that the system cannot take is none."""
    with suppress(OSError):
        return path.is_file()
    return False


def is_folder(path: Path) -> bool:
    """Whether the path is a folder; a name that the system cannot take is none."""
    with suppress(OSError):
        return path.is_dir()
    return False


def found(folder: Path, recursive: bool, leave_out: Collection[Path] = ()) -> Iterator[tuple[Path, str]]:
    """FILE or FOLDER for whatever is in a folder, or why it is left out; links come last, each folder is read once."""
    seen = dict.fromkeys(filter(None, map(_identity, folder.absolute().resolve().parents)), _HOLDER)
    left = {one for path in leave_out if (one := _identity(path))}
    folders, links = deque([folder]), list[Path]()
    while folders or links:
        # Links come last, so that a link to a folder that is read anyway is the one that is left out.
        here = folders.popleft() if folders else links.pop(links.index(min(links)))
        place = _identity(here)
        if place in seen:
            yield here, seen[place]
            continue
        if place:
            seen[place] = _AGAIN
        own = own_entries(here)
        for path, kind in _inside(here, is_root=here == folder):
            if kind == FOLDER:
                kind = OWN if path.name in own else _why_not_into(path, left)  # noqa: PLW2901
                if kind == FOLDER and recursive:
                    (links if path.is_symlink() else folders).append(path)
            elif path.name in own:
                kind = OWN  # noqa: PLW2901
            yield path, kind


_HOLDER, _AGAIN = "a link to a folder that holds this one", "a link to a folder that is read already"


def _identity(path: Path) -> tuple[int, int] | None:
    """What tells a folder from all others, whatever it is called; None if there is none."""
    with suppress(OSError):
        found = path.stat()
        return found.st_dev, found.st_ino
    return None


def _why_not_into(folder: Path, left: Collection[tuple[int, int]]) -> str:
    if folder.name.startswith("."):
        return "a hidden folder"
    if is_own_folder(folder):
        return OWN
    return "the results go there" if left and _identity(folder) in left else FOLDER


def _inside(folder: Path, is_root: bool) -> Iterator[tuple[Path, str]]:
    """What a folder holds, and what kind of thing each is; hidden files only if they are called like pictures."""
    try:
        with os.scandir(folder) as entries:
            inside = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        if is_root:
            raise _not_listed(folder, error) from None
        yield folder, f"cannot be listed: {error.strerror}"
        return
    for entry in inside:
        path, kind = folder / entry.name, _kind_of(entry)
        if not entry.name.startswith(".") or kind == FOLDER:
            yield path, kind
        elif is_called_like_image(path):
            yield path, _HIDDEN


def _kind_of(entry: os.DirEntry[str]) -> str:
    if not entry.is_symlink():  # known without asking the disk
        if entry.is_file():
            return FILE
        if entry.is_dir():
            return FOLDER
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
