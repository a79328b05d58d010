"""The file: one writer, as many readers as ask, and what goes wrong with a disk said in plain words."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from flawsight.core import FlawsightError, writable_folder
from flawsight.station.history.schema import STEPS, migrate

_PATIENCE = 2.0
"""Seconds that a writer waits for another program which holds the file."""


_LONGEST_JOURNAL = 32_000_000


class NotKept(FlawsightError):
    """What was to be kept is not: the disk is full, or the file cannot be written or is damaged."""


class Database:
    """An SQLite file in WAL mode that nobody else has; whatever was committed survives kill and power cut.

    FlawsightError where it cannot be opened, with the reason; NotKept where a transaction fails, of which nothing stays
    then. After a failure, or when somebody took the file away, the next transaction opens the file anew.
    """

    def __init__(self, path: Path, steps: Sequence[str] = STEPS) -> None:
        self.path = path
        self._steps = steps
        self._writing = threading.RLock()
        self._readers: list[sqlite3.Connection] = []
        self._idle = threading.Lock()
        self._writer: sqlite3.Connection | None = None
        self._opened: tuple[int, int] | None = None
        self._times_opened = 0
        self._is_closed = False
        writable_folder(path.parent)
        self._held = FileLock(path.with_name(f"{path.name}.lock"), timeout=0, thread_local=False)
        try:
            self._held.acquire()
        except Timeout:
            raise FlawsightError(
                f"another station has the history '{path}': stop that one, or choose another --history"
            ) from None
        try:
            self._open()
        except BaseException as error:
            self._held.release()
            if isinstance(error, sqlite3.DatabaseError):
                raise FlawsightError(
                    f"the history '{path}' cannot be opened ({error}): move it elsewhere, and a new one is made"
                ) from error
            raise

    def close(self) -> None:
        """Give the file back."""
        with self._writing:
            self._is_closed = True
            self._close()
            self._held.release()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection that sees all that was committed; FlawsightError where the file cannot be read."""
        opened, connection = self._times_opened, self._reader()
        try:
            yield connection
        except sqlite3.DatabaseError as error:
            connection.close()
            raise FlawsightError(f"the history '{self.path}' cannot be read ({error})") from error
        except BaseException:
            connection.close()
            raise
        with self._idle:
            if opened == self._times_opened:
                self._readers.append(connection)
                return
        connection.close()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction: all of it, on the disk, when the block ends; nothing of it where that fails."""
        with self._writing:
            try:
                connection = self._current()
                connection.execute("BEGIN IMMEDIATE")
                yield connection
                connection.execute("COMMIT")
            except BaseException as error:
                self._undo(error)
                if isinstance(error, NotKept):
                    raise
                if isinstance(error, sqlite3.DatabaseError | OSError | FlawsightError):
                    reason = getattr(error, "strerror", None) or error
                    raise NotKept(f"the history '{self.path}' cannot be written ({reason})") from error
                raise

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Nobody else writes until the block ends."""
        with self._writing:
            yield

    def shrink(self, pages: int) -> None:
        """Give up to so many pages that are no longer used back to the disk."""
        with self._writing:
            try:
                # A script: it gives a row for each page, and none of its rows has a column.
                self._current().executescript(f"PRAGMA incremental_vacuum({pages})")
            except sqlite3.DatabaseError as error:
                self._undo(error)
                raise NotKept(f"the history '{self.path}' cannot be written ({error})") from error

    def _current(self) -> sqlite3.Connection:
        if self._writer is not None and self._identity() != self._opened:
            self._close()  # moved or deleted under our feet: what is written would be lost with it
        if self._is_closed:
            raise NotKept(f"the history '{self.path}' is closed")
        if self._writer is None:
            self._open()
        assert self._writer is not None
        return self._writer

    def _undo(self, error: BaseException) -> None:
        if self._writer is None:
            return
        with suppress(sqlite3.Error):
            self._writer.execute("ROLLBACK")
        if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.IntegrityError):
            self._close()

    def _open(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        connection = self._connect("rwc")
        try:
            if self.path.stat().st_size == 0:
                connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # so that what is forgotten frees the disk
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute(f"PRAGMA journal_size_limit = {_LONGEST_JOURNAL}")
            migrate(connection, self.path, self._steps)
        except BaseException:
            connection.close()
            raise
        self._writer, self._opened = connection, self._identity()

    def _close(self) -> None:
        with self._idle:
            readers, self._readers = self._readers, []
            self._times_opened += 1
        for connection in [*readers, *([self._writer] if self._writer else [])]:
            with suppress(sqlite3.Error):
                connection.close()
        self._writer = None

    def _reader(self) -> sqlite3.Connection:
        with self._idle:
            if self._readers:
                return self._readers.pop()
        if self._is_closed:
            raise FlawsightError(f"the history '{self.path}' is closed")
        try:
            return self._connect("rw")
        except sqlite3.DatabaseError as error:
            raise FlawsightError(f"the history '{self.path}' cannot be read ({error})") from error

    def _connect(self, mode: str) -> sqlite3.Connection:
        place = f"{self.path.absolute().as_uri()}?mode={mode}"
        connection = sqlite3.connect(place, timeout=_PATIENCE, isolation_level=None, check_same_thread=False, uri=True)
        connection.row_factory = sqlite3.Row
        return connection

    def _identity(self) -> tuple[int, int] | None:
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino
