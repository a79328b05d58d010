"""CSV and JSON lines: each verdict once, in order, whatever was cut off."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flawsight.core import FlawsightError
from flawsight.station.history import Record
from flawsight.station.history.table import COLUMNS
from flawsight.station.outbox import SinkDown
from flawsight.station.outbox.files import CsvFile, JsonLines, LinesFile

Make = Callable[..., Record]
KINDS = [CsvFile, JsonLines]


def ids_in(path: Path) -> list[str]:
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".csv":
        return [row["id"] for row in csv.DictReader(io.StringIO(text, newline=""))]
    return [json.loads(line)["id"] for line in text.splitlines()]


def at(kind: type[LinesFile], folder: Path) -> Path:
    return folder / ("out.csv" if kind is CsvFile else "out.jsonl")


def test_a_table(tmp_path: Path, record: Make) -> None:
    records = [
        record(picture='a,"b"\n=c.png'),
        record(verdict="error", score=None, p_value=None, regions=(), reason="=cut; \udcf6", bundle="=b"),
    ]
    CsvFile(tmp_path / "new" / "out.csv").send(records)
    with (tmp_path / "new" / "out.csv").open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        rows = list(reader)
    assert tuple(reader.fieldnames or ()) == COLUMNS
    assert rows[0] == {
        "id": records[0].id, "time": "2023-11-14T22:13:20.250000Z", "bundle": "tiles", "path": 'a,"b"\\x0a=c.png',
        "score": "3.5", "p_value": "0.01", "verdict": "defective", "reason": "", "regions": "1",
    }  # fmt: skip
    assert rows[1]["reason"] == "'=cut; \\xf6" and rows[1]["bundle"] == "'=b" and rows[1]["regions"] == ""


def test_json_lines(tmp_path: Path, record: Make) -> None:
    records = [record(picture="B\udcf6den\u2028.png"), record()]
    JsonLines(tmp_path / "out.jsonl").send(records)
    lines = (tmp_path / "out.jsonl").read_text(encoding="utf-8").split("\n")
    assert len(lines) == 3 and not lines[2]
    assert json.loads(lines[1]) == records[1].to_dict() and json.loads(lines[0])["picture"] == "B\\xf6den\u2028.png"


@pytest.mark.parametrize("kind", KINDS)
def test_after_a_kill_what_is_there_is_not_written_again(kind: type[LinesFile], tmp_path: Path, record: Make) -> None:
    records, path = [record(picture="x" * n) for n in range(12)], at(kind, tmp_path)
    kind(path).send(records[:4])
    kind(path).send(records[2:8])  # another process: two are there
    kind(path).send(records[2:8])
    sink = kind(path)
    sink.send(records[6:10])
    sink.send(records[6:10])  # the history could not be told
    sink.send(records[10:])
    sink.send([])
    assert ids_in(path) == [one.id for one in records]


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_cut_at_any_byte(kind: type[LinesFile], data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    from dataclasses import replace

    from flawsight.station.history import new_id

    base = Record(new_id(), 1.5, "tiles", "d", "ä.png", "rest", "a", "good", (8, 8), 1.0, 0.5, 2.0)
    records = [replace(base, id=new_id(), picture="ä" * data.draw(st.integers(0, 30))) for _ in range(5)]
    path = at(kind, tmp_path_factory.mktemp("cut"))
    kind(path).send(records[:2])
    before = path.stat().st_size if data.draw(st.booleans()) else 0  # the first batch may be the one that is cut
    first = 2 if before else 0
    kind(path).send(records[first:4])
    whole = path.read_bytes()
    cut = data.draw(st.integers(before, len(whole)))
    path.write_bytes(whole[:cut] + bytes(data.draw(st.sampled_from([0, 0, 512]))))
    kind(path).send(records[first:])
    assert ids_in(path) == [one.id for one in records]


@pytest.mark.parametrize("kind", KINDS)
def test_a_long_file(kind: type[LinesFile], tmp_path: Path, record: Make) -> None:
    """More than is read of its end, in lines longer than a block."""
    records, path = [record(reason="x" * 1000 * (n % 70), bundle=f"b{n}") for n in range(250)], at(kind, tmp_path)
    for start in range(0, 250, 50):
        kind(path).send(records[start : start + 50])
    kind(path).send(records[50:])
    assert ids_in(path) == [one.id for one in records]


@pytest.mark.parametrize("kind", KINDS)
def test_somebody_elses_last_line_without_an_end_stays(kind: type[LinesFile], tmp_path: Path, record: Make) -> None:
    path, records = at(kind, tmp_path), [record(), record()]
    kind(path).send(records[:1])
    path.write_bytes(path.read_bytes().rstrip(b"\r\n"))
    kind(path).send(records[1:])
    assert ids_in(path) == [one.id for one in records]


def test_a_table_with_other_columns_is_left_alone(tmp_path: Path, record: Make) -> None:
    for content in (b"path,score\r\na.png,1\r\n", b"id;time", b"x\r\n"):
        path = tmp_path / "out.csv"
        path.write_bytes(content)
        with pytest.raises(SinkDown, match=r"out\.csv' is a table with other columns") as caught:
            CsvFile(path).send([record()])
        assert caught.value.is_refused and path.read_bytes() == content


@pytest.mark.parametrize("kind", KINDS)
def test_what_cannot_be_written_waits(
    kind: type[LinesFile], tmp_path: Path, record: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, records = at(kind, tmp_path), [record(), record()]
    sink = kind(path)
    sink.send(records[:1])

    def held(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", held)
        with pytest.raises(SinkDown, match="open in another program"):
            sink.send(records[1:])
    sink.send(records[1:])
    assert ids_in(path) == [one.id for one in records]


@pytest.mark.parametrize("kind", KINDS)
def test_a_disk_that_takes_half(
    kind: type[LinesFile], tmp_path: Path, record: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, records = at(kind, tmp_path), [record(), record(), record()]
    sink = kind(path)
    sink.send(records[:1])

    def full(_: int) -> None:
        with path.open("r+b") as file:
            file.truncate(path.stat().st_size - 20)
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        with pytest.raises(SinkDown, match="No space left"):
            sink.send(records[1:])
    sink.send(records[1:])
    assert ids_in(path) == [one.id for one in records]


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FlawsightError, match="cannot write to"):
        CsvFile(tmp_path / "file" / "out.csv")
