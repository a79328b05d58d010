"""The alarm of drift at a station: told of every verdict once, through restarts, until a person begins it anew."""

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from flawsight.core import FlawsightError
from flawsight.station import Station

WHO = {"by": "A. Smith", "why": "the lens was wiped"}


@pytest.fixture
def give(encode: Callable, texture: Callable, spoiled: Callable) -> Callable[..., None]:
    """Have a station inspect so many pictures."""

    def inspect(station: Station, count: int, is_bad: bool = False) -> None:
        pictures = [encode((spoiled if is_bad else texture)(seed)) for seed in range(3000, 3000 + count)]
        for done in [station.submit(picture, "p.png") for picture in pictures]:
            done.result()

    return inspect


def alarmed(station: Station, give: Callable) -> Station:
    give(station, 24, is_bad=True)
    assert station.standing().alarm is not None
    return station


def test_an_alarm_and_what_was_seen_outlive_the_station(make_station: Callable, give: Callable) -> None:
    station = make_station()
    give(station, 5)
    station.history.add([])  # what else is kept leaves it alone
    station.stop()
    station = make_station()
    assert station.standing().pictures == 5 and station.standing().alarm is None
    before = time.time()
    standing = alarmed(station, give).standing()
    station.stop()
    again = make_station(start=False)
    assert again.standing() == standing and before <= standing.raised_at <= time.time()
    assert standing.pictures == 29 and standing.alarm.kind == "stopped"


def test_a_picture_that_cannot_be_read_counts_for_nothing(station: Station, give: Callable) -> None:
    give(station, 2)
    station.submit(b"no picture", "broken.png").result()
    assert station.standing().pictures == 2


def test_a_person_begins_it_anew(station: Station, client: TestClient, give: Callable, make_station: Callable) -> None:
    drift = client.get("/v1/bundles/plates/drift").json()
    assert drift == {"pictures": 0, "alarm": None, "resets": []}
    said = alarmed(station, give).standing().alarm.text
    drift = client.get("/v1/bundles/plates/drift").json()
    assert drift["alarm"]["text"] == said and client.get("/v1/status").json()["drift"]["plates"].startswith(said)
    assert "flawsight_drift_alarms 1.0" in client.get("/metrics").text
    for wrong in ({}, {**WHO, "by": ""}, {**WHO, "why": " "}):
        assert client.post("/v1/bundles/plates/drift/reset", json=wrong).status_code == 422
    assert station.standing().alarm is not None
    done = client.post("/v1/bundles/plates/drift/reset", json=WHO).json()
    assert (done["pictures"], done["alarm"]) == (0, None)
    assert [(one["by"], one["why"], one["alarm"]) for one in done["resets"]] == [(WHO["by"], WHO["why"], said)]
    assert client.post("/v1/bundles/other/drift/reset", json=WHO).status_code == 404
    station.stop()
    again = make_station(start=False)
    assert again.standing().alarm is None and [one.by for one in again.drift_resets()] == [WHO["by"]]


def test_another_threshold_begins_it_anew(station: Station, give: Callable) -> None:
    point = alarmed(station, give).bundles.get().inspector.manifest.operating_point
    station.bundles.reload()  # the same bundle: nothing is forgotten
    assert station.standing().alarm is not None
    station.bundles.set_threshold(None, point.threshold * 1.2, "A. Smith", "a test")
    assert station.standing().alarm is None and station.standing().raised_at is None
    give(station, 3)
    assert station.standing().pictures == 3


def test_other_options_begin_it_anew_after_a_restart(make_station: Callable, give: Callable) -> None:
    station = make_station()
    alarmed(station, give).stop()
    station = make_station(most_defective=0.5)
    assert station.standing().alarm is None and station.standing().raised_at is None
    give(station, 12, is_bad=True)
    assert station.standing().alarm is None  # half of the parts may be defective: it takes longer


def test_the_line_goes_on_where_the_disk_does_not_take_it(make_station: Callable, give: Callable) -> None:
    station = make_station()
    give(station, 2)
    with sqlite3.connect(station.settings.history) as other:  # somebody holds the file for longer than we wait
        other.execute("BEGIN EXCLUSIVE")
        give(station, 1)
        assert station.history.problem
        with pytest.raises(FlawsightError):
            station.reset_drift(None, **WHO)
        assert station.standing().pictures == 3  # what was not kept was seen
        other.rollback()
    give(station, 1)
    station.stop()
    assert make_station(start=False).standing().pictures == 4


def test_a_state_that_cannot_be_read_is_a_problem_until_a_person_knows(
    make_station: Callable, give: Callable, tmp_path: Path
) -> None:
    station = make_station()
    give(station, 1)
    station.stop()
    with sqlite3.connect(tmp_path / "station" / "history.db") as file:
        file.execute("UPDATE drift SET state = '{}'")
    station = make_station()
    give(station, 1)
    assert any("begun anew" in problem for problem in station.problems()) and station.standing().pictures == 1
    station.reset_drift(None, **WHO)
    assert not station.problems()
