"""Full, read-only and damaged: it is said, nothing is half kept, and it goes on by itself."""

import os
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from flawsight.core import FlawsightError
from flawsight.station.history import Entry, History, NotKept
from flawsight.station.history import database as database_module
from flawsight.station.history.database import Database
from flawsight.station.history.schema import STEPS

Make = Callable[..., Entry]
Open = Callable[..., History]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1 MB; tests that need one are left out where it cannot be mounted."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)]
    try:
        done = subprocess.run(command, capture_output=True, check=False)
    except OSError:
        pytest.skip("there is no mount here")
    if done.returncode:
        pytest.skip("a small disk takes the right to mount one")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.mark.parametrize("size", [10, 3000, 100_000])
def test_a_full_disk(small_disk: Path, open_history: Open, entry: Make, size: int) -> None:
    history = open_history(small_disk / "history.db", sinks=("csv",))
    kept = []
    with pytest.raises(NotKept, match=r"history\.db.*(?i:full|no space)"):
        for _ in range(5000):
            one = [entry(thumbnail=os.urandom(size)) for _ in range(2)]
            history.add(one)
            kept += one
    assert kept and history.problem.startswith("2 verdicts are not kept")
    with pytest.raises(NotKept):
        history.add([entry(thumbnail=os.urandom(300_000)) for _ in range(3)])
    assert history.problem.startswith("5 verdicts are not kept")
    # What was answered is there, and what was not is not.
    assert [one.id for one in history.latest(10000)] == [one.record.id for one in reversed(kept)]
    assert history.waiting("csv") == len(kept)
    subprocess.run(["mount", "-o", "remount,size=4m", str(small_disk)], check=True)
    history.add([entry()])
    assert history.problem == "" and len(history.latest(10000)) == len(kept) + 1


def test_no_room_for_a_picture(small_disk: Path, open_history: Open, entry: Make) -> None:
    history = open_history(small_disk / "history.db")
    history.add([entry()])
    with pytest.raises(NotKept, match=r"(?i)no space"):
        history.add([entry(picture=os.urandom(10)), entry(picture=os.urandom(2_000_000))])
    assert len(history.latest()) == 1
    assert not list((small_disk / "history.pictures").rglob("*.part"))
    subprocess.run(["mount", "-o", "remount,size=8m", str(small_disk)], check=True)
    picture = os.urandom(2_000_000)
    one = entry(picture=picture)
    history.add([one])
    assert history.picture(one.record.id) == picture


def test_a_disk_that_becomes_read_only(open_history: Open, entry: Make) -> None:
    history = open_history()
    history.add([entry()])
    assert history._database._writer is not None
    history._database._writer.execute("PRAGMA query_only = ON")  # as SQLite says it then
    with pytest.raises(NotKept, match=r"history\.db.*readonly"):
        history.add([entry()])
    assert "1 verdicts are not kept" in history.problem
    history.add([entry()])
    assert history.problem == "" and len(history.latest()) == 2


def test_what_is_not_forgotten_is_said(open_history: Open, entry: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    history = open_history()

    def full(*_: object) -> int:
        raise NotKept("the disk is full")

    monkeypatch.setattr(history._pruner, "prune", full)
    assert history.prune() == 0 and history.problem == "nothing is forgotten: the disk is full"
    history.add([entry()])
    assert history.problem == ""


def test_a_file_that_is_damaged_while_it_is_open(open_history: Open, entry: Make, tmp_path: Path) -> None:
    history = open_history()
    history.add([entry(thumbnail=os.urandom(3000)) for _ in range(50)])
    history._database._close()  # so that nothing of it is remembered
    path = tmp_path / "kept" / "history.db"
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(size - 4096))
    with pytest.raises(NotKept, match=r"history\.db.*(malformed|corrupt|not a database)"):
        history.add([entry()])
    assert "not kept" in history.problem
    with pytest.raises(FlawsightError, match="cannot be read"):
        history.latest()


def test_a_file_that_was_taken_away_is_made_anew(open_history: Open, entry: Make, tmp_path: Path) -> None:
    history = open_history()
    history.add([entry()])
    path = tmp_path / "kept" / "history.db"
    path.rename(tmp_path / "elsewhere.db")
    one = entry()
    history.add([one])
    assert path.exists() and [record.id for record in history.latest()] == [one.record.id]


@pytest.mark.parametrize("content", [b"this is no database, but a text of some length" * 99, os.urandom(5000)])
def test_a_file_that_is_none(open_history: Open, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "history.db"
    path.write_bytes(content)
    with pytest.raises(FlawsightError, match=r"history\.db.*not a database.*move it"):
        open_history(path)
    assert path.read_bytes() == content
    path.unlink()
    open_history(path)  # and nothing holds it


def test_a_database_of_something_else(open_history: Open, tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE records (id)")
    connection.close()
    with pytest.raises(FlawsightError, match="a database of something else"):
        open_history(path)


def test_a_newer_file_is_refused(open_history: Open, entry: Make, tmp_path: Path) -> None:
    history = open_history()
    history.add([entry()])
    history.close()
    path = tmp_path / "kept" / "history.db"
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {len(STEPS) + 1}")
    connection.close()
    with pytest.raises(FlawsightError, match=rf"newer version of Flawsight \(format {len(STEPS) + 1}.*update"):
        open_history(path)


def test_an_older_file_is_brought_forward(open_history: Open, entry: Make, tmp_path: Path) -> None:
    history = open_history()
    one = entry()
    history.add([one])
    history.close()
    path = tmp_path / "kept" / "history.db"
    steps = [*STEPS, "ALTER TABLE records ADD COLUMN line TEXT NOT NULL DEFAULT 'one'; CREATE TABLE lines (name TEXT)"]
    for _ in range(2):  # the second time there is nothing to do
        database = Database(path, steps)
        with database.reading() as connection:
            assert connection.execute("SELECT id, line FROM records").fetchall()[0][:] == (one.record.id, "one")
            assert connection.execute("PRAGMA user_version").fetchone()[0] == len(steps)
        database.close()


def test_a_step_that_fails_changes_nothing(open_history: Open, entry: Make, tmp_path: Path) -> None:
    history = open_history()
    history.add([entry()])
    history.close()
    path = tmp_path / "kept" / "history.db"
    with pytest.raises(FlawsightError, match=r"history\.db"):
        Database(path, [*STEPS, "CREATE TABLE lines (name TEXT); CREATE TABLE records (id)"])
    assert len(open_history(path).latest()) == 1


def test_another_program_that_holds_the_file_is_not_waited_for_long(
    open_history: Open, entry: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "_PATIENCE", 0.05)
    history = open_history()
    other = sqlite3.connect(tmp_path / "kept" / "history.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(NotKept, match="locked"):
        history.add([entry()])
    other.execute("ROLLBACK")
    other.close()
    history.add([entry()])
    assert history.problem == ""


def test_every_commit_is_on_the_disk(open_history: Open, entry: Make) -> None:
    history = open_history()
    with history._database.writing() as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
        assert connection.execute("PRAGMA synchronous").fetchone()[0] == 2  # FULL
