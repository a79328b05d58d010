"""The queue has an end, nobody's picture spoils another's, and all that was taken is answered."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

import numpy as np
import pytest

import flawsight as fs
from flawsight.data import InMemory
from flawsight.inspection import Inspector
from flawsight.station import Answer, QueueFull, Station
from flawsight.station.engine import Stopping, TimedOut

Make = Callable[..., Station]


def test_many_threads_get_each_their_own_answer(
    station: Station, plates: Path, texture: Callable, encode: Callable
) -> None:
    pictures = [encode(texture(seed)) for seed in range(40)]
    inspector = fs.load(plates, threads=1)
    expected = [inspector.inspect(InMemory(f"{n}.png", data)).score for n, data in enumerate(pictures)]
    found: dict[int, Answer] = {}

    def ask(first: int) -> None:
        for n in range(first, 40, 8):
            found[n] = station.submit(pictures[n], f"{n}.png").result(60)

    threads = [threading.Thread(target=ask, args=(first,)) for first in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found[n].record.picture for n in range(40)] == [f"{n}.png" for n in range(40)]
    assert [found[n].record.score for n in range(40)] == pytest.approx(expected, rel=1e-4)
    assert len({answer.record.id for answer in found.values()}) == 40 == sum(station.history.counts().values())


def test_the_queue_takes_all_or_none(make_station: Make, good_png: bytes) -> None:
    station = make_station(start=False, queue=3)
    jobs = [station.job(good_png, f"{n}.png", None, "rest") for n in range(4)]
    station.engine.submit(jobs[:2])
    with pytest.raises(QueueFull, match="2 pictures are waiting") as caught:
        station.engine.submit(jobs[2:])
    assert caught.value.retry_after >= 1 and station.engine.waiting == 2
    station.engine.submit(jobs[2:3])
    station.start()
    assert all(job.future.result(60).kept for job in jobs[:3]) and not jobs[3].future.done()


def test_who_waits_for_room_gets_it(make_station: Make, good_png: bytes) -> None:
    station = make_station(start=False, queue=1)
    first, second = (station.job(good_png, f"{n}.png", None, "watch") for n in range(2))
    station.engine.submit([first])
    waiting = threading.Thread(target=station.engine.submit, args=([second],), kwargs={"wait": True})
    waiting.start()
    station.start()
    waiting.join(60)
    assert second.future.result(60).record.verdict == "good"


def test_a_picture_that_waited_too_long_is_not_inspected(make_station: Make, good_png: bytes) -> None:
    station = make_station(start=False, timeout=0.01)
    late = station.submit(good_png, "late.png")
    time.sleep(0.05)
    station.start()
    with pytest.raises(TimedOut):
        late.result(60)
    assert station.history.counts()["good"] == 0


def test_who_left_is_not_inspected(make_station: Make, good_png: bytes) -> None:
    station = make_station(start=False)
    left, stays = station.submit(good_png, "left.png"), station.submit(good_png, "stays.png")
    assert left.cancel()
    station.start()
    assert stays.result(60).kept
    assert [record.picture for record in station.history.latest()] == ["stays.png"]


def test_stopping_answers_all(make_station: Make, good_png: bytes) -> None:
    station = make_station(start=False)
    taken: list[Future[Answer]] = [station.submit(good_png, f"{n}.png") for n in range(20)]
    station.start()
    station.engine.stop()
    assert all(future.result(0).kept for future in taken)
    with pytest.raises(Stopping):
        station.submit(good_png, "late.png")


def test_one_bad_picture_does_not_spoil_its_batch(
    make_station: Make, good_png: bytes, bad_png: bytes, encode: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Inspector.inspect_many

    def fails_together(inspector: Inspector, images: list[np.ndarray]):
        if len(images) > 1 or images[0].mean() > 245:
            raise RuntimeError("cannot allocate")
        return whole(inspector, images)

    monkeypatch.setattr(Inspector, "inspect_many", fails_together)
    station = make_station(start=False)
    white = encode(np.full((80, 96, 3), (255, 250, 240), np.uint8))
    jobs = [
        station.submit(data, name) for name, data in {"a": good_png, "b": b"junk", "c": white, "d": bad_png}.items()
    ]
    station.start()
    records = [job.result(60).record for job in jobs]
    assert [record.verdict for record in records] == ["good", "error", "error", "defective"]
    assert "b is not a PNG" in records[1].reason and "cannot allocate" in records[2].reason


def test_a_worker_survives_whatever_happens(
    make_station: Make, good_png: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    station = make_station()
    with monkeypatch.context() as patched:
        patched.setattr(station.history, "add", lambda *_: 1 / 0)
        for _ in range(5):
            with pytest.raises(ZeroDivisionError):
                station.submit(good_png, "a.png").result(60)
    assert station.submit(good_png, "a.png").result(60).kept


KEEP = {"stopped": [False, True], "all": [True, True], "none": [False, False]}


@pytest.mark.parametrize("keep", KEEP)
def test_which_pictures_are_kept(
    make_station: Make, texture: Callable, encode: Callable, bad_png: bytes, keep: str
) -> None:
    station = make_station(keep=keep)
    inspector = station.bundles.get().inspector
    far = 5 * inspector.manifest.operating_point.rate  # from there on a picture is far from the threshold
    usual = next(image for image in map(texture, range(100, 130)) if inspector.inspect(image).p_value > far)
    records = [station.submit(data, "a.png").result(60).record for data in (encode(usual), bad_png)]
    assert [station.history.picture(record.id) is not None for record in records] == KEEP[keep]
    assert [station.history.heatmap(record.id) is not None for record in records] == KEEP[keep]
    assert all(station.history.thumbnail(record.id) for record in records)


def test_another_lamp_is_said(station: Station, texture: Callable, encode: Callable) -> None:
    assert station.drift() == ""
    dark = [(texture(seed) * 0.4).astype(np.uint8) for seed in range(100, 107)]
    for image in dark:
        station.submit(encode(image), "dark.png").result(60)
        time.sleep(0.21)  # more often it does not look
    assert "darker" in station.drift()
    live = station.live()
    assert live and live.picture[:2] == b"\xff\xd8" and live.heatmap[1:4] == b"PNG"
