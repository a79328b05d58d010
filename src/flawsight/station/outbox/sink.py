"""Sink: where verdicts go."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Protocol

from flawsight.core import readable_document
from flawsight.station.history import Record


class SinkDown(Exception):
    """Verdicts cannot be handed over now; `reason` is for people and never holds a password.

    The first `sent` of those given are over there. `is_refused` says that waiting will hardly help, so that it is tried
    again seldom; `wait` is how many seconds the other side asked for.
    """

    def __init__(self, reason: str, sent: int = 0, is_refused: bool = False, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.reason, self.sent, self.is_refused, self.wait = reason, sent, is_refused, wait


class Sink(Protocol):
    """Takes verdicts in order. After a kill it is given again what it may have got: `id` tells that."""

    name: str
    at_once: int
    """It is given at most so many records."""

    def send(self, records: Sequence[Record]) -> None:
        """Hand all of these over; SinkDown where only the first of them, or none, could be.

        Where there is none, see whether the other side is there.
        """

    def close(self) -> None:
        """Say goodbye."""


def document(record: Record) -> str:
    """A record as JSON in one line."""
    return json.dumps(readable_document(record.to_dict()), ensure_ascii=False, separators=(",", ":"))
