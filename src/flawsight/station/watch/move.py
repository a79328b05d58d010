"""Moving a file so that nothing is overwritten and nothing lost, over file systems too, whenever it is killed."""

from __future__ import annotations

import errno
import filecmp
import os
import shutil
import stat
from contextlib import suppress
from itertools import count
from pathlib import Path

_WITHOUT_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EINVAL, errno.EACCES)
_COARSE_NS = 2_000_000_000


def move(path: Path, target: Path) -> Path:
    """Move a file to `target`, with a number in its name where that is taken; where it is now. OSError if it fails.

    Called again after it was killed, it ends what it began: there is one copy.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    for number in count(1):
        place = target if number == 1 else target.with_stem(f"{target.stem}_{number}")
        if place.exists() or place.is_symlink():
            if _is_moved(path, place):
                break
            continue
        try:
            _put(path, place)
            break
        except FileExistsError:
            continue
    path.unlink(missing_ok=True)
    return place


def _put(path: Path, place: Path) -> None:
    """Make `place` the file or a whole copy of it; FileExistsError where it is taken."""
    try:
        os.link(path, place, follow_symlinks=False)
    except FileExistsError:
        raise
    except OSError as error:
        if error.errno == errno.EXDEV:
            _copy(path, place)
        elif error.errno in _WITHOUT_LINKS:
            _rename(path, place)
        else:
            raise


def _copy(path: Path, place: Path) -> None:
    partial = place.with_name(f".{place.name}.part")
    try:
        shutil.copyfile(path, partial)
        with partial.open("r+b") as file:
            os.fsync(file.fileno())
        shutil.copystat(path, partial)
        try:
            os.link(partial, place)
        except FileExistsError:
            raise
        except OSError:
            _rename(partial, place)
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def _rename(path: Path, place: Path) -> None:
    """A name is taken by making an empty file of it: only ours is replaced then."""
    place.touch(exist_ok=False)
    path.replace(place)


def _is_moved(path: Path, place: Path) -> bool:
    """Whether it is this very file, or a copy on another disk, made before a kill, and not another of the same name."""
    ours, theirs = path.lstat(), place.lstat()
    if os.path.samestat(ours, theirs):
        return True
    if ours.st_dev == theirs.st_dev or not stat.S_ISREG(theirs.st_mode):
        return False  # nothing is copied within a disk
    apart = abs(ours.st_mtime_ns - theirs.st_mtime_ns)
    is_rounded = theirs.st_mtime_ns % 1_000_000_000 == 0 and apart < _COARSE_NS
    return ours.st_size == theirs.st_size and (not apart or is_rounded) and filecmp.cmp(path, place, shallow=False)
