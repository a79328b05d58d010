"""Disk, permissions and port; nothing is left behind."""

import errno
import os
import shutil
import socket
import sqlite3
import tempfile
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path

import pytest

from flawsight.bundle import read_manifest
from flawsight.station.doctor import places

Usage = namedtuple("Usage", "total used free")


def everything(folder: Path) -> list[tuple[str, bytes]]:
    return sorted((str(path), path.read_bytes() if path.is_file() else b"") for path in folder.rglob("*"))


def test_room_and_speed_where_the_history_will_be(tmp_path: Path, bundle: Path) -> None:
    check = places.disk(tmp_path / "not" / "yet" / "history.db", read_manifest(bundle))
    assert check.state in ("ok", "warning") and f"'{tmp_path}'" in check.found and "a day" in check.found
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("free", "state", "remedy"), [(10**7, "failed", "make room"), (4 * 10**9, "warning", "2GB")])
def test_too_little_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, state: str, remedy: str) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**12, 0, free))
    monkeypatch.setattr(places, "_speed", lambda _: (1.0, 100.0))
    check = places.disk(tmp_path / "history.db", None)
    assert check.state == state and remedy in check.remedy


def test_a_slow_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "_speed", lambda _: (200.0, 1.0))
    check = places.disk(tmp_path / "history.db", None)
    assert check.state == "warning" and "no more than 5 a second" in check.remedy


def test_a_network_drive_is_no_place_for_sqlite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "file_system", lambda _: "nfs4")
    assert places.disk(tmp_path / "history.db", None).state == "failed"
    assert "network drive (nfs4)" in places.watched(tmp_path).found


def test_the_deepest_mount_counts(tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    drive = tmp_path / "a b"
    drive.mkdir()
    mounts.write_text(f"/dev/a / ext4 rw 0 0\n//b/c {str(drive).replace(' ', chr(92) + '040')} cifs rw 0 0\n")
    assert places.file_system(drive, mounts) == "cifs" and places.file_system(tmp_path, mounts) == "ext4"
    assert places.file_system(tmp_path, tmp_path / "none") == ""


def test_who_cannot_write_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    check = places.history_folder(tmp_path / "history.db")
    assert check.state == "failed" and "Permission denied" in check.found and "chown" in check.remedy
    assert places.disk(tmp_path / "history.db", None).state == "failed"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    assert places.history_folder(tmp_path / "history.db").state == "failed"
    assert places.watched(tmp_path).state == "warning"


def test_a_history_that_is_there_is_read_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    with sqlite3.connect(path) as file:
        file.execute("PRAGMA journal_mode=WAL")
        file.execute("CREATE TABLE verdict (id TEXT)")
        file.commit()
        before = everything(tmp_path)
        assert places.history_folder(path).state == "ok"
        assert everything(tmp_path) == before
    file.close()
    path.write_bytes(b"this is no database at all" * 100)
    check = places.history_folder(path)
    assert check.state == "failed" and "is no history" in check.found


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    check = places.history_folder(tmp_path / "file" / "history.db")
    assert check.state == "failed" and "is no folder" in check.found


def test_watched_folders(tmp_path: Path) -> None:
    check = places.watched(tmp_path / "camera")
    assert check.state == "failed" and "is not there" in check.found
    (tmp_path / "camera").mkdir()
    (tmp_path / "camera" / "1.png").touch()
    check = places.watched(tmp_path / "camera")
    assert check.state == "ok" and "1 files" in check.found


def test_a_port_that_is_taken() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        check = places.port(taken)
        assert check.state == "failed" and str(taken) in check.found and "--port" in check.remedy
    assert places.port(taken).state == "ok" and places.port(0).state == "ok"


def test_nothing_is_left_behind(tmp_path: Path, bundle: Path, flawsight: Callable) -> None:
    (tmp_path / "camera").mkdir()
    before = everything(tmp_path), everything(bundle)
    options = ("--history", tmp_path / "kept" / "history.db", "--watch", tmp_path / "camera", "--port", 0)
    assert flawsight("doctor", bundle, *options).code == 0
    assert (everything(tmp_path), everything(bundle)) == before
