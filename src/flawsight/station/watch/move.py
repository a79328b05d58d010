"""Moving a file so that nothing is overwritten and nothing lost, over file systems too, whenever it is killed."""

from __future__ import annotations

import errno
import filecmp
import os
import shutil
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
    """Make `place` a whole copy of the file, or a second name of it; FileExistsError where it is taken."""
    try:
        os.link(path, place, follow_symlinks=False)
        return
    except FileExistsError:
        raise
    except OSError as error:
        if error.errno != errno.EXDEV and error.errno not in _WITHOUT_LINKS:
            raise
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
        except OSError:  # a name is taken by making an empty file of it: only ours is replaced then
            place.touch(exist_ok=False)
            partial.replace(place)
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def _is_moved(path: Path, place: Path) -> bool:
    """Whether it is a copy of this very file, made before a kill, and not another of the same name."""
    ours, theirs = path.stat(), place.stat()
    if os.path.samestat(ours, theirs):
        return True
    apart = abs(ours.st_mtime_ns - theirs.st_mtime_ns)
    is_rounded = theirs.st_mtime_ns % 1_000_000_000 == 0 and apart < _COARSE_NS
    return ours.st_size == theirs.st_size and (not apart or is_rounded) and filecmp.cmp(path, place, shallow=False)
