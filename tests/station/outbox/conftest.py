"""A history that some sinks must hear of, and records."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from flawsight.settings.station import HistoryOptions
from flawsight.station.history import Entry, History, Record, new_id


def make_record(**more: object) -> Record:
    base = Record(
        new_id(), 1_700_000_000.25, "tiles", "d" * 64, "part.png", "rest", "a" * 64, "defective",
        (80, 96), 3.5, 0.01, 2.0,        regions=({"box": [1, 2, 3, 4]},),
    )  # fmt: skip
    return replace(base, **more)  # type: ignore[arg-type]


@pytest.fixture
def record() -> Callable[..., Record]:
    return make_record


@pytest.fixture
def open_history(tmp_path: Path) -> Iterator[Callable[..., History]]:
    """Opens a history for these sinks."""
    opened: list[History] = []

    def of(*sinks: str) -> History:
        opened.append(History(HistoryOptions(history=tmp_path / "history.db"), sinks))
        return opened[-1]

    yield of
    for one in opened:
        one.close()


@pytest.fixture
def fill() -> Callable[..., list[str]]:
    """Adds so many records, a few at once; their ids."""

    def into(history: History, count: int) -> list[str]:
        ids = []
        for start in range(0, count, 7):
            entries = [Entry(make_record(picture=f"{n}.png")) for n in range(start, min(start + 7, count))]
            history.add(entries)
            ids += [entry.record.id for entry in entries]
        return ids

    return into
