"""A study goes on where it stopped, makes no unit twice, and says what it lacks."""

import json
import os
import shutil
from collections import Counter
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from filelock import FileLock

from flawsight.core import FlawsightError
from flawsight.data import Sample
from flawsight.data.masks import Drawing, rectangle
from flawsight.executors import Outcome
from flawsight.settings import StudySettings
from flawsight.studies import STUDIES, StudyResult, Unit, grid, run_study
from flawsight.studies.engine import OF_UNITS
from flawsight.studies.grid import networks
from flawsight.studies.study import UNIT


def study(products: Path, out: Path, **options: object) -> StudyResult:
    return run_study("tally", products, out, **{"seeds": "0,1", **options})


def test_every_unit_is_made_once_and_tabled_in_the_order_of_the_grid(products: Path, tmp_path: Path, tally) -> None:
    found = study(products, tmp_path)
    assert found.is_whole and set(Counter(tally.made).values()) == {1} and len(tally.made) == 12
    rows = pd.read_csv(found.csv)
    order = [(c, la, s) for c in ("bands", "stripes") for la in ("one", "two", "three") for s in (0, 1)]
    assert list(rows[["category", "layers", "seed"]].itertuples(index=False, name=None)) == order
    text = found.markdown.read_text()
    assert "| bands | 30.5 ± 0.7 | 30.5 ± 0.7 | **50.5 ± 0.7** |" in text  # 0.30 and 0.31: sample deviation 0.7
    assert "missing" not in text and "over the seeds 0, 1" in text and "--seeds 0,1" in text and "torch" in text
    study(products, tmp_path)
    assert len(tally.made) == 12


def test_after_a_kill_it_goes_on_and_says_meanwhile_what_is_missing(products: Path, tmp_path: Path, tally) -> None:
    whole = study(products, tmp_path / "whole").csv.read_bytes()
    tally.made.clear()
    tally.stops_after = 4
    out = tmp_path / "stopped"
    with pytest.raises(KeyboardInterrupt):
        study(products, out)
    text = (out / "tally.md").read_text()
    assert "7 of 12 units missing: bands, seed 1 (1); stripes, seed 0 (3); stripes, seed 1 (3)" in text
    assert "| bands | 30.5 ± 0.7 | 30.5 ± 0.7 | **50.0 †** |" in text and "† not of all units" in text
    with (out / "tally.csv").open("ab") as file:
        file.write(b"stripes,,,256,,on")  # a line that was cut off
    tally.stops_after = None
    found = study(products, out)
    assert found.is_whole and found.csv.read_bytes() == whole and set(Counter(tally.made).values()) == {1}


def test_rows_are_on_the_disk_as_soon_as_they_are_made(
    products: Path, tmp_path: Path, tally, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[int] = []
    synced = os.fsync

    def fsync(file: int) -> None:
        synced(file)
        lines.append(len((tmp_path / "tally.csv").read_bytes().splitlines()))

    monkeypatch.setattr("os.fsync", fsync)
    study(products, tmp_path)
    assert lines == sorted(set(lines)) and lines[-1] == 13 and len(lines) == 8  # of three units, two and one together


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"seeds": "0,2"}, "--seeds [0, 1] where it is [0, 2] now"),
        ({"most_good": 8}, "--most-good null where it is 8 now"),
        ({"categories": "bands"}, '--categories ["bands", "stripes"] where it is ["bands"] now'),
    ],
)
def test_a_changed_grid_is_refused_with_the_difference(
    products: Path, tmp_path: Path, tally, changed: dict, said: str
) -> None:
    before = study(products, tmp_path).csv.read_bytes()
    with pytest.raises(FlawsightError) as error:
        study(products, tmp_path, **changed)
    assert said in str(error.value) and "another --out" in str(error.value)
    assert (tmp_path / "tally.csv").read_bytes() == before and len(tally.made) == 12


def test_other_pictures_are_another_grid(products: Path, tmp_path: Path, tally) -> None:
    shutil.copytree(products, tmp_path / "data")
    study(tmp_path / "data", tmp_path / "out")
    (tmp_path / "data" / "bands" / "train" / "good" / "000.png").unlink()
    with pytest.raises(FlawsightError, match=r"pictures of bands .*10 to learn from.* where it is .*9 to learn from"):
        study(tmp_path / "data", tmp_path / "out")


