"""What a folder of pictures holds: the pictures, and all that was left out, with the reason."""

from __future__ import annotations

import stat
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from flawsight.core import FlawsightError, readable
from flawsight.data.files import IMAGE_SUFFIXES, natural_key
from flawsight.data.own_output import is_own_folder, own_entries

OWN = "Flawsight wrote it itself"
MOST_NAMED = 3
_KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


@dataclass(frozen=True)
class Skipped:
    """A file or folder that was left out, and why.

    >>> Skipped(Path("good/notes.txt"), "no picture by its suffix '.txt'").path.name
    'notes.txt'
    """

    path: Path
    reason: str


@dataclass(frozen=True)
class Listing:
    """The pictures in and below a folder in natural order, and what was left out.

    >>> listing = list_images(good)
    >>> len(listing.images), listing.skipped
    (12, ())
    """

    images: tuple[Path, ...]
    skipped: tuple[Skipped, ...]


def list_images(folder: Path, *, leave_out: Collection[Path] = ()) -> Listing:
    """What `folder` and the folders below it hold; links are followed, each folder once; our own output is left out.

    Raises FlawsightError if the folder is missing, is no folder or cannot be listed.

    >>> (tmp / "notes.txt").touch()
    >>> [(one.path.name, one.reason) for one in list_images(tmp).skipped]
    [('notes.txt', "no picture by its suffix '.txt'")]
    """
    walk = _Walk(folder, {_resolved(path) for path in leave_out})
    walk.run()
    walk.name_empty()
    found = sorted(walk.images, key=walk.order), sorted(walk.skipped, key=lambda one: walk.order(one.path))
    return Listing(tuple(found[0]), tuple(found[1]))


def left_out(skipped: Sequence[Skipped], root: Path | None = None) -> list[str]:
    """One sentence for each reason: how many were left out for it, and the first of them by their names below `root`.

    >>> (tmp / "notes.txt").touch()
    >>> left_out(list_images(tmp).skipped, tmp)
    ["1 left out: 'notes.txt': no picture by its suffix '.txt'"]
    """
    sentences = []
    by_reason = sorted(skipped, key=lambda one: one.reason)
    for reason, group in groupby(by_reason, key=lambda one: one.reason):
        names = [f"'{_below(root, one.path)}'" for one in group]
        more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
        sentences.append(f"{len(names)} left out: {', '.join(names[:MOST_NAMED])}{more}: {reason}")
    return sentences


def _below(root: Path | None, path: Path) -> str:
    return readable(path.relative_to(root) if root and path.is_relative_to(root) else path)


def no_file(path: Path) -> str:
    """What a path is that must not be opened as a file, such as "a named pipe"; empty for files and what is missing."""
    with suppress(OSError):
        return _KINDS.get(stat.S_IFMT(path.stat().st_mode), "")
    return ""


def is_folder(path: Path) -> bool:
    """Whether the path is a folder; a name that the system cannot take is none."""
    with suppress(OSError):
        return path.is_dir()
    return False


@dataclass
class _Walk:
    """Goes through folders, those behind links last: what is there without a link is found under its own name."""

    root: Path
    leave_out: set[Path]
    images: list[Path] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    called_like_pictures: list[Path] = field(default_factory=list)

    def run(self) -> None:
        root = _resolved(self.root)
        seen = dict.fromkeys(root.parents, "a link to a folder that holds this one")
        folders, links = deque([self.root]), deque[Path]()
        while folders or links:
            folder = folders.popleft() if folders else links.popleft()
            place = _resolved(folder)
            if place in seen:
                self.skipped.append(Skipped(folder, seen[place]))
                continue
            seen[place] = f"a link to '{readable(folder.relative_to(self.root))}', which is read already"
            own = own_entries(folder)
            for entry in self._entries(folder):
                if entry.name in own:
                    self.skipped.append(Skipped(entry, OWN))
                elif self._is_open_folder(entry):
                    (links if entry.is_symlink() else folders).append(entry)

    def name_empty(self) -> None:
        """Note folders that are called like pictures and hold none."""
        for folder in self.called_like_pictures:
            if not any(folder in image.parents for image in self.images):
                self.skipped.append(Skipped(folder, "a folder, not a file"))

    def order(self, path: Path) -> tuple:
        return natural_key(path.relative_to(self.root).as_posix())

    def _entries(self, folder: Path) -> Iterator[Path]:
        try:
            yield from sorted(folder.iterdir())
        except FileNotFoundError:
            raise FlawsightError(f"no such folder: {folder}; check the path") from None
        except NotADirectoryError:
            raise FlawsightError(f"{folder} is a file; give the folder that holds the images") from None
        except OSError as error:
            if folder == self.root:
                raise FlawsightError(f"cannot list {folder}: {error.strerror}; check its permissions") from error
            self.skipped.append(Skipped(folder, f"the folder cannot be listed ({error.strerror})"))

    def _is_open_folder(self, entry: Path) -> bool:
        """Whether to go into the entry; a picture is kept, and all else noted as left out."""
        mode = _mode(entry)
        is_open = not isinstance(mode, str) and stat.S_ISDIR(mode)
        if isinstance(mode, str):
            reason = mode
        else:
            reason = self._why_not_into(entry) if is_open else _why_no_picture(entry, mode)
        if reason:
            self.skipped.append(Skipped(entry, reason))
        elif is_open and _is_called_like_picture(entry):
            self.called_like_pictures.append(entry)
        elif not is_open and _is_called_like_picture(entry):
            self.images.append(entry)
        return is_open and not reason

    def _why_not_into(self, folder: Path) -> str:
        if folder.name.startswith("."):
            return "a hidden folder"
        if is_own_folder(folder):
            return OWN
        return "the results go there" if self.leave_out and _resolved(folder) in self.leave_out else ""


def _mode(path: Path) -> int | str:
    """The mode of a file or of what a link leads to, or why there is none."""
    try:
        return path.stat().st_mode
    except FileNotFoundError:
        return "a link to nothing"
    except OSError as error:
        return f"it cannot be read ({error.strerror})"


def _why_no_picture(path: Path, mode: int) -> str:
    """Why a path is left out that is no folder; nothing is said of hidden files that are no pictures anyway."""
    if not stat.S_ISREG(mode):
        return f"{_KINDS.get(stat.S_IFMT(mode), 'something else')}, not a file"
    if path.name.startswith("."):
        return "a hidden file" if _is_called_like_picture(path) else ""
    if _is_called_like_picture(path):
        return ""
    suffix = readable(path.suffix.lower())
    return f"no picture by its suffix '{suffix}'" if suffix else "no picture by its name, which has no suffix"


def _is_called_like_picture(path: Path) -> bool:
    return path.suffix.lower() in IMAGE_SUFFIXES


def _resolved(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError):  # links that go in a circle
        return path.absolute()
