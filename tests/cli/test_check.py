"""`flawsight check`: findings in words, as JSON, as a page; exit code 2 where a fit would refuse."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def folder(good_dir: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(good_dir, tmp_path / "good"))


def test_nothing_to_mind(flawsight: Callable, folder: Path) -> None:
    done = flawsight("check", folder)
    assert done.code == 0 and done.out.strip() == "Looked at 24 pictures: nothing to mind."


def test_warnings_are_no_failure(flawsight: Callable, folder: Path) -> None:
    shutil.copy(folder / "003.png", folder / "copy.png")
    done = flawsight("check", folder)
    assert done.code == 0 and "1 warning" in done.out
    assert "Warning: The same picture twice. 1 picture is a copy of another (003.png = copy.png): keep one" in done.out


def test_what_a_fit_refuses_exits_with_2(flawsight: Callable, folder: Path) -> None:
    (folder / "cut.png").write_bytes((folder / "000.png").read_bytes()[:99])
    done = flawsight("check", folder, "--json")
    document = json.loads(done.out)
    assert done.code == 2 and document["errors"] == 1 and document["pictures"] == 25
    (finding,) = document["findings"]
    assert finding["kind"] == "unreadable" and finding["files"] == [str(folder / "cut.png")]
    assert flawsight("fit", folder, "--out", folder.parent / "bundle").code == 2


def test_copies_are_parted_in_json(flawsight: Callable, folder: Path) -> None:
    shutil.copy(folder / "003.png", folder / "copy.png")
    (finding,) = json.loads(flawsight("check", folder, "--json").out)["findings"]
    assert finding["groups"] == [[str(folder / "003.png"), str(folder / "copy.png")]]


def test_the_page_has_pictures_and_no_places(flawsight: Callable, folder: Path, tmp_path: Path) -> None:
    shutil.copy(folder / "003.png", folder / "copy.png")
    (folder / "cut.png").write_bytes(b"x")
    done = flawsight("check", folder, "--out", tmp_path / "page")
    page = (tmp_path / "page" / "check.html").read_text(encoding="utf-8")
    assert done.code == 2 and "check.html" in done.out
    assert page.count("data:image/jpeg") == 2 and str(tmp_path) not in page and "cut.png" in page
    assert "http" not in page.replace("http-equiv", "")


def test_a_data_set_is_checked_where_a_fit_learns(flawsight: Callable, labelled_set: Path) -> None:
    assert json.loads(flawsight("check", labelled_set, "--json").out)["pictures"] == 2


def test_bad_input_is_refused(flawsight: Callable, tmp_path: Path) -> None:
    flawsight("check", tmp_path / "nowhere").refused("nowhere")