def test_masks_that_come_later_or_change_are_another_grid(products: Path, tmp_path: Path, tally) -> None:
    data, out = tmp_path / "data", tmp_path / "out"
    shutil.copytree(products, data)
    masks = data / "bands" / "ground_truth"
    masks.rename(tmp_path / "masks")
    study(data, out)
    shutil.copytree(tmp_path / "masks", masks)
    with pytest.raises(FlawsightError, match="pictures of bands"):
        study(data, out)
    study(data, tmp_path / "marked")
    study(data, tmp_path / "marked")
    assert len(tally.made) == 24
    with (masks / "spot" / "000_mask.png").open("ab") as file:
        file.write(b"other")
    with pytest.raises(FlawsightError, match="pictures of bands"):
        study(data, tmp_path / "marked")


def test_drawn_masks_are_a_part_of_the_grid_wherever_they_stand() -> None:
    def parts(*masks: Drawing) -> tuple:
        return grid._of(Sample(Path(__file__), 1, masks), Path(__file__).parent)

    box = Drawing((rectangle(0, 0, 4, 4),), (8, 8), "a.json")
    assert parts(box) == parts(replace(box, where="moved/a.json"))
    assert len({parts(), parts(box), parts(replace(box, shapes=(rectangle(0, 0, 4, 5),)))}) == 3
    assert parts() == (Path(__file__).name, 1, Path(__file__).stat().st_size)


def test_a_unit_that_fails_is_said_and_ends_no_other(products: Path, tmp_path: Path, tally) -> None:
    tally.fails = {"two": FlawsightError("no such\nlayer"), "three": ZeroDivisionError("by zero")}
    found = study(products, tmp_path)
    counts = found.rows["status"].value_counts().to_dict()
    assert counts == {"failed": 8, "made": 4} and set(tally.made) == {u for u in tally.made if u.layers == "one"}
    text = found.markdown.read_text()
    assert "2 of 12 units failed: bands: no such layer" in text and "ZeroDivisionError: by zero" in text
    assert "| bands | 30.5 ± 0.7 | – | – |" in text
    tally.fails = {}
    found = study(products, tmp_path)  # what failed is tried again, and nothing else
    assert found.is_whole and set(Counter(tally.made).values()) == {1}


def test_studies_of_the_same_rows_take_them_from_each_other(products: Path, tmp_path: Path, tally) -> None:
    STUDIES["tally"] = replace(STUDIES["tally"], rows="lengths")
    STUDIES["again"] = replace(STUDIES["tally"], title="Again")
    try:
        first = study(products, tmp_path, categories="bands", seeds="0")
        assert len(tally.made) == 3
        second = run_study("again", products, tmp_path, categories="bands", seeds="0,1")
        assert second.is_whole and len(tally.made) == 6 and first.rows["p_h"].isin(second.rows["p_h"]).all()
        run_study("again", products, tmp_path / "elsewhere", categories="bands", seeds="0")
        assert len(tally.made) == 9
        third = study(products, tmp_path / "elsewhere", categories="bands", seeds="0", most_good=8)
        assert third.is_whole and len(tally.made) == 12  # of other images
        STUDIES["more"] = replace(STUDIES["tally"], title="More")
        fourth = run_study("more", products, tmp_path / "elsewhere", categories="bands", seeds="0", layers="blocks.*")
        assert fourth.is_whole and len(tally.made) == 15  # a row may be a search among the layers
    finally:
        STUDIES.pop("more", None)
        del STUDIES["again"]


def test_what_no_unit_tells_of_is_compared() -> None:
    assert StudySettings.model_fields.keys() >= OF_UNITS
    assert not OF_UNITS & {"layers", "most_layers", "weights", "most_good", "most_test", "generator_steps", "quick"}


