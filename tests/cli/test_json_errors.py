"""With --json a script gets one JSON document whatever happens; the message also goes where people look."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from flawsight.cli import ending


def failed(done: Any, kind: str, code: int, *parts: str) -> None:
    document = json.loads(done.out)
    assert done.code == code and set(document) == {"error"}
    error = document["error"]
    assert set(error) == {"message", "kind", "code"} and error["kind"] == kind and error["code"] == code
    for part in parts:
        assert part in error["message"]
    assert error["message"] in done.err


BAD = {
    "fit": ["missing", "--out", "o"],
    "inspect": ["missing", "x.png", "--out", "o"],
    "evaluate": ["missing", "missing", "--out", "o"],
    "layers": ["resnet19"],
    "synthesize": ["missing", "--out", "o"],
    "demo": ["--out", "file/o"],
}


@pytest.mark.parametrize("verb", BAD)
def test_bad_input_of_every_verb(
    flawsight: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("x")
    done = flawsight(verb, *BAD[verb], "--json")
    failed(done, "input", 2)
    assert done.err.startswith("flawsight: ")
    plain = flawsight(verb, *BAD[verb])
    assert plain.out == "" and plain.err == done.err and plain.code == 2


@pytest.mark.parametrize("verb", BAD)
@pytest.mark.parametrize(
    ("given", "part"),
    [(["--no-such-option"], "--no-such-option"), (["--config"], "--config"), (["a", "b", "c", "d"], "")],
)
def test_mistakes_on_the_command_line(flawsight: Callable, verb: str, given: list[str], part: str) -> None:
    if verb == "inspect" and given[0] == "a":
        given = [*given, "--max-pixels", "many"]
    failed(flawsight(verb, "--json", *given), "usage", 2, part)


def test_an_unknown_verb_and_none(flawsight: Callable) -> None:
    failed(flawsight("inspekt", "--json"), "usage", 2, "inspekt")
    failed(flawsight("--json"), "usage", 2, "--json")
    failed(flawsight("fit", "--json"), "input", 2, "--")


def test_after_two_dashes_there_is_no_option(flawsight: Callable, bundle: Path, tmp_path: Path) -> None:
    done = flawsight("inspect", "--out", tmp_path / "o", "--", bundle, "--json")
    assert done.code == 2
    assert not done.out.startswith("{") and "--json" in done.err


def test_help_is_no_error(flawsight: Callable) -> None:
    assert flawsight("fit", "--help", "--json").code == 0


@pytest.mark.parametrize(
    ("error", "kind", "code", "part"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "x"), "system", 2, "'x': No space left on device; make room"),
        (PermissionError(errno.EACCES, "Permission denied", "y"), "system", 2, "'y': Permission denied"),
        (ModuleNotFoundError("No module named 'torch'", name="torch"), "package", 2, "flawsight[fit]"),
        (ending._Interrupted(), "interrupt", 130, "interrupted"),
    ],
)
def test_what_else_may_happen(
    flawsight: Callable, monkeypatch: pytest.MonkeyPatch, error: BaseException, kind: str, code: int, part: str
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("flawsight.features.Extractor", stop)
    failed(flawsight("layers", "--json"), kind, code, part)
    plain = flawsight("layers")
    assert plain.code == code and plain.out == "" and part in plain.err and "Traceback" not in plain.err


def test_a_fault_of_ours_is_a_document_too_and_keeps_its_traceback(
    flawsight: Callable, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("flawsight.features.Extractor", lambda *_, **__: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        flawsight("layers", "--json")
    assert json.loads(capsys.readouterr().out)["error"]["kind"] == "bug"


def test_pictures_that_cannot_be_read_are_no_failure_of_the_whole(
    flawsight: Callable, bundle: Path, texture: Callable, tmp_path: Path
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    Image.fromarray(texture(1)).save(folder / "a.png")
    (folder / "b.xyz").write_bytes(b"x")
    done = flawsight("inspect", bundle, folder, "--out", tmp_path / "out", "--json")
    document = json.loads(done.out)
    assert done.code == 0 and document["good"] + document["defective"] == 1
    (skipped,) = document["skipped"]
    assert skipped["path"] == str(folder / "b.xyz") and ".xyz" in skipped["reason"]
    shown = flawsight("inspect", bundle, folder, "--out", tmp_path / "out")
    assert shown.code == 0 and "1 left out" in shown.out and "b.xyz" in shown.out
    (folder / "c.png").write_bytes(b"x")
    done = flawsight("inspect", bundle, folder, "--out", tmp_path / "out", "--json")
    assert done.code == 2 and json.loads(done.out)["error"] == 1 and "c.png" in done.err


def test_ten_bad_files_of_a_fit_are_named_at_once(flawsight: Callable, good_dir: Path, tmp_path: Path) -> None:
    mixed = Path(shutil.copytree(good_dir, tmp_path / "mixed"))
    bad = sorted(mixed.iterdir())[::2][:10]
    for number, path in enumerate(bad):
        path.write_bytes([b"", b"no picture", path.read_bytes()[:300]][number % 3])
    for verb in ("fit", "synthesize"):
        done = flawsight(verb, mixed, "--out", tmp_path / "out", "--json")
        failed(done, "input", 2, "10 of 24", *(path.name for path in bad))
    assert not (tmp_path / "out" / "synthetic.csv").exists()


def test_and_those_of_an_evaluation(flawsight: Callable, bundle: Path, labelled_set: Path, tmp_path: Path) -> None:
    mixed = Path(shutil.copytree(labelled_set, tmp_path / "mixed"))
    bad = [*sorted((mixed / "test" / "good").iterdir())[:2], *sorted((mixed / "ground_truth" / "spot").iterdir())[:1]]
    for path in bad:
        path.write_bytes(b"no picture")
    done = flawsight("evaluate", bundle, mixed, "--out", tmp_path / "out", "--json")
    failed(done, "input", 2, "not all of 7", *(path.name for path in bad))


def test_a_fit_says_what_to_mind(flawsight: Callable, texture: Callable, tmp_path: Path) -> None:
    """Small defects in large pictures, and what was left out: for people, for scripts and in the report."""
    folder = tmp_path / "good"
    folder.mkdir()
    for number in range(10):
        Image.fromarray(texture(number, (400, 300))).save(folder / f"{number}.png")
    (folder / "notes.xyz").write_text("x")
    quick = ("--image-size", "64", "--fixed-layers", "blocks.1.0.bn3", "--device", "cpu", "--export", "none")
    done = flawsight("fit", folder, "--out", tmp_path / "out", *quick, "--json")
    document = json.loads(done.out)
    small, left = sorted(document["warnings"], key=lambda text: "notes" in text)
    assert "shrunk 6.25 times" in small and "smaller than about 19 pixels" in small
    assert left == "1 left out (.xyz is not read): notes.xyz"
    assert document["skipped"] == [{"path": str(folder / "notes.xyz"), "reason": ".xyz is not read"}]
    shown = flawsight("fit", folder, "--out", tmp_path / "out", *quick, "--overwrite").out
    report = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    for sentence in (small, left):
        assert f"Mind: {sentence}." in shown and sentence[1:] in report
    again = flawsight("fit", folder, "--out", tmp_path / "big", *quick[2:], "--image-size", "128", "--json")
    assert not any("shrunk" in warning for warning in json.loads(again.out)["warnings"])


def test_nobody_who_listens(good_dir: Path) -> None:
    """As of `| head -1`: no traceback."""
    code = "from flawsight.cli.app import main; main()"
    command = f"{sys.executable} -c '{code}' layers resnet18 --image-size 64 --json | head -c 20"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False, timeout=120)
    assert "Traceback" not in done.stderr and "Exception ignored" not in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no such device")
@pytest.mark.parametrize("json_too", [True, False])
def test_an_output_that_takes_nothing(good_dir: Path, json_too: bool) -> None:
    code = "from flawsight.cli.app import main; main()"
    command = [sys.executable, "-c", code, "check", str(good_dir), *(["--json"] if json_too else [])]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False, timeout=120)
    assert done.returncode == 2 and "No space left" in done.stderr and "Traceback" not in done.stderr


def test_an_interrupt(start: Callable, good_dir: Path, tmp_path: Path) -> None:
    process = start("fit", good_dir, "--out", tmp_path / "out", "--image-size", "64", "--device", "cpu", "--json")
    deadline = time.monotonic() + 120
    while not (tmp_path / "out" / ".search").exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 130
    error = json.loads(out)["error"]
    assert error["kind"] == "interrupt" and error["code"] == 130


def test_names_that_are_no_utf_8_are_plain_text(flawsight: Callable, bundle: Path, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    name = os.fsdecode(b"B\xf6.png")
    Image.fromarray(np.zeros((20, 20, 3), np.uint8)).save(folder / name)
    (folder / os.fsdecode(b"\xf6.txt")).touch()
    done = flawsight("inspect", bundle, folder, "--out", tmp_path / "out", "--json")
    document = json.loads(done.out)
    assert document["results"][0]["path"] == f"{folder}/B\\xf6.png"
    assert document["skipped"][0]["path"] == f"{folder}/\\xf6.txt"
    failed(
        flawsight("inspect", bundle, folder / "missing" / name, "--out", folder / "B\udcf6.png", "--json"), "input", 2
    )
