"""In order, at least once, and nobody waits for another."""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from flawsight.settings.station import OutboxOptions
from flawsight.station.history import History, NotKept, Record
from flawsight.station.outbox import Outbox, SinkDown, sinks_of
from flawsight.station.outbox.outbox import Delays

QUICK = Delays(0.01, 0.02, 0.02)
Fill = Callable[[History, int], list[str]]
Until = Callable[[Callable[[], object]], None]


class Memory:
    """Remembers; fails as it is told to."""

    def __init__(self, name: str = "csv", at_once: int = 5) -> None:
        self.name, self.at_once = name, at_once
        self.got: list[str] = []
        self.failures: list[Exception] = []
        self.open = threading.Event()
        self.open.set()
        self.is_closed = False

    def send(self, records: Sequence[Record]) -> None:
        self.open.wait()
        assert len(records) <= self.at_once
        sent = len(records)
        failure = self.failures.pop(0) if records and self.failures else None
        if isinstance(failure, SinkDown):
            sent = failure.sent
        elif failure:
            sent = 0
        self.got += [record.id for record in records[:sent]]
        if failure:
            raise failure

    def close(self) -> None:
        self.is_closed = True


def test_all_in_order_through_failures(open_history: Callable[..., History], fill: Fill, until: Until) -> None:
    history, sink = open_history("csv"), Memory()
    sink.failures = [SinkDown("no"), SinkDown("no", 3), ValueError("x"), SinkDown("no", 0, True), SinkDown("no", 1)]
    outbox = Outbox(history, [sink], QUICK)
    ids = fill(history, 23)
    outbox.start()
    ids += fill(history, 10)
    outbox.wake()
    until(lambda: len(sink.got) == len(ids) and not history.waiting("csv"))
    assert sink.got == ids
    until(lambda: outbox.status()[0].problem == "")
    outbox.stop()
    assert sink.is_closed


def test_a_slow_one_holds_up_nobody(open_history: Callable[..., History], fill: Fill, until: Until) -> None:
    history, slow, quick = open_history("csv", "mqtt"), Memory("csv"), Memory("mqtt")
    slow.open.clear()
    outbox = Outbox(history, [slow, quick], QUICK)
    outbox.start()
    ids = fill(history, 30)
    outbox.wake()
    until(lambda: quick.got == ids)
    until(lambda: [(one.name, one.waiting) for one in outbox.status()] == [("csv", 30), ("mqtt", 0)])
    slow.open.set()
    until(lambda: slow.got == ids)
    outbox.stop()


def test_what_is_wrong_is_said(open_history: Callable[..., History], fill: Fill, until: Until) -> None:
    history, sink = open_history("csv"), Memory()
    sink.failures = [SinkDown("the table is open elsewhere")] * 10000
    outbox = Outbox(history, [sink], QUICK)
    fill(history, 1)
    outbox.start()
    until(lambda: outbox.status()[0].problem == "the table is open elsewhere")
    assert outbox.status()[0].waiting == 1
    sink.failures.clear()
    until(lambda: outbox.status()[0].problem == "" and not history.waiting("csv"))
    outbox.stop()


def test_after_a_restart_the_rest_is_sent(open_history: Callable[..., History], fill: Fill, until: Until) -> None:
    history, first = open_history("csv"), Memory()
    first.failures = [SinkDown("no", 2)] + [SinkDown("no")] * 10000
    outbox = Outbox(history, [first], QUICK)
    ids = fill(history, 9)
    outbox.start()
    until(lambda: first.got == ids[:2])
    outbox.stop()
    second = Memory()
    outbox = Outbox(history, [second], QUICK)
    outbox.start()
    until(lambda: second.got == ids[2:])
    outbox.stop()


def test_a_history_that_takes_no_note_sends_nothing_twice(
    open_history: Callable[..., History], fill: Fill, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    history, sink = open_history("csv"), Memory()
    ids, told, tell = fill(history, 12), [], history.sent

    def sent(name: str, given: Sequence[str]) -> None:
        told.append(given)
        if len(told) % 3:
            raise NotKept("the disk is full")
        tell(name, given)

    monkeypatch.setattr(history, "sent", sent)
    outbox = Outbox(history, [sink], QUICK)
    outbox.start()
    until(lambda: not history.waiting("csv"))
    outbox.stop()
    assert sink.got == ids


def test_delays_grow_and_have_an_end() -> None:
    delays, down, refused = Delays(1.0, 60.0, 60.0), SinkDown("x"), SinkDown("x", is_refused=True)
    for failures, least in [(1, 0.75), (2, 1.5), (5, 12), (100, 45)]:
        found = [delays.after(failures, down) for _ in range(50)]
        assert min(found) >= least and max(found) <= least * 5 / 3 + 1e-9 and len(set(found)) > 1
    assert 45 <= delays.after(1, refused) <= 75 and 450 <= delays.after(100, refused) <= 750
    assert delays.after(1, SinkDown("x", wait=20)) >= 15 and delays.after(1, SinkDown("x", wait=1e9)) <= 750


def test_sinks_of_options(tmp_path: Path) -> None:
    assert sinks_of(OutboxOptions()) == []
    asked = {
        "csv": tmp_path / "a.csv", "jsonl": tmp_path / "a.jsonl", "webhook": "http://host/x", "mqtt": "mqtt://host/topic",
    }  # fmt: skip
    found = sinks_of(OutboxOptions.of(asked))
    assert [sink.name for sink in found] == ["csv", "jsonl", "webhook", "mqtt"]
    for sink in found:
        sink.close()
