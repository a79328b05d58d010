"""Tables for others, and a labelled set that `evaluate` reads."""

import csv
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

import flawsight as fs
from flawsight.core import FlawsightError
from flawsight.data import open_dataset
from flawsight.inspection.evaluation import evaluate_to_folder
from flawsight.settings import EvaluateSettings
from flawsight.station.history import Entry, History
from flawsight.station.history.table import COLUMNS, cell, iso

Make = Callable[..., Entry]


@pytest.fixture
def filled(history: History, entry: Make) -> History:
    history.add(
        [entry(1.25, at=1.5), entry(3.0, at=2.0, picture=b"x"), entry(None, at=3.0), entry(4.0, bundle="=caps")]
    )
    history.mark(history.latest()[2].id, "good", "Ann\nB")
    return history


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_table(filled: History, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"table{suffix}"
    assert filled.export_table(path) == 4
    table = pd.read_csv(path) if suffix == ".csv" else pd.read_parquet(path)
    records = list(reversed(filled.latest()))
    assert tuple(table.columns[: len(COLUMNS)]) == COLUMNS
    assert table["id"].tolist() == [one.id for one in records]
    assert table["verdict"].tolist() == ["good", "defective", "error", "defective"]
    assert table["score"].tolist()[:2] == [1.25, 3.0] and np.isnan(table["score"][2])
    assert table["time"][0] == "1970-01-01T00:00:01.500000Z"
    assert table["regions"].tolist()[:2] == [0, 1] and pd.isna(table["regions"][2])
    assert table["mark"].tolist()[1] == "good" and table["marked_by"][1] == "Ann\\x0aB"
    assert table["bundle"][3] == "'=caps"
    assert filled.export_table(path, since=2.0) == 3


def test_columns_of_inspect_are_there(filled: History, tmp_path: Path) -> None:
    from flawsight.inspection import folder

    assert set(folder.COLUMNS) <= set(COLUMNS)
    filled.export_table(tmp_path / "table.csv")
    with (tmp_path / "table.csv").open(newline="") as file:
        assert set(COLUMNS) <= set(next(csv.reader(file)))


def test_a_table_of_nothing(history: History, tmp_path: Path) -> None:
    for name in ("table.csv", "table.parquet"):
        assert history.export_table(tmp_path / name) == 0 and (tmp_path / name).exists()


def test_another_suffix(filled: History, tmp_path: Path) -> None:
    with pytest.raises(FlawsightError, match=r"neither \.csv nor \.parquet"):
        filled.export_table(tmp_path / "table.xlsx")
    with pytest.raises(FlawsightError, match="cannot write"):
        filled.export_table(tmp_path / "none" / "table.csv")


def test_without_pyarrow(filled: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(FlawsightError, match=r"pip install 'flawsight\[parquet\]'"):
        filled.export_table(tmp_path / "table.parquet")
    assert not list(tmp_path.glob("table*"))


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1.png", "@SUM(1)"])
def test_no_text_is_a_formula(text: str) -> None:
    assert cell(text) == f"'{text}"


def test_times_of_clocks_gone_mad() -> None:
    assert iso(0.25) == "1970-01-01T00:00:00.250000Z"
    assert iso(1e18) and iso(float("inf")) and iso(-1e18)


def test_marked_pictures_are_a_set_that_evaluate_reads(
    history: History, entry: Make, bundle: Path, texture: Callable, spoiled: Callable, tmp_path: Path
) -> None:
    def png(image: np.ndarray) -> bytes:
        return cv2.imencode(".png", image[..., ::-1])[1].tobytes()

    good = [
        entry(1, picture=png(texture(900 + n)), name=name)
        for n, name in enumerate(["NG_1.png", "bad/x.png", "a", "test"])
    ]
    bad = [
        entry(3, picture=png(spoiled(950 + n)), name=name)
        for n, name in enumerate(["OK_1.png", "good.png", "mask.png"])
    ]
    again = entry(1, picture=good[0].picture)
    others = [entry(1, picture=png(texture(990))), entry(1, bundle="caps", picture=png(texture(991))), entry(1)]
    history.add([*good, *bad, again, *others])
    for one in [*good, others[1], others[2]]:
        history.mark(one.record.id, "good", "Ann")
    for one in bad:
        history.mark(one.record.id, "defective", "Ann")
    history.mark(again.record.id, "good", "Bob")
    folder = tmp_path / "marked"
    assert history.export_marked(folder, "tiles") == 7
    assert len(list((folder / "good").iterdir())) == 4
    dataset = open_dataset(folder)
    assert len(dataset.select("test", 0)) == 4 and len(dataset.select("test", 1)) == 3
    settings = EvaluateSettings.of({"bundle": bundle, "dataset": folder, "out": tmp_path / "out", "device": "cpu"})
    evaluate_to_folder(fs.load(bundle), dataset, settings)
    assert (tmp_path / "out").is_dir()
    with pytest.raises(FlawsightError, match="not empty"):
        history.export_marked(folder, "tiles")


def test_a_picture_is_as_it_was_marked_last(history: History, entry: Make, tmp_path: Path) -> None:
    first, second = (entry(3, picture=b"\x89PNG same") for _ in range(2))
    history.add([first, second])
    history.mark(second.record.id, "good", "Ann")
    history.mark(first.record.id, "defective", "Ann")
    assert history.export_marked(tmp_path / "marked", "tiles") == 1
    assert [path.parent.name for path in (tmp_path / "marked").rglob("*.png")] == ["defective"]


def test_nothing_to_write(history: History, entry: Make, tmp_path: Path) -> None:
    one = entry(1)
    history.add([one])
    history.mark(one.record.id, "good", "Ann")
    with pytest.raises(FlawsightError, match="marked and kept"):
        history.export_marked(tmp_path / "marked", "tiles")
    assert not (tmp_path / "marked").exists()
