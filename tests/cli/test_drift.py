"""`inspect --drift`: one alarm over many inspections, said where people and programs look."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def inspect(flawsight: Callable, bundle: Path, tmp_path: Path, texture: Callable, spoiled: Callable) -> Callable:
    """Inspect so many pictures, good or bad, made anew, with a file that remembers."""

    def run(count: int, first: int, *more: object, is_bad: bool = False) -> object:
        folder = tmp_path / f"pictures-{first}"
        folder.mkdir()
        for seed in range(first, first + count):
            image: np.ndarray = (spoiled if is_bad else texture)(seed)
            Image.fromarray(image).save(folder / f"{seed}.png")
        state = tmp_path / "drift.json"
        return flawsight("inspect", bundle, folder, "--out", tmp_path / "out", "--drift", state, *more)

    return run


def test_it_goes_on_from_one_inspection_to_the_next(inspect: Callable) -> None:
    done = inspect(6, 1000)
    assert done.code == 0 and "drift" not in done.err
    assert json.loads(inspect(4, 1100, "--json").out)["drift"] == {"pictures": 10, "alarm": None}
    done = inspect(20, 1200, "--json", is_bad=True)
    document = json.loads(done.out)["drift"]
    assert done.code == 0 and document["pictures"] == 30 and document["alarm"]["kind"] == "stopped"
    assert abs(document["alarm"]["since"] - 11) <= 1 and 11 < document["alarm"]["picture"] <= 30
    assert document["alarm"]["text"] in done.err
    done = inspect(1, 1300)  # it stands until somebody begins another
    assert done.code == 0 and "flawsight: drift: more pictures are stopped" in done.err


def test_without_it_nothing_is_said(flawsight: Callable, bundle: Path, good_dir: Path, tmp_path: Path) -> None:
    done = flawsight("inspect", bundle, next(good_dir.iterdir()), "--out", tmp_path / "out", "--json")
    assert done.code == 0 and json.loads(done.out)["drift"] is None


def test_what_is_wrong_is_said_before_anything_is_inspected(inspect: Callable, tmp_path: Path) -> None:
    (tmp_path / "drift.json").write_text("{}")
    done = inspect(1, 1000)
    assert done.code == 2 and "drift.json" in done.err and not (tmp_path / "out").exists()
    (tmp_path / "drift.json").unlink()
    assert inspect(1, 1100).code == 0
    done = inspect(1, 1200, "--most-defective", 0.2)
    assert done.code == 2 and "another file" in done.err
    done = inspect(1, 1300, "--drift", tmp_path / "nowhere" / "drift.json")
    assert done.code == 2 and "nowhere" in done.err
