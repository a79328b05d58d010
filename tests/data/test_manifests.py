"""Tables of images: what they say, and which line is wrong."""

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from flawsight.core import FlawsightError
from flawsight.data import good_images, open_dataset


def make(root: Path, *names: str) -> None:
    root.mkdir(exist_ok=True)
    for name in names:
        Image.fromarray(np.zeros((8, 8), np.uint8)).save(root / name)


def test_manifest(tmp_path):
    make(tmp_path / "pics", *(f"{c}.png" for c in "abcdef"), "f_mask.png")
    path = tmp_path / "list.csv"
    rows = [
        ["pics/a.png", "good", "", "", "train"],
        ["pics/b.png", "Normal", "", "", "TRAIN"],
        [str(tmp_path / "pics/c.png"), "0", "", "good", ""],
        ["pics/d.png", "anomaly", "", "", ""],
        ["pics/e.png", "", "", "", "test"],
        ["pics/f.png", "1", "pics/f_mask.png", "scratch, long", "test"],
    ]
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        csv.writer(file).writerows([["Path", " label", "mask", "kind", "split"], *rows])
    dataset = open_dataset(path)
    assert dataset.layout == "manifest"
    assert [s.label for s in dataset] == [0, 0, 0, 1, None, 1]
    assert [s.kind for s in dataset] == ["good", "good", "good", "defective", "unknown", "scratch, long"]
    assert [s.split for s in dataset] == ["train", "train", "test", "test", "test", "test"]
    assert dataset[-1].mask_path == tmp_path / "pics/f_mask.png"
    assert good_images(path) == [tmp_path / "pics/a.png", tmp_path / "pics/b.png"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path,label\na.png,good\nb.png,odd\n", "line 3.*'odd'"),
        ("path,label\na.png,good\n\nmissing.png,good\n", r"line 4.*missing\.png"),
        ("path,label\na.png,good\n./a.png,good\n", "line 3.*already in .*line 2"),
        ("path,label\na.png\n", "line 2.*1 cells for 2"),
        ("path,label\na.png,good,x\n", "line 2.*3 cells for 2"),
        ("path,label\n,good\n", "line 2.*no such file"),
        ("path,label,split\na.png,good,val\n", "line 2.*'val'"),
        ("path,label,kind\na.png,good,dent\n", "line 2.*contradicts"),
        ("path,label,kind\na.png,1,good\n", "line 2.*contradicts"),
        ("path,label,mask\na.png,1,m.png\n", r"line 2.*m\.png"),
        ("path,label,masks\na.png,1,m.png\n", "unknown column 'masks'"),
        ("path,label,label\na.png,1,1\n", "'label' twice"),
        ("", "no column 'path'"),
        ("path,label\n", "lists no image"),
        ('path,label\n"a.png,good\n', "not a UTF-8 CSV"),
    ],
)
def test_manifest_errors_name_the_line(tmp_path, text, message):
    make(tmp_path, "a.png", "b.png")
    path = tmp_path / "list.csv"
    path.write_text(text)
    with pytest.raises(FlawsightError, match=message) as caught:
        open_dataset(path)
    assert "list.csv" in str(caught.value)


def test_manifest_in_another_encoding(tmp_path):
    make(tmp_path, "a.png")
    (tmp_path / "list.csv").write_bytes("path,label\nä.png,good\n".encode("latin-1"))
    with pytest.raises(FlawsightError, match=r"list\.csv is not a UTF-8"):
        open_dataset(tmp_path / "list.csv")
