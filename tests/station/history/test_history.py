"""What is added is there, in the order in which it came, for whoever asks."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from flawsight.core import FlawsightError
from flawsight.settings.station import HistoryOptions
from flawsight.station.history import Entry, History, Watched

Make = Callable[..., Entry]
PNG = b"\x89PNG\r\n\x1a\n and so on"


def test_an_entry_comes_back_whole(history: History, entry: Make) -> None:
    one = entry(7.25, picture=PNG, heatmap=b"heat", reason="seen")
    history.add([one, entry(), entry(None)])
    record = history.get(one.record.id)
    assert record == one.record and record.regions and record.size == (80, 96)
    assert history.thumbnail(record.id) == b"thumbnail"
    assert history.heatmap(record.id) == b"heat"
    assert history.picture(record.id) == PNG
    json.dumps(record.to_dict())


def test_what_is_not_there(history: History, entry: Make) -> None:
    bare = entry(thumbnail=None)
    history.add([bare])
    assert history.get("x") is None
    for ask in (history.thumbnail, history.heatmap, history.picture):
        assert ask("x") is None and ask(bare.record.id) is None


def test_a_record_has_what_its_entry_has(history: History, entry: Make) -> None:
    said = entry(has_picture=True, has_heatmap=True)
    history.add([said])
    record = history.get(said.record.id)
    assert record is not None and not record.has_picture and not record.has_heatmap


SCORES = [0.0, -0.0, 1e-300, 0.1 + 0.2, float(np.float32(1.1)), -3.5, 1e300, float("inf")]


def test_scores_are_exact(history: History, entry: Make) -> None:
    history.add([entry(score) for score in SCORES])
    scores = history.scores("tiles")
    assert scores.score.tolist() == SCORES
    assert [history.get(id).score for id in scores.ids] == SCORES  # type: ignore[union-attr]


@pytest.mark.parametrize("text", ["B\udcf6den.png", "\0", "a\nb", "", "'; DROP TABLE records; --", "部品 🙂"])
def test_any_name(history: History, entry: Make, text: str) -> None:
    one = entry(None, picture=None, reason=text)
    one = Entry(replace(one.record, picture=text))
    history.add([one])
    record = history.get(one.record.id)
    assert record is not None
    assert record.picture == record.reason == text.replace("\udcf6", "\\xf6")
    assert history.latest(bundle=text) == [] and history.counts(text)["error"] == 0


def test_the_newest_come_first_whatever_the_clock_says(history: History, entry: Make) -> None:
    times = [1000.0, 5e9, 10.0, 1001.0]
    entries = [entry(at=at) for at in times]
    for one in entries:
        history.add([one])
    ids = [one.record.id for one in reversed(entries)]
    assert [one.id for one in history.latest()] == ids
    assert [one.id for one in history.latest(2)] == ids[:2]
    assert [one.id for one in history.latest(2, before=ids[1])] == ids[2:]
    assert [one.at for one in history.latest(since=1000)] == [1001.0, 5e9, 1000.0]
    assert history.scores("tiles").at.tolist() == sorted(times)


def test_what_is_asked_for(history: History, entry: Make) -> None:
    entries = [entry(1), entry(3), entry(None), entry(4, bundle="caps"), entry(5)]
    history.add(entries)
    ids = [one.record.id for one in entries]
    history.mark(ids[1], "good", "Ann")

    def asked(**which: object) -> list[int]:
        return [ids.index(one.id) for one in history.latest(**which)]  # type: ignore[arg-type]

    assert asked(bundle="tiles") == [4, 2, 1, 0]
    assert asked(verdict="defective") == [4, 3, 1]
    assert asked(bundle="tiles", verdict="defective", before=ids[4]) == [1]
    assert asked(mark="good") == [1] and asked(mark="defective") == []
    assert history.counts() == {"good": 1, "defective": 3, "error": 1}
    assert history.counts("caps") == {"good": 0, "defective": 1, "error": 0}
    assert history.counts("none", since=5.0) == {"good": 0, "defective": 0, "error": 0}


def test_scores_say_what_was_said(history: History, entry: Make) -> None:
    entries = [entry(score, at=float(at)) for at, score in enumerate([1.0, 3.0, 0.5, 9.0])]
    history.add([*entries, entry(None), entry(1, bundle="caps")])
    history.mark(entries[1].record.id, "good", "Ann")
    history.mark(entries[3].record.id, "defective", "Ann")
    scores = history.scores("tiles")
    assert len(scores) == 4 and scores.at.tolist() == [0, 1, 2, 3]
    assert scores.score.tolist() == [1, 3, 0.5, 9] and scores.is_defective.tolist() == [False, True, False, True]
    assert scores.mark.tolist() == ["", "good", "", "defective"]
    assert scores.ids.tolist() == [one.record.id for one in entries]
    assert scores.ids_of(scores.score > 2) == [entries[1].record.id, entries[3].record.id]
    assert len(history.scores("tiles", since=2.0)) == 2
    none = history.scores("none")
    assert len(none) == 0 and none.score.dtype == np.float64 and none.ids.tolist() == none.mark.tolist() == []


def test_what_is_to_be_reviewed(history: History, entry: Make) -> None:
    scores = [3.0, 1.9, 0.1, 4.0, 1.5, 2.5, 5.0]
    entries = [entry(score, picture=bytes([number])) for number, score in enumerate(scores)]
    without, error = entry(9.0), entry(None, picture=b"x")
    history.add([*entries, without, error, entry(8.0, bundle="caps", picture=b"y")])
    history.mark(entries[6].record.id, "defective", "Ann")

    def asked(**more: float) -> list[float | None]:
        given = {"threshold": 2.0, "rate": 0.09} | more
        return [one.score for one in history.to_review("tiles", **given)]  # type: ignore[arg-type]

    # p-values are 1 / (1 + score): those of 1.9 and 1.5 are below 5 * 0.09.
    assert asked() == [2.5, 4.0, 3.0, 1.9, 1.5]
    assert asked(rate=0.07) == [2.5, 4.0, 3.0, 1.9]
    assert asked(threshold=1.7) == [2.5, 4.0, 1.9, 3.0, 1.5]
    assert asked(count=2) == [2.5, 4.0] and asked(count=4) == [2.5, 4.0, 3.0, 1.9]


def test_marks(history: History, entry: Make) -> None:
    entries = [entry(score) for score in [1.0, 1.5, 3.0, 4.0, 5.0]]
    history.add(entries)
    ids = [one.record.id for one in entries]
    for number, label in enumerate(["good", "defective", "good", "defective", "good"]):
        marked = history.mark(ids[number], label, "Ann")  # type: ignore[arg-type]
        assert (
            marked.mark == label
            and marked.marked_by == "Ann"
            and marked.marked_at == pytest.approx(entries[0].record.at, abs=60)
        )
    assert history.get(ids[0]) == replace(
        entries[0].record, **{name: getattr(history.get(ids[0]), name) for name in ("mark", "marked_by", "marked_at")}
    )
    rates = history.rates("tiles")
    assert (rates.n_good, rates.stopped_good, rates.n_defective, rates.found_defective) == (3, 2, 2, 1)
    rates = history.rates("tiles", 1.2)
    assert (rates.n_good, rates.stopped_good, rates.n_defective, rates.found_defective) == (3, 2, 2, 2)
    assert history.mark(ids[2], None, "Bob").marked_by == ""
    assert history.rates("tiles").n_good == 2
    with pytest.raises(FlawsightError, match="knows no picture 'x'"):
        history.mark("x", "good", "Ann")


def test_the_outbox_keeps_order_and_forgets_what_is_sent(open_history: Callable[..., History], entry: Make) -> None:
    history = open_history(sinks=("csv", "mqtt"))
    entries = [entry(at=float(-number)) for number in range(6)]
    for start in range(0, 6, 2):
        history.add(entries[start : start + 2])
    ids = [one.record.id for one in entries]
    assert [one.id for one in history.unsent("csv")] == ids
    assert [one.id for one in history.unsent("csv", 2)] == ids[:2]
    history.sent("csv", ids[:3])
    history.sent("csv", ["x"])
    assert [one.id for one in history.unsent("csv")] == ids[3:] and history.waiting("csv") == 3
    assert len(history.unsent("mqtt")) == 6 and history.unsent("webhook") == []


def test_files_are_known_again(history: History, entry: Make) -> None:
    file = Watched("/camera/B\udcf6.png", 100, 1_700_000_000_123_456_789)
    one = entry(watched=file)
    assert history.was_seen(file) is None
    history.add([one])
    assert history.was_seen(file) == one.record.id
    others = [Watched(file.path, 101, file.modified_ns), Watched(file.path, 100, file.modified_ns + 1)]
    assert [history.was_seen(other) for other in others] == [None, None]
    history.add([entry(watched=others[0])])  # written anew
    assert history.was_seen(file) is None and history.was_seen(others[0])
    history.moved([file])
    assert history.was_seen(others[0])
    history.moved([others[0]])
    assert history.was_seen(others[0]) is None


def test_the_same_picture_is_kept_once(history: History, entry: Make, tmp_path: Path) -> None:
    entries = [entry(picture=PNG), entry(picture=PNG), entry(picture=b"\xff\xd8\xff...")]
    history.add(entries)
    files = [path for path in (tmp_path / "kept" / "history.pictures").rglob("*") if path.is_file()]
    assert sorted(path.suffix for path in files) == [".jpg", ".png"]
    assert all(path.parent.name == path.name[:2] for path in files)
    assert [history.picture(one.record.id) for one in entries] == [PNG, PNG, b"\xff\xd8\xff..."]


def test_a_spoilt_picture_is_not_shown(history: History, entry: Make, tmp_path: Path) -> None:
    one = entry(picture=PNG)
    history.add([one])
    file = next(path for path in (tmp_path / "kept" / "history.pictures").rglob("*.png"))
    file.write_bytes(PNG[:-1] + b"x")
    assert history.picture(one.record.id) is None
    file.unlink()
    assert history.picture(one.record.id) is None


def test_many_threads(open_history: Callable[..., History], entry: Make) -> None:
    history = open_history(sinks=("csv",))

    def work(number: int) -> None:
        for _ in range(10):
            entries = [entry(float(number), picture=b"%d" % number) for _ in range(3)]
            history.add(entries)
            assert history.get(entries[2].record.id) == entries[2].record
            history.mark(entries[0].record.id, "good", "Ann")
            history.sent("csv", [entries[1].record.id])
            history.prune()
            assert len(history.latest(5)) >= 3

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(work, range(8)))
    assert len(history.scores("tiles")) == 240 and history.rates("tiles").n_good == 80
    assert history.waiting("csv") == 160


def test_it_is_there_after_closing(open_history: Callable[..., History], entry: Make) -> None:
    history = open_history()
    one = entry(picture=PNG)
    history.add([one])
    history.close()
    with pytest.raises(FlawsightError, match="is closed"):
        history.add([entry()])
    with pytest.raises(FlawsightError, match="is closed"):
        history.latest()
    again = open_history()
    assert again.latest() == [one.record] and again.picture(one.record.id) == PNG


def test_one_station_has_it(open_history: Callable[..., History], tmp_path: Path) -> None:
    history = open_history()
    with pytest.raises(FlawsightError, match=r"another station has the history .*history\.db.*--history"):
        History(HistoryOptions(history=tmp_path / "kept" / "history.db"))
    history.close()
    open_history()


def test_a_later_record_has_the_greater_id(entry: Make) -> None:
    ids = [entry().record.id for _ in range(100)]
    assert ids == sorted(ids) and len(set(ids)) == 100 and {len(id) for id in ids} == {32}
