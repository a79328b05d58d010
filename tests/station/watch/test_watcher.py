"""No picture is lost and none inspected twice, whatever cameras, drives and people do."""

import os
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flawsight.core import FlawsightError
from flawsight.station.history import History
from flawsight.station.watch import Watcher
from flawsight.station.watch.status import Pace

Watch = Callable[..., Watcher]
Until = Callable[[Callable[[], object]], None]
LOOKS = 0.4
"""Seconds in which one looks several times."""


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def put(folder: Path, *given: str, data: bytes = b"picture") -> None:
    for name in given:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


@pytest.mark.parametrize("moves", [False, True])
def test_pictures_are_inspected_once(
    watch: Watch, camera: Path, inspecting: Any, history: History, until: Until, tmp_path: Path, moves: bool
) -> None:
    given = ["old.png", "ä ö.JPG", "line 3/2024/x.bmp"]
    put(camera, *given[:1])
    watcher = watch(tmp_path / "done" if moves else None)
    put(camera, *given[1:])
    until(lambda: len(inspecting.names) == 3 and watcher.status().waiting == 0)
    time.sleep(LOOKS)
    assert sorted(inspecting.names) == sorted(given) == sorted(one.picture for one in history.latest())
    assert names(tmp_path / "done" if moves else camera) == sorted(given)
    assert not moves or names(camera) == []
    status = watcher.status()
    assert (status.folder, status.inspected, status.problem, status.left_alone) == (str(camera), 3, "", "")


def test_a_burst(watch: Watch, camera: Path, inspecting: Any, history: History, until: Until, tmp_path: Path) -> None:
    put(camera, *(f"{n}.png" for n in range(300)))
    watch(tmp_path / "done")
    put(camera, *(f"{n}.png" for n in range(300, 1000)))
    until(lambda: len(names(tmp_path / "done")) == 1000)
    assert len(inspecting.names) == len(set(inspecting.names)) == 1000
    assert sum(history.counts().values()) == 1000


def test_what_is_still_written_is_waited_for(watch: Watch, camera: Path, inspecting: Any, until: Until) -> None:
    pace = Pace(poll=0.05, quiet=0.3, again=0.05)
    watch(pace=pace)
    with (camera / "slow.png").open("wb") as file:
        for _ in range(40):
            file.write(b"x" * 100)
            file.flush()
            time.sleep(0.02)
    until(lambda: inspecting.pictures)
    time.sleep(LOOKS)
    assert inspecting.pictures == [b"x" * 4000]


def test_two_writers(watch: Watch, camera: Path, inspecting: Any, until: Until) -> None:
    watch(pace=Pace(poll=0.05, quiet=0.3, again=0.05))

    def write(letter: bytes) -> None:
        with (camera / "both.png").open("ab") as file:
            for _ in range(20):
                file.write(letter)
                file.flush()
                time.sleep(0.03)

    writers = [threading.Thread(target=write, args=(letter,)) for letter in (b"a", b"b")]
    for one in writers:
        one.start()
    for one in writers:
        one.join()
    until(lambda: inspecting.pictures)
    time.sleep(LOOKS)
    assert [len(one) for one in inspecting.pictures] == [40]


def test_a_file_that_is_renamed_is_taken_at_once(watch: Watch, camera: Path, inspecting: Any, until: Until) -> None:
    watch(pace=Pace(poll=0.02, quiet=3600.0, again=0.05))
    put(camera, "a.png.part", ".b.png", "waits.png")
    time.sleep(LOOKS)
    assert inspecting.names == []
    (camera / "a.png.part").rename(camera / "a.png")
    (camera / ".b.png").rename(camera / "b.png")
    until(lambda: sorted(inspecting.names) == ["a.png", "b.png"])


LEFT = ["a.png.part", "b.tmp", ".c.png", "~d.png", "e.png~", "f.part.png", "g.crdownload", ".hidden/h.png", "Thumbs.db"]


