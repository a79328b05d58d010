"""Outbox: a thread for each sink, so that a slow one holds up nobody."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Sequence
from dataclasses import dataclass

from flawsight.core import FlawsightError
from flawsight.station.history import History
from flawsight.station.outbox.sink import Sink, SinkDown

_IDLE = 5.0
_GOODBYE = 15.0


@dataclass(frozen=True)
class SinkStatus:
    """How many records wait for a sink, and what is wrong with it; empty if nothing."""

    name: str
    waiting: int
    problem: str


@dataclass(frozen=True)
class Delays:
    """Seconds until the next try: the first, the longest, and the first after a refusal. Each try doubles them."""

    first: float = 0.5
    longest: float = 60.0
    refused: float = 60.0

    def after(self, failures: int, down: SinkDown) -> float:
        """How long to wait after so many failures in a row; never quite the same, so that not all come at once."""
        first, longest = (self.refused, 10 * self.longest) if down.is_refused else (self.first, self.longest)
        delay = min(longest, first * 2 ** min(failures - 1, 16))
        return max(delay, min(down.wait, 10 * self.longest)) * random.uniform(0.75, 1.25)


class Outbox:
    """Hands the history's records to the sinks, each in order; what is handed over is never given up."""

    def __init__(self, history: History, sinks: Sequence[Sink], delays: Delays | None = None) -> None:
        self._history = history
        self._runners = [_Runner(history, sink, delays or Delays()) for sink in sinks]

    def start(self) -> None:
        """Begin with what was left over."""
        for runner in self._runners:
            runner.start()

    def stop(self) -> None:
        """End, after what is being handed over now."""
        for runner in self._runners:
            runner.end()
        for runner in self._runners:
            if runner.is_alive():
                runner.join(_GOODBYE)

    def wake(self) -> None:
        """There is something new."""
        for runner in self._runners:
            runner.news.set()

    def status(self) -> list[SinkStatus]:
        """Of every sink."""
        return [
            SinkStatus(runner.sink.name, self._history.waiting(runner.sink.name), runner.problem)
            for runner in self._runners
        ]


class _Runner(threading.Thread):
    """One sink's thread."""

    def __init__(self, history: History, sink: Sink, delays: Delays) -> None:
        super().__init__(name=f"outbox {sink.name}", daemon=True)
        self.sink, self.problem, self.news = sink, "", threading.Event()
        self._history, self._delays = history, delays
        self._ended = threading.Event()
        self._unmarked: list[str] = []
        self._failures = 0

    def end(self) -> None:
        """Ask it to end."""
        self._ended.set()
        self.news.set()

    def run(self) -> None:
        """Hand over until the end; after a failure, wait."""
        while not self._ended.is_set():
            self.news.clear()
            try:
                is_all = self._hand_over()
                self._failures, self.problem = 0, ""
            except SinkDown as down:
                self._failures = 1 if down.sent else self._failures + 1
                self.problem = down.reason
                self._ended.wait(self._delays.after(self._failures, down))
                continue
            if is_all:
                self.news.wait(_IDLE)
        self.sink.close()

    def _hand_over(self) -> bool:
        """One helping; whether that was all. SinkDown for whatever went wrong."""
        try:
            self._mark()
            records = self._history.unsent(self.sink.name, self.sink.at_once)
            sent = 0
            try:
                self.sink.send(records)
                sent = len(records)
            except SinkDown as down:
                sent = down.sent
                raise
            finally:
                self._unmarked = [record.id for record in records[:sent]]
                self._mark()
            return len(records) < self.sink.at_once
        except FlawsightError as error:  # the history cannot be read or written now
            raise SinkDown(str(error)) from error
        except SinkDown:
            raise
        except Exception as error:
            logging.getLogger(__name__).exception("the sink %s failed", self.sink.name)
            raise SinkDown(f"{self.sink.name} failed ({type(error).__name__})", is_refused=True) from error

    def _mark(self) -> None:
        """What is over there is not sent again, even where the history could not be told at first."""
        if self._unmarked:
            self._history.sent(self.sink.name, self._unmarked)
            self._unmarked = []