def test_a_sibling_that_somebody_makes_meanwhile_is_only_read(products: Path, tmp_path: Path, tally) -> None:
    STUDIES["tally"] = replace(STUDIES["tally"], rows="lengths")
    STUDIES["again"] = replace(STUDIES["tally"], title="Again")
    try:
        first = study(products, tmp_path)
        cut = first.csv.read_bytes() + b"stripes,,,256,,on"
        first.csv.write_bytes(cut)
        second = run_study("again", products, tmp_path, seeds="0,1")
        assert second.is_whole and len(tally.made) == 12 and first.csv.read_bytes() == cut
    finally:
        del STUDIES["again"]


def test_a_kill_while_rows_are_taken_over_is_gone_on_from(
    products: Path, tmp_path: Path, tally, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    STUDIES["tally"] = replace(STUDIES["tally"], rows="lengths")
    STUDIES["again"] = replace(STUDIES["tally"], title="Again")
    try:
        study(products, tmp_path)
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr("flawsight.studies.engine._take_over", killed)
            run_study("again", products, tmp_path, seeds="0,1")
        assert (tmp_path / "again.json").exists() and not (tmp_path / "again.csv").exists()
        assert run_study("again", products, tmp_path, seeds="0,1").is_whole and len(tally.made) == 12
    finally:
        del STUDIES["again"]


def test_what_is_wrong_is_said_before_anything_is_written(products: Path, tmp_path: Path, tally) -> None:
    out = tmp_path / "out"
    for options, said in (
        ({"categories": "tyres"}, "no category 'tyres'"),
        ({"seeds": ""}, "--seeds"),
        ({"seeds": "-1"}, "--seeds"),
        ({"nonsuch": 1}, "unknown option 'nonsuch'"),
        ({"most_layers": 3}, "--most-layers has no effect on the study 'tally': leave it out"),
        ({"label_preserving": "flip"}, "--label-preserving has no effect"),
        ({"generator_steps": 3}, "--generator-steps has no effect"),
        ({"parameter": {"a": 1}}, "--parameter has no effect"),
    ):
        with pytest.raises(FlawsightError, match=said):
            study(products, out, **options)
    with pytest.raises(FlawsightError, match="did you mean tally"):
        run_study("taly", products, out)
    assert not out.exists()


def test_one_at_a_time(products: Path, tmp_path: Path, tally) -> None:
    with FileLock(tmp_path / ".tally.lock"), pytest.raises(FlawsightError, match="somebody else"):
        study(products, tmp_path)


def test_rows_without_their_grid_are_not_believed(products: Path, tmp_path: Path, tally) -> None:
    found = study(products, tmp_path)
    grid = tmp_path / "tally.json"
    assert json.loads(grid.read_text())["units"] == 12
    grid.unlink()
    with pytest.raises(FlawsightError, match=r"no tally.json says of which grid"):
        study(products, tmp_path)
    grid.write_text("{")
    with pytest.raises(FlawsightError, match=r"tally.json' cannot be read"):
        study(products, tmp_path)
    assert len(pd.read_csv(found.csv)) == 12


def test_an_option_that_is_newer_than_the_file_was_not_given(products: Path, tmp_path: Path, tally) -> None:
    study(products, tmp_path)
    path = tmp_path / "tally.json"
    grid = json.loads(path.read_text())
    del grid["settings"]["augment"]
    path.write_text(json.dumps(grid))
    assert study(products, tmp_path).is_whole and len(tally.made) == 12
    path.write_text(json.dumps(grid))
    with pytest.raises(FlawsightError, match="--augment 0 where it is 3 now"):
        study(products, tmp_path, augment=3)


def test_options_without_effect_are_not_said_to_be_settings(products: Path, tmp_path: Path, tally) -> None:
    text = study(products, tmp_path).markdown.read_text()
    assert "image_size 256" in text and "augment 0" in text
    assert "generator_preset" not in text and "label_preserving" not in text


def test_what_measures_time_is_made_by_one_process_and_on_one_device(
    products: Path, tmp_path: Path, tally, monkeypatch: pytest.MonkeyPatch
) -> None:
    STUDIES["tally"] = replace(STUDIES["tally"], is_timed=True)
    for option in ({"workers": 2}, {"ray": "local"}):
        with pytest.raises(FlawsightError, match=f"one process alone: leave --{next(iter(option))} out"):
            study(products, tmp_path, **option)
    study(products, tmp_path, device="cpu")
    study(products, tmp_path, device="cpu")
    monkeypatch.setattr("platform.processor", lambda: "another")
    with pytest.raises(FlawsightError, match=r"--device .* where it is .*another"):
        study(products, tmp_path, device="cpu")
    STUDIES["tally"] = replace(STUDIES["tally"], is_timed=False)
    study(products, tmp_path / "untimed", device="cpu")
    study(products, tmp_path / "untimed", device="auto")
    assert len(tally.made) == 24


def test_one_data_set_is_a_category(products: Path, tmp_path: Path, tally) -> None:
    found = study(products / "bands", tmp_path)
    assert set(found.rows["category"]) == {"bands"}
    assert Unit("bands", layers="one", seed=1) in tally.made


def test_what_a_worker_died_of_is_said(products: Path, tmp_path: Path, tally, monkeypatch: pytest.MonkeyPatch) -> None:
    class Deadly:
        workers = 1

        def map(self, job, items):
            for number, item in enumerate(items):
                yield Outcome(number, lost="3 workers died of it") if number == 1 else Outcome(number, job(item))

    monkeypatch.setattr("flawsight.studies.engine.open_executor", lambda *_: nullcontext(Deadly()))
    found = study(products, tmp_path)
    lost = found.rows[found.rows["status"] == "failed"]
    assert lost["error"].tolist() == ["3 workers died of it"] and lost["layers"].tolist() == ["three"]


def test_a_damaged_row_is_named(products: Path, tmp_path: Path, tally) -> None:
    found = study(products, tmp_path)
    lines = found.csv.read_text().splitlines(keepends=True)
    found.csv.write_text("".join([*lines[:3], "bands,,\n", *lines[3:]]))
    with pytest.raises(FlawsightError, match="line 4 is no row"):
        study(products, tmp_path)
    after_seed = ",".join(lines[2].split(",")[: len(UNIT)])
    for damaged in (f"{after_seed}\n", f"{lines[2].rstrip()},more\n"):
        found.csv.write_text("".join([*lines[:2], damaged, *lines[3:]]))
        with pytest.raises(FlawsightError, match="line 3 is no row"):
            study(products, tmp_path)
    found.csv.write_text("".join(["a,b\n", *lines[1:]]))
    with pytest.raises(FlawsightError, match="other columns"):
        study(products, tmp_path)


def test_networks_and_their_weights() -> None:
    def found(**options: object) -> list[tuple[str, str]]:
        return networks(StudySettings(**options))

    assert found(extractor="a,b") == [("a", ""), ("b", "")]
    assert found(extractor="a,b", weights="x/1.pth,random") == [("a", "1.pth"), ("b", "random")]
    assert found(extractor="a", weights="1.pth,2.pth") == [("a", "1.pth"), ("a", "2.pth")]
    with pytest.raises(FlawsightError, match="names 3 files for 2 networks"):
        found(extractor="a,b", weights="1,2,3")
    with pytest.raises(FlawsightError, match="called the same"):
        found(extractor="a", weights="x/1.pth,y/1.pth")


def test_other_weights_of_the_same_name_are_another_grid(products: Path, tmp_path: Path, tally) -> None:
    file = tmp_path / "w.pth"
    file.write_bytes(b"one")
    study(products, tmp_path / "out", weights=str(file))
    file.write_bytes(b"two")
    with pytest.raises(FlawsightError, match="--weights"):
        study(products, tmp_path / "out", weights=str(file))


def test_other_textures_are_another_grid_wherever_they_lie(products: Path, tmp_path: Path, tally) -> None:
    textures = tmp_path / "textures"
    shutil.copytree(products / "stripes" / "train" / "good", textures / "some")
    study(products, tmp_path / "out", textures=textures)
    shutil.copytree(textures, tmp_path / "moved" / "textures")
    study(products, tmp_path / "out", textures=tmp_path / "moved" / "textures")
    next(textures.glob("some/*")).unlink()
    with pytest.raises(FlawsightError, match="--textures"):
        study(products, tmp_path / "out", textures=textures)
