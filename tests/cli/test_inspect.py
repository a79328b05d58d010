"""inspect: rows, pictures, and one bad image among good ones."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

from PIL import Image


def test_inspect(flawsight: Callable, bundle: Path, texture: Callable, spoiled: Callable, tmp_path: Path) -> None:
    for name, image in (("a", texture(100)), ("b", spoiled(1))):
        Image.fromarray(image).save(tmp_path / f"{name}.png")
    (tmp_path / "more").mkdir()
    Image.fromarray(texture(101)).save(tmp_path / "more" / "c.png")
    given = (tmp_path / "b.png", tmp_path / "a.png", tmp_path / "more")
    done = flawsight("inspect", bundle, *given, "--out", tmp_path / "out", "--json")
    document = json.loads(done.out)
    assert done.code == 0 and done.err == ""
    assert [Path(row["path"]).stem for row in document["results"]] == ["b", "a", "c"]
    assert document["results"][0]["verdict"] == "defective"
    assert document["good"] + document["defective"] == 3 and document["error"] == 0
    assert len(list((tmp_path / "out" / "heatmaps").iterdir())) == 3
    shown = flawsight("inspect", bundle, *given, "--out", tmp_path / "out")
    assert shown.code == 0 and f"{document['good']} good, {document['defective']} defective" in shown.out


def test_one_bad_image_does_not_stop_the_rest(
    flawsight: Callable, bundle: Path, texture: Callable, tmp_path: Path
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(3):
        Image.fromarray(texture(100 + number)).save(folder / f"{number}.png")
    (folder / "1b.png").write_text("no picture")
    done = flawsight("inspect", bundle, folder, "--out", tmp_path / "out", "--json")
    assert done.code == 2
    document = json.loads(done.out)
    assert [row["verdict"] == "error" for row in document["results"]] == [False, False, True, False]
    assert document["error"] == 1 and "1b.png" in done.err and "Traceback" not in done.err
    rows = list(csv.DictReader((tmp_path / "out" / "results.csv").open()))
    assert rows[2]["verdict"] == "error" and "1b.png" in rows[2]["reason"] and rows[2]["score"] == ""
    assert len(list((tmp_path / "out" / "heatmaps").iterdir())) == 3
