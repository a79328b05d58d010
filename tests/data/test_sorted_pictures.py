"""Good ones beside defective ones: told apart by the names of folders and files, and never without a word."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from flawsight.core import FlawsightError
from flawsight.data import DEFECTIVE, good_images, good_samples, open_dataset
from flawsight.data.layouts.words import said_by


def make(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.zeros((8, 8), np.uint8)).save(root / name)
    return root


@pytest.mark.parametrize(
    "name",
    [
        "good",
        "OK",
        "ok",
        "01_good",
        "i.O.",
        "defect-free",
        "GoodParts",
        "Gutteile",
        "gut",
        "normal",
        "PASS",
        "no_defects",
        "良品",
    ],
)
def test_words_for_good(name):
    assert said_by(name) == "good"


BAD = "bad NG n.i.O. NG(2) ng_001 not_good abnormal anomalous Defective BadParts fail schlecht cast_def_0_1 KO 不良品"


@pytest.mark.parametrize("name", BAD.split())
def test_words_for_bad(name):
    assert said_by(name) == "bad"


@pytest.mark.parametrize(
    "name", ["monday", "IMG_0001", "line1", "scratch", "bottle", "2024-05-01", "a", "io_board", "confirmed"]
)
def test_words_that_say_nothing(name):
    assert said_by(name) is None


PAIRS = [
    ("normal", "abnormal"),
    ("normal", "anomalous"),
    ("pass", "fail"),
    ("OK", "NG"),
    ("ok_front", "def_front"),
    ("gut", "schlecht"),
    ("defect-free", "defective"),
    ("good", "scratch"),
    ("Images/Normal", "Images/Anomaly"),
    ("good parts", "bad parts"),
    ("i.O.", "n.i.O."),
]


@pytest.mark.parametrize(("good", "bad"), PAIRS)
def test_folders_of_good_and_bad(tmp_path, good, bad):
    make(tmp_path, *(f"{good}/{i}.png" for i in range(3)), *(f"{bad}/{i}.png" for i in range(2)))
    assert good_images(tmp_path) == [tmp_path / good / f"{i}.png" for i in range(3)]
    (note,) = good_samples(tmp_path).notes
    assert "only the 3 good images" in note and "2 others" in note
    assert Path(good).name in note and Path(bad).name in note
    dataset = open_dataset(tmp_path)
    assert dataset.layout == "labelled" and len(dataset.select("test", DEFECTIVE)) == 2


def test_files_named_good_and_bad(tmp_path):
    make(tmp_path, "ok_1.png", "ok_2.png", "ng_1.png")
    assert [path.name for path in good_images(tmp_path)] == ["ok_1.png", "ok_2.png"]
    assert "1 others" in good_samples(tmp_path).notes[0]


@pytest.mark.parametrize("odd", ["ng_001.png", "part_7_defect.png", "a_mask.png"])
def test_a_name_that_says_defective_among_others(tmp_path, odd):
    make(tmp_path, "a.png", "b.png", odd)
    assert [path.name for path in good_images(tmp_path)] == ["a.png", "b.png"]
    (note,) = good_samples(tmp_path).notes
    assert odd in note


@pytest.mark.parametrize("odd", ["bad_3.png", "broken.png"])
def test_a_name_that_may_speak_of_the_file_is_said(tmp_path, odd):
    make(tmp_path, "a.png", "b.png", odd)
    found = good_samples(tmp_path)
    assert len(found) == 3 and odd in found.notes[0] and "taken for good" in found.notes[0]


def test_a_word_in_every_name_is_said_but_means_nothing(tmp_path):
    make(tmp_path / "defective", "defect_1.png", "defect_2.png")
    found = good_samples(tmp_path / "defective")
    assert len(found) == 2
    assert len(found.notes) == 2 and all("taken for good" in note for note in found.notes)


def test_what_cannot_be_known_is_refused(tmp_path):
    make(tmp_path / "a", "x.png", "defective/y.png")
    with pytest.raises(FlawsightError, match=r"no known layout \(not all images are good, as defective say"):
        good_images(tmp_path / "a")
    make(tmp_path / "b", "x.png", "good/y.png", "bad/z.png")
    with pytest.raises(FlawsightError, match=r"beside its folders.*x\.png"):
        good_images(tmp_path / "b")
    make(tmp_path / "c", "good/y.png", "bad/good_light/z.png")
    with pytest.raises(FlawsightError, match="'bad' and 'good_light' contradict"):
        good_images(tmp_path / "c")


def test_only_good_folders_are_all_good_without_a_note(tmp_path):
    make(tmp_path, "ok/1.png", "ok2/2.png")
    assert len(good_images(tmp_path)) == 2 and good_samples(tmp_path).notes == ()
