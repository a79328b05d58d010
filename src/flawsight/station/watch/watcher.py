"""Watcher: hands the pictures of a folder to the inspector, each once, when it is completely written."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

from flawsight.core import FlawsightError, readable
from flawsight.data.names import few_names, natural_key
from flawsight.station.engine import Answer
from flawsight.station.history import History, Watched
from flawsight.station.watch.ledger import Ledger
from flawsight.station.watch.move import move
from flawsight.station.watch.notice import Notice
from flawsight.station.watch.scan import Look, Seen, look
from flawsight.station.watch.status import File, Pace, WatchStatus, trouble_of

_LONGEST_POLL = 30.0
_GOODBYE = 15.0


class Watcher:
    """One thread for one folder and those below it; `done` is where inspected pictures go, if anywhere.

    `submit` takes a picture's bytes, its name and its file; what it gives back says when its record is in the history.
    Only then is the file moved. What the history has seen is not inspected again. A file of more than `max_bytes` is
    left alone.
    """

    def __init__(
        self,
        folder: Path,
        done: Path | None,
        submit: Callable[[bytes, str, Watched], Future[Answer]],
        history: History,
        *,
        pace: Pace | None = None,
        max_bytes: int = 512_000_000,
    ) -> None:
        self.folder = folder.absolute()
        self.done = None if done is None else done.absolute()
        if self.done is not None and (self.done == self.folder or self.done.resolve() == self.folder.resolve()):
            raise FlawsightError(f"'{folder}' is watched: inspected pictures must go to another folder (--done)")
        self._submit, self._ledger = submit, Ledger(history, self.folder)
        self._pace, self._max_bytes = pace or Pace(), max_bytes
        self._files: dict[Path, File] = {}
        self._flying: dict[Path, File] = {}
        self._temporary: set[int] = set()
        self._inspected, self._problem, self._left_alone = 0, "", ""
        self._stopped, self._woken, self._is_told = threading.Event(), threading.Event(), threading.Event()
        self._notice: tuple[int, Notice] | None = None
        self._thread = threading.Thread(target=self._run, name=f"watch {self.folder}", daemon=True)

    def start(self) -> None:
        """Begin with what lies there."""
        self._thread.start()

    def stop(self) -> None:
        """Take nothing more; what is being inspected is moved if it ends soon, or else after the next start."""
        self._stopped.set()
        self._woken.set()
        if self._thread.is_alive():
            self._thread.join(_GOODBYE + 5)

    def status(self) -> WatchStatus:
        """How it is now."""
        files = list(self._files.values())
        waiting = sum(one.stage != "inspected" or self.done is not None for one in files)
        problem = readable(self._problem or trouble_of(files))
        return WatchStatus(readable(self.folder), waiting, self._inspected, problem, readable(self._left_alone))

    def _run(self) -> None:
        next_look = earliest = 0.0
        while not self._stopped.is_set():
            now = time.monotonic()
            if now >= next_look or (self._is_told.is_set() and now >= earliest):
                self._is_told.clear()
                self._try(self._look)
                took = time.monotonic() - now
                is_settling = any(one.stage == "settling" and not one.not_before for one in self._files.values())
                pause = self._pace.quiet if is_settling else min(max(self._pace.poll, 5 * took), _LONGEST_POLL)
                next_look, earliest = time.monotonic() + pause, time.monotonic() + max(0.05, 3 * took)
            until = min(next_look, earliest) if self._is_told.is_set() else next_look
            self._woken.wait(max(0.0, until - time.monotonic()))
            self._woken.clear()
            self._try(self._collect)
        self._listen_to(None)
        until = time.monotonic() + _GOODBYE
        while self._flying and time.monotonic() < until:
            self._collect()
            time.sleep(0.02)

    def _try(self, step: Callable[[], None]) -> None:
        try:
            step()
        except Exception as error:  # a line must not stand still because of what nobody thought of
            logging.getLogger(__name__).exception("watching %s failed", self.folder)
            self._problem = f"watching {self.folder} failed ({type(error).__name__}); it is tried again"

    def _look(self) -> None:
        try:
            found = look(self.folder, self.done)
            self._listen_to(self.folder.stat().st_ino)
        except OSError as error:
            self._problem = f"{self.folder} cannot be read ({error.strerror}): waiting for it to come back"
            self._listen_to(None)
            return
        self._left_alone = f"no pictures: {few_names(sorted(found.others))}" if found.others else ""
        self._problem = f"cannot be read: {'; '.join(found.unread[:3])}" if found.unread else ""
        self._update(found)
        for path in sorted(found.pictures, key=lambda one: (found.pictures[one].modified_ns, natural_key(one.name))):
            if self._stopped.is_set():
                return
            if path in self._files:
                self._advance(path, self._files[path])
        try:
            self._ledger.tidy(found)
        except FlawsightError as error:
            self._problem = str(error)

    def _listen_to(self, inode: int | None) -> None:
        """Have notices of the folder that is there now, if there is one."""
        if self._notice is not None and self._notice[0] != inode:
            self._notice[1].close()
            self._notice = None
        if self._notice is None and inode is not None:
            self._notice = (inode, Notice(self.folder, self._tell))

    def _tell(self) -> None:
        self._is_told.set()
        self._woken.set()

    def _update(self, found: Look) -> None:
        """Files that are new, changed or gone."""
        now = time.monotonic()
        for path, seen in found.pictures.items():
            known = self._files.get(path)
            if known is not None and (known.seen == seen or known.stage == "inspecting"):
                continue
            # Renamed from a name that said it is being written: it is complete.
            is_complete = known is None and seen.inode in self._temporary
            self._files[path] = File(seen, now - self._pace.quiet if is_complete else now)
        self._temporary = found.temporary
        for path in [path for path in self._files if path not in found.pictures and path not in self._flying]:
            del self._files[path]

    def _advance(self, path: Path, file: File) -> None:
        """Take what is complete; move what is inspected."""
        now = time.monotonic()
        if now < file.not_before or file.stage == "inspecting":
            return
        if file.stage == "settling" and now - file.since >= self._pace.quiet:
            if not file.seen.size:
                self._fail(file, f"'{path}' is empty: waiting for its picture")
            elif file.seen.size > self._max_bytes:
                self._fail(file, f"'{path}' is left alone: it has more than {self._max_bytes} bytes")
            elif not (file.is_unkept and self._flying):  # one at a time, as long as the history takes none
                self._take(path, file)
        if file.stage == "inspected" and self.done is not None:
            self._move(path, file)

    def _take(self, path: Path, file: File) -> None:
        watched = _watched(path, file)
        try:
            if self._ledger.was_seen(watched):
                file.stage, file.trouble = "inspected", ""
                return
            picture = _read(path, file.seen)
            if picture is None:
                file.since = time.monotonic()  # somebody writes after all
                return
            file.future = self._submit(picture, readable(path.relative_to(self.folder).as_posix()), watched)
        except FileNotFoundError:
            return  # the next look misses it, too
        except OSError as error:
            self._fail(file, f"'{path}' cannot be read ({error.strerror}); it is tried again")
            return
        except Exception as error:
            self._fail(file, _not_yet(path, error))
            return
        file.stage = "inspecting"
        self._flying[path] = file
        file.future.add_done_callback(lambda _: self._woken.set())
        self._collect()

    def _collect(self) -> None:
        """What has been inspected meanwhile."""
        for path, file in list(self._flying.items()):
            if file.future is not None and file.future.done():
                del self._flying[path]
                future, file.future = file.future, None
                self._take_answer(path, file, future)

    def _take_answer(self, path: Path, file: File, future: Future[Answer]) -> None:
        file.stage, file.since = "settling", time.monotonic()
        error = None if future.cancelled() else future.exception()
        if future.cancelled() or error is not None:
            self._fail(file, _not_yet(path, error or "it was called off"))
        elif not future.result().kept:
            file.is_unkept = True
            self._fail(file, f"'{path}' is inspected, and its verdict cannot be kept: it stays, and is tried again")
        else:
            self._inspected += 1
            file.stage, file.not_before, file.trouble = "inspected", 0.0, ""
            if self.done is not None:
                self._move(path, file)

    def _move(self, path: Path, file: File) -> None:
        assert self.done is not None
        try:
            now = path.stat()
            if (now.st_size, now.st_mtime_ns) != (file.seen.size, file.seen.modified_ns):
                return  # written anew: the next look takes it for what it is
            move(path, self.done / path.relative_to(self.folder))
        except FileNotFoundError as error:
            if path.exists():  # it is the other side that is away
                self._fail(file, f"'{path}' cannot be moved ({error.strerror}); it is tried again")
                return
        except OSError as error:
            self._fail(file, f"'{path}' cannot be moved ({error.strerror}); it is tried again")
            return
        del self._files[path]
        self._ledger.moved(_watched(path, file))

    def _fail(self, file: File, trouble: str) -> None:
        file.trouble, file.not_before = trouble, time.monotonic() + self._pace.again


def _watched(path: Path, file: File) -> Watched:
    return Watched(str(path), file.seen.size, file.seen.modified_ns)


def _not_yet(path: Path, error: object) -> str:
    return f"'{path}' is not inspected yet ({error}); it is tried again"


def _read(path: Path, seen: Seen) -> bytes | None:
    """The file's bytes, or None where it is not, or no longer, what was seen."""
    with path.open("rb") as file:
        picture = file.read(seen.size + 1)
        now = os.fstat(file.fileno())
    is_same = (now.st_size, now.st_mtime_ns) == (seen.size, seen.modified_ns)
    return picture if is_same and len(picture) == seen.size else None
