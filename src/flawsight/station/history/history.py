"""History: what was said of every picture, and what people say of it."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from flawsight.core import FlawsightError, readable
from flawsight.settings.station import HistoryOptions
from flawsight.station.history.age import OwnClock
from flawsight.station.history.answers import SCORES, Rates, Scores
from flawsight.station.history.database import Database, NotKept
from flawsight.station.history.export import write_marked, write_table
from flawsight.station.history.pictures import Pictures
from flawsight.station.history.prune import Pruner
from flawsight.station.history.record import DriftReset, DriftState, Entry, Label, Record, Watched
from flawsight.station.history.rows import INSERT, KEEP_DRIFT, record_of, row_of

BORDERLINE = 5.0
"""A picture that passed is near the threshold where its p-value is below so many times the stated rate."""


class History:
    """A file of verdicts that survives a kill, with pictures beside it; for any number of threads.

    One station at a time has it. `sinks` are the names of those that each record must reach. FlawsightError where the
    file cannot be opened or another station has it.
    """

    def __init__(self, options: HistoryOptions, sinks: Sequence[str] = ()) -> None:
        path = Path(options.history)
        self._database = Database(path)
        self._sinks = tuple(dict.fromkeys(sinks))
        self._pictures = Pictures(path.with_name(f"{path.stem}.pictures"))
        self._problem_lock = threading.Lock()
        self._lost, self._problem = 0, ""
        keep = options.keep_days * 86400
        try:
            with self._database.writing() as connection:
                self._clock = OwnClock(connection, keep)
        except BaseException:
            self._database.close()
            raise
        self._pruner = Pruner(self._database, self._pictures, self._clock, self._sinks, (keep, int(options.keep_size)))

    def close(self) -> None:
        """Give the file to whoever opens it next."""
        with suppress(NotKept), self._database.writing() as connection:
            self._clock.save(connection)
        self._database.close()

    @property
    def problem(self) -> str:
        """What is not kept, and why; empty while all is."""
        return self._problem

    @property
    def size(self) -> int:
        """Bytes of the database and the pictures."""
        return self._pruner.size()

    def add(self, entries: Sequence[Entry], drift: DriftState | None = None) -> None:
        """Keep these, all in one transaction, on the disk when this returns; NotKept, and none of them, if it fails.

        Each becomes due to every sink; its picture's file is written first. `drift` has been told of them, and is kept
        with them. After a failure, the next call tries anew.
        """
        try:
            with self._database.writing() as connection:
                kept = self._clock.now()
                for entry in entries:
                    seq = connection.execute(INSERT, row_of(entry, kept)).lastrowid
                    if entry.thumbnail is not None or entry.heatmap is not None:
                        images = (seq, entry.thumbnail, entry.heatmap)
                        connection.execute("INSERT INTO images VALUES (?, ?, ?)", images)
                    if entry.picture is not None:
                        sha256 = entry.record.sha256
                        stored = (sha256, self._pictures.write(sha256, entry.picture), len(entry.picture))
                        connection.execute("INSERT OR IGNORE INTO pictures VALUES (?, ?, ?)", stored)
                    if entry.watched is not None:
                        file = (os.fsencode(entry.watched.path), entry.watched.bytes, entry.watched.modified_ns)
                        connection.execute(
                            "INSERT OR REPLACE INTO watched VALUES (?, ?, ?, ?)", (*file, entry.record.id)
                        )
                    connection.executemany("INSERT INTO outbox VALUES (?, ?)", [(sink, seq) for sink in self._sinks])
                if drift is not None:
                    connection.execute(KEEP_DRIFT, vars(drift))
        except NotKept as error:
            with self._problem_lock:
                self._lost += len(entries)
                self._problem = f"{self._lost} verdicts are not kept: {error}"
            raise
        with self._problem_lock:
            self._lost, self._problem = 0, ""

    def get(self, id: str) -> Record | None:
        """The record of this id, if it is remembered."""
        return next(iter(self._records("WHERE id = ?", id)), None)

    def latest(
        self,
        count: int = 50,
        *,
        bundle: str | None = None,
        verdict: str | None = None,
        mark: str | None = None,
        before: str | None = None,
        since: float | None = None,
    ) -> list[Record]:
        """The newest first, in the order in which they came; those before the one of the id `before`."""
        asked = {"bundle = ?": bundle, "verdict = ?": verdict, "mark = ?": mark, "at >= ?": since,
                 "seq < (SELECT seq FROM records WHERE id = ?)": before}  # fmt: skip
        given = {text: value for text, value in asked.items() if value is not None}
        where = f"WHERE {' AND '.join(given)}" if given else ""
        return self._records(f"{where} ORDER BY seq DESC LIMIT ?", *given.values(), count)

    def thumbnail(self, id: str) -> bytes | None:
        """A small JPEG, if there is one."""
        return self._image("thumbnail", id)

    def heatmap(self, id: str) -> bytes | None:
        """A grey PNG on the bundle's colour scale, the threshold at 128, if there is one."""
        return self._image("heatmap", id)

    def picture(self, id: str) -> bytes | None:
        """The file as it came, if it was kept and is still what it was."""
        found = self._rows(
            "SELECT sha256, suffix FROM records JOIN pictures USING (sha256) WHERE id = ? AND has_picture", id
        )
        return self._pictures.read(*found[0]) if found else None

    def scores(self, bundle: str, since: float | None = None) -> Scores:
        """All scores of a bundle, by time; errors have none."""
        return Scores.of(self._rows(SCORES, bundle, _since(since))[0])

    def counts(self, bundle: str | None = None, since: float | None = None) -> dict[str, int]:
        """How many were good, defective and error."""
        which, given = ("bundle = ? AND", (bundle,)) if bundle is not None else ("", ())
        names = ("good", "defective", "error")
        sums = ", ".join(f"sum(verdict = '{name}')" for name in names)
        row = self._rows(f"SELECT {sums} FROM records WHERE {which} at >= ?", *given, _since(since))[0]
        return {name: count or 0 for name, count in zip(names, row, strict=True)}

    def to_review(self, bundle: str, threshold: float, rate: float, count: int = 100) -> list[Record]:
        """Pictures that nobody marked: first the stopped, newest first, then those that passed, the nearest first.

        Stopped are those with that verdict or a score above `threshold`; near it are p-values below `BORDERLINE` times
        `rate`, the stated rate of false alarms.
        """
        unmarked = "WHERE bundle = ? AND has_picture AND mark IS NULL AND verdict"
        stopped = self._records(
            f"{unmarked} IN ('good', 'defective') AND (verdict = 'defective' OR score > ?) ORDER BY seq DESC LIMIT ?",
            bundle, threshold, count,
        )  # fmt: skip
        near = self._records(
            f"{unmarked} = 'good' AND score <= ? AND p_value < ? ORDER BY score DESC, seq DESC LIMIT ?",
            bundle, threshold, BORDERLINE * rate, count - len(stopped),
        )  # fmt: skip
        return stopped + near

    def mark(self, id: str, label: Label | None, by: str) -> Record:
        """Write down what a person says of a picture; None takes it back. FlawsightError where there is no such id."""
        marked = (label, readable(by), time.time()) if label is not None else (None, "", None)
        query = "UPDATE records SET mark = ?, marked_by = ?, marked_at = ? WHERE id = ? RETURNING *"
        with self._database.writing() as connection:
            row = connection.execute(query, (*marked, readable(id))).fetchone()
        if row is None:
            raise FlawsightError(f"the history knows no picture '{id}': it may have been forgotten")
        return record_of(row)

    def rates(self, bundle: str, threshold: float | None = None) -> Rates:
        """Of the marked pictures, how many are stopped at `threshold`, or were by the verdict that was given."""
        stopped, given = ("verdict = 'defective'", ()) if threshold is None else ("score > ?", (threshold,))
        rows = self._rows(
            f"SELECT mark, count(*), sum({stopped}) FROM records "
            "WHERE bundle = ? AND mark IS NOT NULL AND score IS NOT NULL GROUP BY mark",
            *given, bundle,
        )  # fmt: skip
        found = {mark: (count, number) for mark, count, number in rows}
        return Rates(*found.get("good", (0, 0)), *found.get("defective", (0, 0)))

    def drift(self, bundle: str) -> DriftState | None:
        """What is kept of a bundle's alarm of drift."""
        found = self._rows("SELECT bundle, state, raised_at FROM drift WHERE bundle = ?", bundle)
        return DriftState(*found[0]) if found else None

    def reset_drift(self, drift: DriftState, reset: DriftReset) -> None:
        """Keep a new alarm in the place of the old one, and who began it; NotKept where that fails."""
        said = {name: readable(value) if isinstance(value, str) else value for name, value in vars(reset).items()}
        query = "INSERT INTO drift_resets (bundle, at, by, why, alarm) VALUES (:bundle, :at, :by, :why, :alarm)"
        with self._database.writing() as connection:
            connection.execute(KEEP_DRIFT, vars(drift))
            connection.execute(query, {"bundle": drift.bundle, **said})

    def drift_resets(self, bundle: str, count: int = 20) -> list[DriftReset]:
        """The last times that a bundle's alarm of drift was begun anew, the newest first."""
        query = "SELECT at, by, why, alarm FROM drift_resets WHERE bundle = ? ORDER BY seq DESC LIMIT ?"
        return [DriftReset(*row) for row in self._rows(query, bundle, count)]

    def export_table(self, path: Path, since: float | None = None) -> int:
        """Write a table, .csv or .parquet by its suffix, and say of how many records it is."""
        return write_table(self._database, path, _since(since))

    def export_marked(self, folder: Path, bundle: str) -> int:
        """Write the marked pictures as a labelled set that `evaluate` reads, into a new folder; how many they are."""
        return write_marked(self._database, self._pictures, folder, bundle)

    def prune(self) -> int:
        """Forget what is too old or too much; how many records were forgotten. Where that fails, `problem` says so."""
        try:
            return self._pruner.prune()
        except NotKept as error:
            with self._problem_lock:
                self._problem = self._problem or f"nothing is forgotten: {error}"
            return 0

    def unsent(self, sink: str, count: int = 100) -> list[Record]:
        """What a sink has not got yet, in order."""
        return self._records("JOIN outbox USING (seq) WHERE sink = ? ORDER BY seq LIMIT ?", sink, count)

    def waiting(self, sink: str) -> int:
        """How many records a sink has not got yet."""
        return self._rows("SELECT count(*) FROM outbox WHERE sink = ?", sink)[0][0]

    def sent(self, sink: str, ids: Sequence[str]) -> None:
        """These a sink has got."""
        query = "DELETE FROM outbox WHERE sink = ? AND seq = (SELECT seq FROM records WHERE id = ?)"
        with self._database.writing() as connection:
            connection.executemany(query, [(sink, id) for id in ids])

    def was_seen(self, watched: Watched) -> str | None:
        """The id of the record of this very file, if it was inspected."""
        query = "SELECT id FROM watched WHERE path = ? AND bytes = ? AND modified_ns = ?"
        found = self._rows(query, os.fsencode(watched.path), watched.bytes, watched.modified_ns)
        return found[0][0] if found else None

    def moved(self, watched: Sequence[Watched]) -> None:
        """These files were moved away: what is written there from now on is another."""
        files = [(os.fsencode(one.path), one.bytes, one.modified_ns) for one in watched]
        with self._database.writing() as connection:
            connection.executemany("DELETE FROM watched WHERE path = ? AND bytes = ? AND modified_ns = ?", files)

    def forgotten_files(self, folder: str, after: str = "", count: int = 10000) -> list[str]:
        """Paths below a folder of files that were inspected, and whose records are forgotten; in order."""
        below = os.fsencode(folder) + os.sep.encode()
        query = (
            "SELECT path FROM watched WHERE path > ? AND path < ? AND NOT EXISTS "
            "(SELECT 1 FROM records WHERE records.id = watched.id) ORDER BY path LIMIT ?"
        )
        rows = self._rows(query, max(below, os.fsencode(after)), below + b"\xff", count)
        return [os.fsdecode(row[0]) for row in rows]

    def forget_files(self, paths: Sequence[str]) -> None:
        """These files are no longer there: whatever is written under their names is new."""
        with self._database.writing() as connection:
            connection.executemany("DELETE FROM watched WHERE path = ?", [(os.fsencode(path),) for path in paths])

    def _records(self, what: str, *values: object) -> list[Record]:
        return [record_of(row) for row in self._rows(f"SELECT records.* FROM records {what}", *values)]

    def _image(self, which: str, id: str) -> bytes | None:
        found = self._rows(f"SELECT {which} FROM images JOIN records USING (seq) WHERE id = ?", id)
        return found[0][0] if found else None

    def _rows(self, query: str, *values: object) -> list[sqlite3.Row]:
        given = [readable(value) if isinstance(value, str) else value for value in values]
        with self._database.reading() as connection:
            return connection.execute(query, given).fetchall()


def _since(since: float | None) -> float:
    return float("-inf") if since is None else since
