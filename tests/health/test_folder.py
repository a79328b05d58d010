"""What is wrong with files and folders is named in one run, also where a fit refuses them."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import flawsight as fs
from flawsight.health import check_folder


def test_a_clean_folder_has_no_findings(folder: Path) -> None:
    report = check_folder(folder).report
    assert (report.pictures, report.findings, report.has_errors) == (24, (), False)
    assert report.typical is not None and report.typical.parent == folder


def test_all_unreadable_ones_are_named_at_once(folder: Path, put: Callable, said: Callable) -> None:
    put("cut.png", (folder / "000.png").read_bytes()[:200])
    put("empty.png", b"")
    put("text.jpg", b"no picture")
    finding = said("unreadable")
    assert {path.name for path in finding.files} == {"cut.png", "empty.png", "text.jpg"}
    assert finding.severity == "error" and "empty.png is empty" in finding.text and str(folder) not in finding.text


def test_other_depths_are_an_error_and_the_rest_is_looked_at(folder: Path, put: Callable, found: Callable) -> None:
    put("deep.png", np.asarray(Image.open(folder / "000.png")).astype(np.uint16) * 257)
    shutil.copy(folder / "001.png", folder / "copy.png")
    assert found() == {"format": {"deep.png"}, "duplicates": {"001.png", "copy.png"}}


def test_all_grey_ones_among_colours_are_in_the_finding(folder: Path, said: Callable) -> None:
    for number in range(11):
        Image.open(folder / f"{number:03d}.png").convert("L").save(folder / f"{number:03d}.png")
    assert len(said("format").files) == 11 and said("format").severity == "warning"


def test_heat_maps_are_known_wherever_they_lie(
    folder: Path, bundle: Path, found: Callable, tmp_path: Path, good_dir: Path
) -> None:
    fs.inspect_to_folder(fs.load(bundle, "cpu"), [good_dir / "000.png"], tmp_path / "results")
    (heat_map,) = (tmp_path / "results" / "heatmaps").glob("*.png")
    shutil.copy(heat_map, folder / "some_name.png")
    assert found() == {"heat_maps": {"some_name.png"}}
    assert folder / "some_name.png" not in fs.data.good_images(folder)


def test_defective_folders_among_good_pictures_are_an_error(folder: Path, found: Callable) -> None:
    (folder / "bad").mkdir()
    shutil.copy(folder / "000.png", folder / "bad" / "x.png")
    shutil.copy(folder / "001.png", folder / "copy.png")
    named = found()
    assert named["layout"] == {"bad"} and named["duplicates"] == {"001.png", "copy.png"}


def test_good_beside_defective_is_looked_at_and_said(folder: Path, tmp_path: Path) -> None:
    folder.rename(tmp_path / "normal")
    (tmp_path / "abnormal").mkdir()
    shutil.copy(tmp_path / "normal" / "000.png", tmp_path / "abnormal" / "x.png")
    report = check_folder(tmp_path).report
    assert report.pictures == 24 and [one.kind for one in report.findings] == ["layout"]
    assert "only the 24 good images" in report.findings[0].text


def test_whatever_is_left_out_is_named(folder: Path, put: Callable, found: Callable) -> None:
    put("notes.txt", b"x")
    put("Thumbs.db", b"x")
    put("scan.heic", b"x")
    (folder / "link.png").symlink_to(folder / "gone.png")
    assert found() == {"left_out": {"notes.txt", "Thumbs.db", "scan.heic", "link.png"}}


def test_names_that_are_no_text_are_named(folder: Path, found: Callable) -> None:
    shutil.copy(folder / "000.png", os.fsencode(folder) + b"/B\xf6den.png")
    assert len(found()["duplicates"]) == 2


def test_too_few_are_said(folder: Path, found: Callable) -> None:
    for number in range(18):
        (folder / f"{number:03d}.png").unlink()
    assert "too_few" in found()


@pytest.mark.parametrize("name", ["nowhere", "empty"])
def test_a_folder_without_pictures_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(fs.FlawsightError, match=name):
        check_folder(tmp_path / name)


def test_a_list_of_files_is_checked(folder: Path) -> None:
    assert check_folder(sorted(folder.iterdir())).report.pictures == 24
