"""What lies in a watched folder: pictures, files that are still being written, and what is none."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from flawsight.data.names import is_called_like_image

_TEMPORARY = (".part", ".tmp", ".temp", ".partial", ".filepart", ".crdownload", ".swp")
_CLUTTER = ("thumbs.db", "desktop.ini")


@dataclass(frozen=True)
class Seen:
    """A file as a look finds it."""

    size: int
    modified_ns: int
    inode: int


@dataclass(frozen=True)
class Look:
    """Pictures by path; temporary files by inode; names of what is no picture; folders that cannot be read, and why."""

    pictures: dict[Path, Seen] = field(default_factory=dict)
    temporary: set[int] = field(default_factory=set)
    others: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    is_empty: bool = True


def is_temporary(name: str) -> bool:
    """Whether a name says that somebody is still writing: hidden, `~`, `.part`, `.tmp`, also before the suffix."""
    lower = name.lower()
    return lower.startswith((".", "~")) or lower.endswith(("~", *_TEMPORARY)) or Path(lower).stem.endswith(_TEMPORARY)


def look(folder: Path, leave_out: Path | None = None) -> Look:
    """Look into a folder and those below it; OSError where the folder itself cannot be read.

    Hidden folders, links to folders and the folder `leave_out` are left out. A file that goes meanwhile is not there.
    """
    found = Look()
    is_empty = True
    folders = [folder]
    while folders:
        here = folders.pop()
        try:
            with os.scandir(here) as entries:
                for entry in entries:
                    is_empty = False
                    _take(entry, found, folders, leave_out)
        except OSError as error:
            if here == folder:
                raise
            if not isinstance(error, FileNotFoundError):
                found.unread.append(f"{here} ({error.strerror})")
    return Look(found.pictures, found.temporary, found.others, found.unread, is_empty)


def _take(entry: os.DirEntry[str], found: Look, folders: list[Path], leave_out: Path | None) -> None:
    path = Path(entry.path)
    if entry.is_dir(follow_symlinks=False):
        is_left_out = leave_out is not None and entry.name == leave_out.name and _is_same(path, leave_out)
        if not entry.name.startswith(".") and not is_left_out:
            folders.append(path)
        return
    if not entry.is_file():  # pipes would wait for ever
        return
    if is_temporary(entry.name):
        found.temporary.add(entry.inode())
    elif not is_called_like_image(path):
        if entry.name.lower() not in _CLUTTER:
            found.others.append(entry.name)
    else:
        try:
            stat = path.stat()  # not the entry's: Windows keeps an old size in the folder's list
        except FileNotFoundError:
            return
        found.pictures[path] = Seen(stat.st_size, stat.st_mtime_ns, entry.inode())


def _is_same(path: Path, other: Path) -> bool:
    with suppress(OSError):
        return path.samefile(other)
    return False
