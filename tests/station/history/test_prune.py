"""What is forgotten, and what never is."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from flawsight.station.history import Entry, History, Watched

Make = Callable[..., Entry]
Open = Callable[..., History]
DAY = 86400.0


class Clocks:
    """The machine's clocks: `wall` may jump, `monotonic` may not."""

    def __init__(self) -> None:
        self.wall, self.steady = 1_700_000_000.0, 1000.0

    def run(self, days: float) -> None:
        self.wall += days * DAY
        self.steady += days * DAY


@pytest.fixture
def clocks(monkeypatch: pytest.MonkeyPatch) -> Clocks:
    made = Clocks()
    monkeypatch.setattr(time, "time", lambda: made.wall)
    monkeypatch.setattr(time, "monotonic", lambda: made.steady)
    return made


def ids(history: History) -> list[str]:
    return [one.id for one in reversed(history.latest(10000))]


def test_what_is_old_goes_with_all_that_it_has(open_history: Open, entry: Make, clocks: Clocks, tmp_path: Path) -> None:
    history = open_history(keep_days=10)
    shared, own = b"\x89PNG both", b"\x89PNG one"
    old = [entry(picture=shared, heatmap=b"heat"), entry(picture=own)]
    history.add(old)
    clocks.run(6)
    young = entry(picture=shared)
    history.add([young])
    clocks.run(3.9)
    assert history.prune() == 0
    clocks.run(0.2)
    assert history.prune() == 2 and ids(history) == [young.record.id]
    assert history.picture(young.record.id) == shared
    assert len(list((tmp_path / "kept" / "history.pictures").rglob("*.png"))) == 1
    with history._database.reading() as connection:
        left = [connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("images", "pictures")]
    assert left == [1, 1]


@pytest.mark.parametrize("years", [30, 1, -1, -50])
@pytest.mark.parametrize("restart", [False, True])
def test_a_clock_that_jumps_does_not_empty_it(
    open_history: Open, entry: Make, clocks: Clocks, years: float, restart: bool
) -> None:
    history = open_history(keep_days=20)
    before = [entry() for _ in range(3)]
    history.add(before)
    clocks.run(1)
    if restart:
        history.close()
    clocks.wall += years * 365 * DAY
    if restart:
        history = open_history(keep_days=20)
    after = [entry() for _ in range(3)]
    history.add(after)
    assert history.prune() == 0
    assert ids(history) == [one.record.id for one in before + after]
    clocks.run(9)
    assert history.prune() == 0
    clocks.run(12)
    assert history.prune() == 6


def test_a_pause_makes_older(open_history: Open, entry: Make, clocks: Clocks) -> None:
    history = open_history(keep_days=10)
    history.add([entry()])
    for _ in range(4):  # off for the night, four times three days
        history.close()
        clocks.wall += 3 * DAY
        history = open_history(keep_days=10)
    assert history.prune() == 1


def test_by_size_the_oldest_go_and_marked_ones_last(open_history: Open, entry: Make) -> None:
    history = open_history(keep_size=1_000_000)
    entries = [entry(picture=os.urandom(10_000), thumbnail=os.urandom(3000)) for _ in range(300)]
    for start in range(0, 300, 20):
        history.add(entries[start : start + 20])
    all_ids = [one.record.id for one in entries]
    marked = all_ids[5:15]
    for id in marked:
        history.mark(id, "good", "Ann")
    assert history.size > 3_000_000
    forgotten = history.prune()
    left = ids(history)
    assert history.size <= 1_000_000 and len(left) == 300 - forgotten and len(left) > 20
    assert left[:10] == marked and left[10:] == all_ids[-len(left[10:]) :]
    assert history.prune() == 0


def test_marked_ones_go_when_nothing_else_is_left(open_history: Open, entry: Make) -> None:
    history = open_history(keep_size=1_000_000)
    entries = [entry(picture=os.urandom(40_000)) for _ in range(500)]
    history.add(entries)
    for one in entries:
        history.mark(one.record.id, "good", "Ann")
    assert history.prune() and history.size <= 1_000_000


def test_what_a_sink_has_not_got_stays_and_only_its_pictures_go(
    open_history: Open, entry: Make, clocks: Clocks
) -> None:
    history = open_history(sinks=("csv", "webhook"), keep_days=1, keep_size=1_000_000)
    entries = [entry(picture=os.urandom(40_000), heatmap=b"heat") for _ in range(100)]
    history.add(entries)
    all_ids = [one.record.id for one in entries]
    history.sent("csv", all_ids)
    history.sent("webhook", all_ids[:30])
    clocks.run(30)
    assert history.prune() == 30
    assert history.size <= 1_000_000
    assert [one.id for one in history.unsent("webhook")] == all_ids[30:]
    first = history.get(all_ids[30])
    assert first is not None and not first.has_picture and not first.has_heatmap
    history.sent("webhook", all_ids)
    assert history.prune() == 70 and ids(history) == []


def test_a_sink_that_nobody_asks_for_any_more_holds_nothing_up(open_history: Open, entry: Make, clocks: Clocks) -> None:
    before = open_history(sinks=("mqtt",))
    before.add([entry()])
    before.close()
    history = open_history()
    clocks.run(100)
    assert history.prune() == 1


def test_the_file_gets_smaller(open_history: Open, entry: Make, clocks: Clocks, tmp_path: Path) -> None:
    history = open_history(keep_days=1)
    for _ in range(20):
        history.add([entry(thumbnail=os.urandom(50_000)) for _ in range(8)])
    path = tmp_path / "kept" / "history.db"
    clocks.run(2)
    assert history.prune() == 160
    history.close()
    assert path.stat().st_size < 1_000_000


def test_files_that_nobody_knows_are_swept_away(open_history: Open, entry: Make, tmp_path: Path) -> None:
    history = open_history()
    one = entry(picture=b"\x89PNG kept")
    history.add([one])
    folder = tmp_path / "kept" / "history.pictures"
    for name in ("00", "7f", "ff"):
        (folder / name).mkdir(exist_ok=True)
        (folder / name / f"{name * 32}.png").write_bytes(b"left by a kill")
    (folder / "00" / f"{'00' * 32}.part").write_bytes(b"half")
    for _ in range(256):
        history.prune()
    assert [path.stem for path in folder.rglob("*") if path.is_file()] == [one.record.sha256]
    assert history.picture(one.record.id) == b"\x89PNG kept"


def test_a_file_is_known_longer_than_its_record(open_history: Open, entry: Make, clocks: Clocks) -> None:
    history = open_history(keep_days=1)
    files = [Watched(f"/camera/{number}.png", 10, number) for number in range(5)]
    history.add([entry(watched=file) for file in files])
    assert history.forgotten_files("/camera") == []
    clocks.run(2)
    assert history.prune() == 5
    assert all(history.was_seen(file) for file in files)
    paths = [file.path for file in files]
    assert history.forgotten_files("/camera") == paths and history.forgotten_files("/cam") == []
    assert history.forgotten_files("/camera", paths[2]) == paths[3:]
    history.forget_files(paths[:2])
    assert [history.was_seen(file) is not None for file in files] == [False, False, True, True, True]
