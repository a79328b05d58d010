"""What Live shows, gathered once for all tabs, and only when something is new."""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass, replace
from datetime import datetime
from threading import Lock

from flawsight.station.history import Record
from flawsight.station.live import Live
from flawsight.station.station import Station

DEFECTS, TREND = 8, 200
LEAST_SECONDS = 0.25
SHARE = 20
"""What the history is asked takes at most one part in so many of the time."""
KEPT = 12


@dataclass(frozen=True, eq=False)
class Shown:
    """A picture that people look at, as a JPEG, with its heat map as an RGBA PNG."""

    picture: bytes
    heatmap: bytes | None


@dataclass(frozen=True)
class Board:
    """What Live shows of one bundle. `last` is the last record, an error among them; `trend` is oldest first.

    `alarm` is what that of drift says, and `drift` what differs as a whole.
    `today` and `hour` are counts by verdict. `version` changes when anything else does.
    """

    version: int = 0
    last: Record | None = None
    defects: tuple[Record, ...] = ()
    trend: tuple[Record, ...] = ()
    today: dict[str, int] | None = None
    hour: dict[str, int] | None = None
    problems: tuple[str, ...] = ()
    drift: str = ""
    alarm: str = ""


class News:
    """Boards by bundle, and the last few pictures that were shown; for any number of threads."""

    def __init__(self, station: Station) -> None:
        self._station = station
        self._lock = Lock()
        self._boards: dict[str, Board] = {}
        self._next: dict[str, float] = {}
        self._seen: dict[str, tuple[object, ...]] = {}
        self._notices_at = 0.0
        self._notices: tuple[str, ...] = ()
        self._shown: OrderedDict[str, Shown] = OrderedDict()

    def board(self, bundle: str) -> Board:
        """What is known now; asks the history only where a picture came since, and not too often."""
        if self._lock.locked() and bundle in self._boards:
            return self._boards[bundle]  # another tab is asking
        with self._lock:
            now = time.monotonic()
            board = self._boards.get(bundle, Board())
            if now >= self._next.get(bundle, 0.0):
                board = self._boards[bundle] = self._look(bundle, board)
                took = time.monotonic() - now
                self._next[bundle] = now + max(LEAST_SECONDS, SHARE * took)
            return board

    def keep(self, id: str, shown: Shown) -> None:
        """Have a picture at hand for those who ask for it soon."""
        with self._lock:
            self._keep(id, shown)

    def shown(self, id: str) -> Shown | None:
        """A picture that was kept, if it still is."""
        return self._shown.get(id)

    def _keep(self, id: str, shown: Shown) -> None:
        self._shown[id] = shown
        while len(self._shown) > KEPT:
            self._shown.popitem(last=False)

    def _look(self, bundle: str, old: Board) -> Board:
        history, live = self._station.history, self._station.live(bundle)
        newest = history.latest(1)
        # The minute, since what is of today, or of the last hour, changes by itself.
        seen = (newest[0].id if newest else "", live.record.id if live else "", int(time.time() // 60))
        notices, drift, alarm = self._problems(), self._station.drift(bundle), self._alarm(bundle)
        if seen == self._seen.get(bundle):
            if (notices, drift, alarm) == (old.problems, old.drift, old.alarm):
                return old
            return replace(old, version=old.version + 1, problems=notices, drift=drift, alarm=alarm)
        self._seen[bundle] = seen
        trend = tuple(reversed(history.latest(TREND, bundle=bundle)))
        midnight = datetime.now().replace(hour=0, minute=0, second=0, microsecond=0).timestamp()
        return Board(
            version=old.version + 1,
            last=self._last(live, trend),
            defects=tuple(history.latest(DEFECTS, bundle=bundle, verdict="defective")),
            trend=trend,
            today=history.counts(bundle, midnight),
            hour=history.counts(bundle, time.time() - 3600),
            problems=notices,
            drift=drift,
            alarm=alarm,
        )

    def _alarm(self, bundle: str) -> str:
        now = self._station.standing(bundle).alarm
        return now.text if now is not None else ""

    def _last(self, live: Live | None, trend: tuple[Record, ...]) -> Record | None:
        """The last picture seen, be it kept or not, or a later one that could not be inspected."""
        kept = trend[-1] if trend else None
        if live is None or (kept is not None and kept.verdict == "error" and kept.at >= live.record.at):
            return kept
        if live.record.id not in self._shown:
            self._keep(live.record.id, Shown(live.picture, live.heatmap))
        return live.record

    def _problems(self) -> tuple[str, ...]:
        # Files are read for it, so that once in a while must do.
        if time.monotonic() >= self._notices_at:
            self._notices = tuple(self._station.problems())
            self._notices_at = time.monotonic() + 3.0
        return self._notices
