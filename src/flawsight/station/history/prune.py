"""Forgetting: by age and by size, never what a sink has not got yet."""

from __future__ import annotations

import math
import sqlite3
from itertools import accumulate

from flawsight.station.history.age import OwnClock
from flawsight.station.history.database import Database
from flawsight.station.history.pictures import Pictures

_BATCH = 200
"""Records forgotten in one transaction: whoever adds waits no longer than for these."""
_PAGES = 5000
"""Pages of the file given back to the disk at once."""
_BYTES = """(
    1000 + coalesce((SELECT coalesce(length(thumbnail), 0) + coalesce(length(heatmap), 0) FROM images
    WHERE images.seq = records.seq), 0) + coalesce((SELECT bytes FROM pictures
    WHERE has_picture AND pictures.sha256 = records.sha256), 0)
)"""
"""About what forgetting a record frees."""


class Pruner:
    """Forgets records older than `limits[0]` seconds, then the oldest while more than `limits[1]` bytes are kept.

    By size those that somebody marked go last. Of what a sink has not got, only the pictures go.
    """

    def __init__(
        self, database: Database, pictures: Pictures, clock: OwnClock, sinks: tuple[str, ...], limits: tuple[float, int]
    ) -> None:
        self._database, self._pictures, self._clock, self._sinks = database, pictures, clock, sinks
        self._keep, self._most = limits
        self._part = 0
        wanted = f"SELECT 1 FROM outbox WHERE outbox.seq = records.seq AND sink IN ({', '.join('?' * len(sinks))})"
        self._is_due = f"EXISTS ({wanted})"

    def size(self) -> int:
        """Bytes kept."""
        with self._database.reading() as connection:
            return _size(connection)

    def prune(self) -> int:
        """How many records were forgotten; NotKept where the disk does not allow it."""
        forgotten = self._while_some(f"kept < {self._clock.now() - self._keep} AND NOT {self._is_due}", always=True)
        forgotten += self._while_some(f"mark IS NULL AND NOT {self._is_due}")
        forgotten += self._while_some(f"mark IS NOT NULL AND NOT {self._is_due}")
        self._while_some(f"(has_picture OR has_heatmap) AND {self._is_due}", only_images=True)
        with self._database.alone(), self._database.reading() as connection:
            part = f"{self._part:02x}"
            rows = connection.execute(
                "SELECT sha256 FROM pictures WHERE sha256 >= ? AND sha256 < ?", (part, f"{part}g")
            ).fetchall()
            self._pictures.sweep(self._part, {row[0] for row in rows})
            self._part = (self._part + 1) % 256
        with self._database.writing() as connection:
            self._clock.save(connection)
        self._database.shrink(_PAGES)
        return forgotten

    def _while_some(self, which: str, always: bool = False, only_images: bool = False) -> int:
        """Forget the oldest of these, while there are any, and too much is kept unless `always`."""
        total = 0
        while (excess := math.inf if always else self.size() - self._most) > 0:
            found = self._forget(which, excess, only_images)
            total += found
            if not found:
                break
        return total

    def _forget(self, which: str, excess: float, only_images: bool) -> int:
        query = (
            f"SELECT seq, sha256, has_picture, {_BYTES} AS bytes FROM records WHERE {which} ORDER BY seq LIMIT {_BATCH}"
        )
        with self._database.alone():  # so that nobody keeps the same picture before its file is removed
            with self._database.writing() as connection:
                rows = connection.execute(query, self._sinks).fetchall()
                before = accumulate((row["bytes"] for row in rows), initial=0)
                rows = [row for row, gained in zip(rows, before, strict=False) if gained < excess]
                seqs = [(row["seq"],) for row in rows]
                connection.executemany("DELETE FROM images WHERE seq = ?", seqs)
                if only_images:
                    connection.executemany("UPDATE records SET has_picture = 0, has_heatmap = 0 WHERE seq = ?", seqs)
                else:
                    connection.executemany("DELETE FROM outbox WHERE seq = ?", seqs)
                    connection.executemany("DELETE FROM records WHERE seq = ?", seqs)
                files = _unused(connection, {row["sha256"] for row in rows if row["has_picture"]})
            for sha256, suffix in files:
                self._pictures.remove(sha256, suffix)
        return len(rows)


def _unused(connection: sqlite3.Connection, hashes: set[str]) -> list[tuple[str, str]]:
    """SHA-256 and suffix of the pictures, among these, that no record has any more; their rows are deleted."""
    found = []
    for sha256 in hashes:
        if connection.execute("SELECT 1 FROM records WHERE sha256 = ? AND has_picture", (sha256,)).fetchone() is None:
            query = "DELETE FROM pictures WHERE sha256 = ? RETURNING sha256, suffix"
            found += [tuple(row) for row in connection.execute(query, (sha256,)).fetchall()]
    return found


def _size(connection: sqlite3.Connection) -> int:
    pages = (
        connection.execute("PRAGMA page_count").fetchone()[0]
        - connection.execute("PRAGMA freelist_count").fetchone()[0]
    )
    page = connection.execute("PRAGMA page_size").fetchone()[0]
    return pages * page + connection.execute("SELECT coalesce(sum(bytes), 0) FROM pictures").fetchone()[0]
