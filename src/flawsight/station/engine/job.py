"""Job: a picture that waits. Answer: what came of it."""

from __future__ import annotations

import time
from concurrent.futures import Future
from dataclasses import dataclass, field

from flawsight.core import FlawsightError
from flawsight.inspection import Result
from flawsight.station.history import Record, Source, Watched


class QueueFull(FlawsightError):
    """So many pictures wait that no more are taken; `retry_after` seconds from now there may be room.

    >>> str(QueueFull(waiting=64, retry_after=2.0))
    '64 pictures are waiting: try again in 2 s'
    """

    def __init__(self, waiting: int, retry_after: float) -> None:
        super().__init__(f"{waiting} pictures are waiting: try again in {retry_after:.0f} s")
        self.retry_after = retry_after


class Stopping(FlawsightError):
    """The station ends: nothing more is taken."""


class TimedOut(FlawsightError):
    """The picture waited longer than it was allowed to."""


@dataclass(frozen=True, eq=False)
class Answer:
    """The record of an inspection, with the whole result, None of an error; `kept`: it is in the history.

    >>> settings = fs.settings.ServeSettings.of({"bundles": bundle, "history": tmp / "history.db", "threads": 1})
    >>> with fs.station.Station(settings) as station:
    ...     answer = station.submit((good / "000.png").read_bytes(), "000.png").result()
    >>> answer.record.picture, answer.result.verdict, answer.kept
    ('000.png', 'good', True)
    """

    record: Record
    result: Result | None
    kept: bool


@dataclass(eq=False)
class Job:
    """A picture's file, what it is called, for which bundle, where from, and until when (of the monotonic clock)."""

    picture: bytes
    name: str
    bundle: str
    source: Source
    watched: Watched | None = None
    deadline: float = float("inf")
    future: Future[Answer] = field(default_factory=Future)
    since: float = field(default_factory=time.monotonic)
