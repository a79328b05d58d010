"""Forgetting: by age and by size, never what a sink has not got yet."""

from __future__ import annotations

import sqlite3

from flawsight.station.history.age import OwnClock
from flawsight.station.history.database import Database
from flawsight.station.history.pictures import Pictures


class Pruner:
    """Forgets records older than `limits[0]` seconds, then the oldest while more than `limits[1]` bytes are kept."""

    def __init__(
        self, database: Database, pictures: Pictures, clock: OwnClock, sinks: tuple[str, ...], limits: tuple[float, int]
    ) -> None:
        self._database, self._pictures, self._clock, self._sinks = database, pictures, clock, sinks
        self._keep, self._most = limits
        self._part = 0

    def size(self) -> int:
        """Bytes kept."""
        with self._database.reading() as connection:
            return _size(connection)

    def prune(self) -> int:
        """How many records were forgotten."""
        raise NotImplementedError


def _size(connection: sqlite3.Connection) -> int:
    pages = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
    return connection.execute(f"SELECT ({pages}) + (SELECT coalesce(sum(bytes), 0) FROM pictures)").fetchone()[0]
