"""A new bundle in the place of an old one, so that a kill leaves one of both there, whole."""

from __future__ import annotations

import ctypes
import os
import shutil
import sys
import time
from pathlib import Path

from flawsight.bundle import check_files, read_manifest
from flawsight.bundle.store import MANIFEST
from flawsight.core import FlawsightError, sha256_of

_AT_FDCWD, _RENAME_EXCHANGE = -100, 2
_DIGITS = 16


def replace_bundle(folder: Path, new: Path) -> Path:
    """Put a copy of the bundle `new` at `folder`; the old one is kept as NAME.before-DATE, which is returned.

    FlawsightError where the new one is damaged, or the folder's place cannot be written; then nothing has changed.
    """
    folder = folder.resolve()  # what a bundle is called is the name of the folder itself, not of a link to it
    check_files(new, read_manifest(new))
    beside = _beside(folder, new)
    try:
        shutil.rmtree(beside, ignore_errors=True)
        shutil.copytree(new, beside)
        for path in (*beside.iterdir(), beside):
            _sync(path)
        check_files(beside, read_manifest(beside))
        _exchange(folder, beside)
        before = _before(folder)
        beside.rename(before)
        _sync(folder.parent)
    except OSError as error:
        if sha256_of(folder / MANIFEST) != sha256_of(new / MANIFEST):
            shutil.rmtree(beside, ignore_errors=True)
        raise FlawsightError(
            f"the new bundle cannot be put in the place of '{folder}' ({error.strerror}): the station's user must be "
            f"able to write in '{folder.parent}', and there must be room"
        ) from error
    return before


def settle(folder: Path) -> None:
    """Bring to an end what a kill interrupted, before a bundle is read: see to it that one is at `folder`."""
    folder = folder.resolve()
    for beside in sorted(folder.parent.glob(f"{folder.name}.next-*")):
        digest = beside.name.rpartition("-")[2]
        if not folder.exists():  # between two renames, where a system cannot exchange
            beside.rename(folder)
        elif _digest(folder) == digest:  # it is there, and what was there lies beside it
            beside.rename(_before(folder))
        else:  # it was still being copied
            shutil.rmtree(beside, ignore_errors=True)


def _beside(folder: Path, new: Path) -> Path:
    return folder.with_name(f"{folder.name}.next-{_digest(new)}")


def _digest(folder: Path) -> str:
    return sha256_of(folder / MANIFEST)[:_DIGITS] if (folder / MANIFEST).exists() else ""


def _before(folder: Path) -> Path:
    """A name that is not taken."""
    stamp = time.strftime("%Y-%m-%d", time.localtime())
    names = (f"{folder.name}.before-{stamp}{f'-{number}' if number else ''}" for number in range(10_000))
    return next(path for name in names if not (path := folder.with_name(name)).exists())


def _exchange(one: Path, other: Path) -> None:
    """Each takes the other's name: at once on Linux, elsewhere by renaming, where `settle` ends what is interrupted."""
    if sys.platform.startswith("linux"):
        try:
            rename = ctypes.CDLL(None, use_errno=True).renameat2
        except AttributeError:  # an old C library
            rename = None
        names = os.fsencode(one), os.fsencode(other)
        if rename is not None and rename(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE) == 0:
            return
    aside = _before(one)
    one.rename(aside)
    other.rename(one)
    aside.rename(other)


def _sync(path: Path) -> None:
    """See to it that a file, or a folder's names, are on the disk."""
    if path.is_dir() and os.name == "nt":
        return
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
