"""A camera's folder, and a station that inspects in no time."""

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest

from flawsight.settings.station import HistoryOptions
from flawsight.station.engine import Answer
from flawsight.station.history import Entry, History, NotKept, Record, Watched, new_id
from flawsight.station.watch import Watcher
from flawsight.station.watch.status import Pace

PACE = Pace(poll=0.05, quiet=0.03, again=0.05)


class Inspecting:
    """Takes pictures and answers when their records are in the history; what begins with `bad` is an error."""

    def __init__(self, history: History) -> None:
        self.history = history
        self.names: list[str] = []
        self.pictures: list[bytes] = []
        self.failures: list[Exception] = []
        self.is_full = False
        self.goes = threading.Event()
        self.goes.set()

    def __call__(self, picture: bytes, name: str, watched: Watched) -> Future[Answer]:
        if self.failures:
            raise self.failures.pop(0)
        future: Future[Answer] = Future()
        threading.Thread(target=self.answer, args=(picture, name, watched, future), daemon=True).start()
        return future

    def answer(self, picture: bytes, name: str, watched: Watched, future: Future[Answer]) -> None:
        self.goes.wait()
        is_error = picture.startswith(b"bad")
        record = Record(
            new_id(), time.time(), "tiles", "d", name, "watch", hashlib.sha256(picture).hexdigest(),
            "error" if is_error else "good", reason="cut short" if is_error else "",
        )  # fmt: skip
        self.names.append(name)
        self.pictures.append(picture)
        try:
            if self.is_full:
                raise NotKept("the disk is full")
            self.history.add([Entry(record, watched=watched)])
            is_kept = True
        except NotKept:
            is_kept = False
        future.set_result(Answer(record, None, is_kept))


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    made = History(HistoryOptions(history=tmp_path / "history.db"))
    yield made
    made.close()


@pytest.fixture
def inspecting(history: History) -> Inspecting:
    return Inspecting(history)


@pytest.fixture
def camera(tmp_path: Path) -> Path:
    (tmp_path / "camera").mkdir()
    return tmp_path / "camera"


@pytest.fixture
def watch(camera: Path, inspecting: Inspecting, history: History) -> Iterator[Callable[..., Watcher]]:
    """Starts to watch the folder."""
    started: list[Watcher] = []

    def begin(done: Path | None = None, folder: Path = camera, **more: object) -> Watcher:
        options = {"pace": PACE} | more
        started.append(Watcher(folder, done, inspecting, history, **options))  # type: ignore[arg-type]
        started[-1].start()
        return started[-1]

    yield begin
    inspecting.goes.set()
    for one in started:
        one.stop()
