"""`study`: what there is, what is wrong, and how a study that lacks something ends."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

from flawsight.studies import STUDIES

QUICK = ("--quick", "--device", "cpu", "--detector", "patchcore", "--layers", "blocks.2.0.bn3")


def test_the_list_says_what_each_needs(flawsight: Callable) -> None:
    listed = json.loads(flawsight("study", "--list", "--json").out)["studies"]
    assert [one["name"] for one in listed] == list(STUDIES)
    assert {"name": "a-table-1", "source": "paper A, Table 1"}.items() <= listed[0].items()
    text = flawsight("study", "--list").out
    assert all(name in text for name in STUDIES) and "masks" in text


def test_bad_names_are_refused(flawsight: Callable, labelled_set: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    flawsight("study", "a-tabel-1", labelled_set, "--out", out).refused("unknown study", "did you mean a-table-1")
    flawsight("study", "a-table-1", "--out", out).refused("DATA is missing")
    flawsight("study", "a-table-1", labelled_set).refused("--out is missing")
    flawsight("study", "a-table-1", tmp_path / "none", "--out", out).refused("none")
    flawsight("study", "a-table-1", labelled_set, "--out", out, "--detector", "patchcor").refused("patchcore")
    flawsight("study", "a-table-1", labelled_set, "--out", out, "--detector", "autoencoder").refused("single layers")
    assert not out.exists()


def test_what_is_lacking_is_said_by_text_and_exit_code(flawsight: Callable, labelled_set: Path, tmp_path: Path) -> None:
    done = flawsight("study", "a-table-1", labelled_set, "--out", tmp_path, *QUICK, "--json")
    document = json.loads(done.out)
    assert done.code == 3 and (document["units"], document["made"], document["failed"]) == (1, 0, 1)
    assert "at least 8 good images" in document["warnings"][0]
    assert "1 of 1 units failed" in (tmp_path / "a-table-1.md").read_text()
    done = flawsight("study", "a-table-1", labelled_set, "--out", tmp_path, *QUICK)
    assert done.code == 3 and "0 of 1 units measured." in done.out and "Mind: 1 of 1 units failed" in done.out


def test_a_whole_one_names_its_files(flawsight: Callable, labelled_set: Path, good_dir: Path, tmp_path: Path) -> None:
    shutil.copytree(labelled_set, tmp_path / "data")
    for path in sorted(good_dir.iterdir())[:10]:
        shutil.copy(path, tmp_path / "data" / "train" / "good")
    done = flawsight("study", "a-figure-4", tmp_path / "data", "--out", tmp_path / "out", *QUICK, "--json")
    document = json.loads(done.out)
    assert done.code == 0 and document["warnings"] == [] and document["made"] == document["units"] == 1
    assert all(Path(document[name]).is_file() for name in ("rows", "tables", "figure"))
