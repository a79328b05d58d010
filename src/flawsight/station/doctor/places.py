"""Where the station reads and writes: the history's disk, watched folders, the port."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import sqlite3
import statistics
import tempfile
import time
from contextlib import closing
from pathlib import Path

from flawsight.bundle import Manifest
from flawsight.station.doctor.check import Check
from flawsight.station.doctor.limits import MIB

GB = 10**9
KEPT_BY_DEFAULT = 10 * GB
LEAST = GB // 10
SLOW_COMMIT_MS = 50.0
NETWORK = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "fuse.sshfs"}
_COMMITS, _BLOCK, _LARGE = 20, 4096, 8 * MIB
_KEPT = 0.02
_DAY = 86_400


def existing(folder: Path) -> Path:
    """The folder, or the nearest above it that is there."""
    folder = folder.absolute()
    return next(one for one in (folder, *folder.parents) if one.exists())


def disk(history: Path, manifest: Manifest | None) -> Check:
    """Room where the history will be, how fast a commit is there, and how long the room lasts."""
    place = existing(history.parent)
    kind = file_system(place)
    if kind in NETWORK:
        found = f"'{place}' is a network drive ({kind}), on which SQLite's journal is not safe"
        return Check("disk", "failed", found, "put --history on a disk of this machine")
    free = shutil.disk_usage(place).free
    text = f"{free / GB:.1f} GB free at '{place}'"
    if free < LEAST:
        return Check(
            "disk", "failed", text, f"make room: a station wants {KEPT_BY_DEFAULT / GB:.0f} GB, see --keep-size"
        )
    try:
        commit, speed = _speed(place)
    except OSError as error:
        return Check("disk", "failed", f"{text}; it cannot be written ({error.strerror})", "see permissions below")
    text += f"; {commit:.1f} ms to write a verdict for good, {speed:.0f} MB/s"
    size = _picture_bytes(manifest)
    if size:
        a_day = _KEPT * _DAY * size
        text += f"; at one picture a second, of which one in {1 / _KEPT:.0f} is kept, {_amount(a_day)} a day at most"
    if commit > SLOW_COMMIT_MS:
        return Check(
            "disk", "warning", text, f"verdicts are written one by one: no more than {1000 / commit:.0f} a second"
        )
    if free < KEPT_BY_DEFAULT:
        return Check("disk", "warning", text, f"keep less than is free: --keep-size {max(1, int(free / 2 / GB))}GB")
    return Check("disk", "ok", text)


def _amount(size: float) -> str:
    return f"{size / GB:.1f} GB" if size >= GB else f"{size / 1e6:.0f} MB"


def _speed(place: Path) -> tuple[float, float]:
    """Median milliseconds of a block that is on the disk for good, and MB a second of many; no file has a name."""
    block, large, times = os.urandom(_BLOCK), os.urandom(_LARGE), []
    with tempfile.TemporaryFile(dir=place, buffering=0) as file:
        for _ in range(_COMMITS):
            times.append(_written(file.fileno(), block))
        return statistics.median(times), _LARGE / 1e3 / max(1e-6, _written(file.fileno(), large))


def _written(file: int, data: bytes) -> float:
    start = time.perf_counter()
    left = memoryview(data)
    while left:
        left = left[os.write(file, left) :]
    os.fsync(file)
    return 1000 * (time.perf_counter() - start)


def _picture_bytes(manifest: Manifest | None) -> int:
    """Of a picture as it lies in memory; a file is smaller. 0 where the bundle does not know."""
    pixels = manifest.data.pixels if manifest else None
    if pixels is None or pixels.sizes is None:
        return 0
    height, width = pixels.sizes[1]
    channels = 1 if pixels.is_colour is False or pixels.bayer else 3
    return height * width * channels * (1 if pixels.samples == "byte" else 2)


def file_system(folder: Path, mounts: Path = Path("/proc/mounts")) -> str:
    """The kind of file system that a folder is on; empty where the system does not tell."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    kind, deepest = "", -1
    for line in lines:
        _, point, found, *_ = line.split(" ")
        point = point.replace("\\040", " ")
        if folder.resolve().is_relative_to(point) and len(point) >= deepest:
            kind, deepest = found, len(point)
    return kind


def history_folder(history: Path) -> Check:
    """Whether the verdicts can be written by whoever runs this, and what is there already can be read."""
    place, who = existing(history.parent), _user()
    remedy = f"give the user who runs the station the folder: chown -R USER '{place}'"
    if not place.is_dir():
        return Check("history", "failed", f"'{place}' is no folder", "choose another --history")
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        return Check("history", "failed", f"'{place}' cannot be written by {who} ({error.strerror})", remedy)
    if not history.exists():
        return Check("history", "ok", f"'{history}' will be made; {who} may write there")
    if not os.access(history, os.R_OK | os.W_OK):
        return Check("history", "failed", f"'{history}' cannot be written by {who}", remedy)
    try:
        # Read only, and not even locked: a station may be at work on it.
        with closing(sqlite3.connect(f"{history.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as file:
            file.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.Error as error:
        remedy = "choose another --history, or put a copy from the backup in its place"
        return Check("history", "failed", f"'{history}' is no history ({error})", remedy)
    return Check("history", "ok", f"'{history}' is there; {who} may write it")


def watched(folder: Path) -> Check:
    """Whether a folder can be read, and pictures be moved out of it."""
    name, who = f"folder {folder.name}", _user()
    if not folder.is_dir():
        return Check(
            name, "failed", f"'{folder}' is not there", "make it, or mount the drive; the station waits for it"
        )
    try:
        with os.scandir(folder) as entries:
            count = sum(entry.is_file() for entry in entries)
    except OSError as error:
        return Check(name, "failed", f"{who} cannot read '{folder}' ({error.strerror})", f"let {who} read it")
    kind = file_system(folder)
    text = f"'{folder}': {count} files" + (f", a network drive ({kind}), looked at every second" * (kind in NETWORK))
    if not os.access(folder, os.W_OK | os.X_OK):
        remedy = f"needed for --done alone: let {who} write it"
        return Check(name, "warning", f"{text}; pictures cannot be moved out of it", remedy)
    return Check(name, "ok", text)


def port(number: int, host: str = "127.0.0.1") -> Check:
    """Whether the port can be listened on."""
    if number == 0:
        return Check("port", "ok", "any that is free")
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        if os.name != "nt":  # as servers do; on Windows it would let two share the port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, number))
            listener.listen(1)
        except OSError as error:
            remedy = "stop what listens there (a station that runs already?), or choose another --port"
            return Check("port", "failed", f"{number} cannot be listened on ({error.strerror})", remedy)
    return Check("port", "ok", f"{number} is free")


def _user() -> str:
    try:
        return f"user {getpass.getuser()}"
    except (KeyError, OSError):  # a user without a name, as containers have
        return f"user {os.getuid()}" if hasattr(os, "getuid") else "this user"
