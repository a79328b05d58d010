"""The history's own clock: it goes on with the machine's, and never jumps with it."""

from __future__ import annotations

import sqlite3
import time

_DAY = 86400.0
_LONGEST_PAUSE = 7 * _DAY


class OwnClock:
    """Seconds that passed while the station ran, and while it did not: of a pause, at most a week is believed.

    So a machine's clock that is set to another year makes nothing old at once. `keep` is in seconds: a jump never
    costs more than half of it.
    """

    def __init__(self, connection: sqlite3.Connection, keep: float) -> None:
        row = connection.execute("SELECT own, wall FROM clock").fetchone()
        own, wall = (row["own"], row["wall"]) if row else (0.0, time.time())
        pause = min(max(0.0, time.time() - wall), _LONGEST_PAUSE, keep / 2)
        self._start = own + pause - time.monotonic()
        self.save(connection)

    def now(self) -> float:
        """Seconds; never less than before."""
        return self._start + time.monotonic()

    def save(self, connection: sqlite3.Connection) -> None:
        """Write where it stands, as the next start needs it."""
        connection.execute("DELETE FROM clock")
        connection.execute("INSERT INTO clock (own, wall) VALUES (?, ?)", (self.now(), time.time()))
