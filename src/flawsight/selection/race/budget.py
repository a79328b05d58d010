"""Budget: what is tried first, and when to stop, where a search has only so much time."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from time import monotonic
from typing import TypeVar

COARSE_SHARE = 0.6
"""The share of a search's time after which no more candidates are looked at coarsely."""
TOGETHER = 12
"""Candidates tried at a time: the clock is looked at in between."""

Item = TypeVar("Item")


class Budget:
    """So many seconds from now on; None: as long as it takes."""

    def __init__(self, seconds: float | None) -> None:
        self._seconds = math.inf if seconds is None else seconds
        self._start = monotonic()

    @property
    def is_limited(self) -> bool:
        """Whether there is a limit."""
        return self._seconds < math.inf

    def left(self, share: float = 1.0) -> float:
        """Seconds left of this share of the time, infinite without a limit."""
        return share * self._seconds - (monotonic() - self._start)


def bisection_order(items: Sequence[Item]) -> list[Item]:
    """The same items so that wherever one stops, those before are spread evenly over all."""
    found: dict[int, Item] = {}
    parts = 1
    while len(found) < len(items):
        for part in range(parts):
            place = (2 * part + 1) * len(items) // (2 * parts)
            found.setdefault(place, items[place])
        parts *= 2
    return list(found.values())


def round_robin(teams: Iterable[Sequence[Item]]) -> list[Item]:
    """The first of every team, then the second of every team, and so on."""
    rows = [list(team) for team in teams]
    return [row[place] for place in range(max(map(len, rows), default=0)) for row in rows if place < len(row)]
