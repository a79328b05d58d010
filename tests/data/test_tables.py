"""Tables as spreadsheets and other machines write them."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from flawsight.core import FlawsightError
from flawsight.data import good_samples, open_dataset


def make(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.zeros((8, 8), np.uint8)).save(root / name)
    return root


ROWS = [["Split", "LABEL", "Path", "mask"], ["train", "OK", "d/a.png", ""], ["test", "NG", "d/b.png", "d/m.png"]]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("mark", [",", ";", "\t"], ids=["comma", "semicolon", "tab"])
@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["unix", "windows"])
@pytest.mark.parametrize("slash", ["/", "\\"])
def test_delimiters_encodings_and_slashes(tmp_path, encoding, mark, end, slash):
    make(tmp_path, "d/a.png", "d/b.png", "d/m.png")
    text = "".join(mark.join(row) + end for row in ROWS).replace("/", slash)
    (tmp_path / "list.csv").write_bytes(text.encode(encoding))
    dataset = open_dataset(tmp_path / "list.csv")
    assert [(s.path.name, s.label, s.split) for s in dataset] == [("a.png", 0, "train"), ("b.png", 1, "test")]
    assert dataset[1].mask_path.name == "m.png" and dataset.notes == ()


def test_what_spreadsheets_add(tmp_path):
    make(tmp_path, "a.png", "b.png")
    (tmp_path / "list.csv").write_text("sep=;\npath;label;;\na.png;gut;;\nb.png;schlecht;;\n;;;\n")
    assert [s.label for s in open_dataset(tmp_path / "list.csv")] == [0, 1]
    (tmp_path / "list.csv").write_text("sep=;\npath;label\na.png;gut\nb.png;seltsam\n")
    with pytest.raises(FlawsightError, match=r"line 4.*'seltsam'"):
        open_dataset(tmp_path / "list.csv")


def test_more_columns_are_said_and_misspelt_ones_refused(tmp_path):
    make(tmp_path, "a.png", "b.png")
    (tmp_path / "list.csv").write_text("path,label,operator,shift\na.png,good,Kim,2\nb.png,bad,Lee,1\n")
    assert open_dataset(tmp_path / "list.csv").notes == ("columns of list.csv not used: operator, shift",)
    for wrong in ("masks", "splits", "kinds"):
        (tmp_path / "list.csv").write_text(f"path,label,{wrong}\na.png,good,\n")
        with pytest.raises(FlawsightError, match=f"unknown column '{wrong}'"):
            open_dataset(tmp_path / "list.csv")


def test_paths_of_another_machine(tmp_path):
    make(tmp_path, "set/a.png", "set/b.png")
    (tmp_path / "list.csv").write_text("path,label\nC:\\me\\set\\a.png,good\n/home/me/set/b.png,bad\n")
    dataset = open_dataset(tmp_path / "list.csv")
    assert [s.path for s in dataset] == [tmp_path / "set/a.png", tmp_path / "set/b.png"]
    assert "2 paths of another place" in dataset.notes[0]
    (tmp_path / "list.csv").write_text(f"path,label\n{tmp_path / 'set/a.png'},good\nSET\\B.PNG,bad\n")
    assert open_dataset(tmp_path / "list.csv").notes == ()


def test_several_masks_and_every_wrong_row(tmp_path):
    make(tmp_path, "a.png", "m.png", "n.png")
    (tmp_path / "list.csv").write_text("path,label,mask\na.png,bad,m.png | n.png\n")
    assert [mask.name for mask in open_dataset(tmp_path / "list.csv")[0].masks] == ["m.png", "n.png"]
    (tmp_path / "list.csv").write_text("path,label\nx.png,bad\na.png,good\ny.png,bad\n")
    with pytest.raises(FlawsightError, match=r"2 problems: .*line 2.*x\.png.*line 4.*y\.png"):
        open_dataset(tmp_path / "list.csv")


def test_a_folder_with_a_table_is_not_all_good(tmp_path):
    make(tmp_path, "a.png", "b.png")
    (tmp_path / "labels.csv").write_text("path;label\na.png;OK\nb.png;NG\n")
    found = good_samples(tmp_path)
    assert [s.path.name for s in found] == ["a.png"] and "1 others (defective) left out" in found.notes[0]