def test_what_is_left_alone(watch: Watch, camera: Path, inspecting: Any, until: Until, tmp_path: Path) -> None:
    others = ["notes.txt", "scan.xyz"]
    put(camera, *LEFT, *others, "picture.png")
    os.mkfifo(camera / "pipe.png")
    watcher = watch(tmp_path / "done")
    until(lambda: inspecting.names)
    time.sleep(LOOKS)
    assert inspecting.names == ["picture.png"] and names(camera) == sorted(LEFT + others)
    assert watcher.status().left_alone == "no pictures: notes.txt, scan.xyz" and watcher.status().problem == ""


def test_done_within_the_folder(watch: Watch, camera: Path, inspecting: Any, until: Until, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(camera)
    put(camera, "a.png", "done of others/b.png")
    watch(tmp_path / "link" / "done")
    until(lambda: len(names(camera / "done")) == 2)
    time.sleep(LOOKS)
    assert sorted(inspecting.names) == ["a.png", "done of others/b.png"]


def test_done_is_not_the_folder_itself(inspecting: Any, camera: Path, history: History, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(camera)
    for done in (camera, tmp_path / "link"):
        with pytest.raises(FlawsightError, match="must go to another folder"):
            Watcher(camera, done, inspecting, history)


def test_nothing_is_overwritten(watch: Watch, camera: Path, until: Until, tmp_path: Path) -> None:
    done = tmp_path / "done"
    put(done, "a.png", data=b"was there")
    watch(done)
    for number in range(3):
        put(camera, "a.png", data=b"%d" % number)
        until(lambda: not names(camera))
    assert {name: (done / name).read_bytes() for name in names(done)} == {
        "a.png": b"was there", "a_2.png": b"0", "a_3.png": b"1", "a_4.png": b"2",
    }  # fmt: skip


def test_a_file_written_anew_is_another_picture(watch: Watch, camera: Path, inspecting: Any, until: Until) -> None:
    watch()
    for number in range(3):
        put(camera, "image.bmp", data=b"%d" % number)
        until(lambda number=number: len(inspecting.pictures) == number + 1)
    assert inspecting.pictures == [b"0", b"1", b"2"]


def test_a_file_written_anew_while_it_is_inspected_is_not_moved(
    watch: Watch, camera: Path, inspecting: Any, until: Until, tmp_path: Path
) -> None:
    inspecting.goes.clear()
    watcher = watch(tmp_path / "done")
    put(camera, "image.bmp", data=b"first")
    until(lambda: watcher._flying)
    put(camera, "image.bmp", data=b"second")
    inspecting.goes.set()
    until(lambda: names(tmp_path / "done") == ["image.bmp"])
    assert inspecting.pictures == [b"first", b"second"] and (tmp_path / "done/image.bmp").read_bytes() == b"second"


@pytest.mark.parametrize("moves", [False, True])
def test_restarts(watch: Watch, camera: Path, inspecting: Any, until: Until, tmp_path: Path, moves: bool) -> None:
    for number in range(4):
        put(camera, *(f"{number}-{n}.png" for n in range(5)))
        watcher = watch(tmp_path / "done" if moves else None)
        until(lambda number=number: len(inspecting.names) == 5 * (number + 1))
        watcher.stop()
    assert len(set(inspecting.names)) == 20
    assert not moves or len(names(tmp_path / "done")) == 20


def test_what_was_inspected_and_not_moved_is_only_moved(
    watch: Watch, camera: Path, inspecting: Any, until: Until, tmp_path: Path
) -> None:
    put(camera, "a.png")
    watcher = watch()
    until(lambda: watcher.status().inspected == 1)
    watcher.stop()
    watch(tmp_path / "done")
    until(lambda: names(tmp_path / "done") == ["a.png"])
    assert inspecting.names == ["a.png"]


def test_the_same_file_again_after_it_was_moved(
    watch: Watch, camera: Path, inspecting: Any, until: Until, tmp_path: Path
) -> None:
    """Even with the very same size and time: drives with coarse clocks have such."""
    watch(tmp_path / "done")
    for number in range(3):
        (tmp_path / "new.png").write_bytes(b"picture")
        os.utime(tmp_path / "new.png", (1_700_000_000, 1_700_000_000))
        (tmp_path / "new.png").rename(camera / "image.bmp")
        until(lambda number=number: len(inspecting.names) == number + 1 and not names(camera))
    assert len(names(tmp_path / "done")) == 3


def test_an_error_is_moved_too(watch: Watch, camera: Path, history: History, until: Until, tmp_path: Path) -> None:
    put(camera, "x.png", data=b"bad")
    watch(tmp_path / "done")
    until(lambda: names(tmp_path / "done") == ["x.png"])
    assert [one.verdict for one in history.latest()] == ["error"]


def test_what_is_not_kept_stays_and_is_inspected_again(
    watch: Watch, camera: Path, inspecting: Any, history: History, until: Until, tmp_path: Path
) -> None:
    inspecting.is_full = True
    put(camera, "a.png", "b.png")
    watcher = watch(tmp_path / "done")
    until(lambda: len(inspecting.names) > 4)
    assert names(camera) == ["a.png", "b.png"] and not (tmp_path / "done").exists()
    assert "cannot be kept: it stays" in watcher.status().problem and watcher.status().waiting == 2
    inspecting.is_full = False
    until(lambda: names(tmp_path / "done") == ["a.png", "b.png"])
    until(lambda: watcher.status().problem == "")
    assert sorted(one.picture for one in history.latest()) == ["a.png", "b.png"]


def test_a_queue_that_refuses(watch: Watch, camera: Path, inspecting: Any, until: Until) -> None:
    inspecting.failures = [FlawsightError("the queue is full"), ValueError("x"), FlawsightError("stopping")]
    put(camera, "a.png")
    watcher = watch(pace=Pace(0.05, 0.03, 0.3))
    until(lambda: "not inspected yet (the queue is full)" in watcher.status().problem)
    until(lambda: inspecting.names == ["a.png"] and not watcher.status().problem)


def test_a_folder_that_vanishes_and_comes_back(watch: Watch, camera: Path, inspecting: Any, until: Until) -> None:
    put(camera, "a.png")
    watcher = watch()
    until(lambda: inspecting.names == ["a.png"])
    away = camera.with_name("away")
    camera.rename(away)
    until(lambda: "waiting for it to come back" in watcher.status().problem)
    put(away, "b.png")
    away.rename(camera)
    until(lambda: inspecting.names == ["a.png", "b.png"] and not watcher.status().problem)
    shutil.rmtree(camera)
    until(lambda: watcher.status().problem)
    put(camera, "c.png")  # another folder of the same name
    until(lambda: inspecting.names == ["a.png", "b.png", "c.png"])


def test_a_folder_that_is_not_there_yet(watch: Watch, inspecting: Any, until: Until, tmp_path: Path) -> None:
    watcher = watch(folder=tmp_path / "later" / "camera")
    until(lambda: "cannot be read" in watcher.status().problem)
    put(tmp_path / "later" / "camera", "a.png")
    until(lambda: inspecting.names == ["a.png"])


def test_a_drive_that_is_away_is_not_forgotten(
    watch: Watch, camera: Path, inspecting: Any, history: History, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty folder where a drive was says nothing about its files."""
    monkeypatch.setattr("flawsight.station.watch.ledger._TIDY", 0.05)
    put(camera, "a.png", "b.png")
    watch()
    until(lambda: len(inspecting.names) == 2)
    with history._database.writing() as connection:  # as if it were long ago
        connection.execute("DELETE FROM records")
    away = camera.with_name("away")
    camera.rename(away)
    camera.mkdir()
    time.sleep(LOOKS)
    camera.rmdir()
    (away / "b.png").unlink()
    away.rename(camera)
    time.sleep(LOOKS)
    assert len(inspecting.names) == 2
    assert history.forgotten_files(str(camera)) == [str(camera / "a.png")]  # and b, which is gone, is forgotten


def test_without_notices(
    watch: Watch, camera: Path, inspecting: Any, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*_: object, **__: object) -> None:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr("watchfiles.watch", none)
    watch()
    put(camera, "a.png")
    until(lambda: inspecting.names == ["a.png"])


def test_notices_wake_it(watch: Watch, camera: Path, inspecting: Any, until: Until) -> None:
    watch(pace=Pace(poll=3600.0, quiet=0.03, again=0.05))
    time.sleep(LOOKS)  # for the first look, at nothing
    deadline = time.monotonic() + 50
    while not inspecting.names and time.monotonic() < deadline:
        put(camera, "a.png")
        time.sleep(LOOKS)
    assert inspecting.names


def test_a_file_that_cannot_be_read(
    watch: Watch, camera: Path, inspecting: Any, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, held = Path.open, {"a.png"}

    def open_(path: Path, *given: Any, **more: Any) -> Any:
        if path.name in held:
            raise PermissionError(13, "Permission denied")
        return opened(path, *given, **more)

    monkeypatch.setattr(Path, "open", open_)
    put(camera, "b.png")
    (camera / "b.png").rename(camera / "a.png")
    put(camera, "c.png")
    watcher = watch()
    until(lambda: inspecting.names == ["c.png"] and "cannot be read (Permission denied)" in watcher.status().problem)
    held.clear()
    until(lambda: inspecting.names == ["c.png", "a.png"] and not watcher.status().problem)


def test_a_folder_to_move_to_that_is_away(
    watch: Watch, camera: Path, inspecting: Any, until: Until, tmp_path: Path
) -> None:
    (tmp_path / "done").touch()  # no folder
    put(camera, "a.png")
    watcher = watch(tmp_path / "done")
    until(lambda: "cannot be moved" in watcher.status().problem)
    (tmp_path / "done").unlink()
    until(lambda: names(tmp_path / "done") == ["a.png"])
    assert inspecting.names == ["a.png"]


def test_empty_and_too_big_files_are_said(watch: Watch, camera: Path, inspecting: Any, until: Until) -> None:
    put(camera, "empty.png", data=b"")
    put(camera, "big.png", data=bytes(1001))
    put(camera, "fine.png", data=bytes(1000))
    watcher = watch(max_bytes=1000)
    until(lambda: inspecting.names == ["fine.png"])
    until(lambda: "(and 1 more)" in watcher.status().problem)
    put(camera, "empty.png", data=b"x")
    (camera / "big.png").unlink()
    until(lambda: inspecting.names == ["fine.png", "empty.png"] and not watcher.status().problem)


def test_what_nobody_thought_of_does_not_end_it(
    watch: Watch, camera: Path, inspecting: Any, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("flawsight.station.watch.watcher.look", lambda *_: 1 / 0)
        watcher = watch()
        until(lambda: "failed (ZeroDivisionError)" in watcher.status().problem)
    put(camera, "a.png")
    until(lambda: inspecting.names == ["a.png"])


def test_a_name_that_is_no_unicode(watch: Watch, camera: Path, inspecting: Any, until: Until, tmp_path: Path) -> None:
    put(camera, "B\udcf6.png")
    watcher = watch(tmp_path / "done")
    until(lambda: names(tmp_path / "done") == ["B\udcf6.png"])
    assert inspecting.names == ["B\\xf6.png"] and watcher.status().problem == ""


def test_stopping_moves_what_is_being_inspected(
    watch: Watch, camera: Path, inspecting: Any, until: Until, tmp_path: Path
) -> None:
    inspecting.goes.clear()
    put(camera, "a.png")
    watcher = watch(tmp_path / "done")
    until(lambda: watcher._flying)
    threading.Timer(0.2, inspecting.goes.set).start()
    watcher.stop()
    assert names(tmp_path / "done") == ["a.png"]
