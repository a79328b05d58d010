"""Consoles of any encoding: nothing fails after the work is done, whatever the pictures are called."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

QUICK = ("--image-size", "64", "--fixed-layers", "blocks.3.0.bn1", "--device", "cpu")
CONSOLES = {
    "cp1252": {"PYTHONIOENCODING": "cp1252"},
    "ascii": {"PYTHONIOENCODING": "ascii:strict"},
    "cp932": {"PYTHONIOENCODING": "cp932"},
    "C": {"LC_ALL": "C"},
    "old C": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "utf-8": {"PYTHONIOENCODING": "utf-8:strict"},
}


@pytest.fixture(scope="module")
def pictures(good_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Good pictures with names in several scripts, one of them no UTF-8, in a folder of such a name."""
    folder = tmp_path_factory.mktemp("consoles") / "部品 ö"
    folder.mkdir()
    for number, path in enumerate(sorted(good_dir.iterdir())[:10]):
        shutil.copy(path, folder / f"部品 é {number}.png")
    shutil.copy(path, folder / os.fsdecode(b"B\xf6den.png"))
    (folder / "说明.txt").touch()
    return folder


@pytest.fixture(params=CONSOLES)
def console(request: pytest.FixtureRequest) -> Callable[..., tuple[int, bytes, bytes]]:
    """The command line on such a console: exit code and raw output."""

    def run(*arguments: object) -> tuple[int, bytes, bytes]:
        environment = {**os.environ, "COLUMNS": "100", **CONSOLES[request.param]}
        command = ["-c", "from flawsight.cli.app import main; main()", *map(os.fsencode, map(str, arguments))]
        done = subprocess.run(
            [sys.executable, *command], capture_output=True, check=False, timeout=300, env=environment
        )
        assert done.returncode >= 0, "it crashed"
        assert b"Traceback" not in done.stderr
        return done.returncode, done.stdout, done.stderr

    return run


def test_all_that_is_done_with_pictures(console: Callable, pictures: Path, bundle: Path, tmp_path: Path) -> None:
    for as_json in ([], ["--json"]):
        out = tmp_path / f"工場 ñ{len(as_json)}"
        code, shown, err = console("fit", pictures, "--out", out / "bundle", *QUICK, *as_json)
        assert code == 0, err
        assert (out / "bundle" / "report.html").exists()
        code, shown, err = console("inspect", bundle, pictures, "--out", out / "results", *as_json)
        assert code == 0, err
        assert len(list((out / "results" / "heatmaps").iterdir())) == 11
        assert "部品" in (out / "results" / "results.csv").read_text(encoding="utf-8")
        if as_json:
            assert "部品" in json.loads(shown)["results"][0]["path"]
        code, shown, err = console(
            "synthesize", pictures, "--out", out / "synthetic", "--defects", "cutpaste", *as_json
        )
        assert code == 0, err


def test_errors_and_help(console: Callable, pictures: Path, tmp_path: Path) -> None:
    bad = tmp_path / "缺.png"
    bad.write_bytes(b"x")
    for arguments in (
        ("fit", bad, "--out", tmp_path / "o"),
        ("fit", tmp_path / "没有", "--out", tmp_path / "o", "--json"),
        ("inspect", pictures, bad, "--out", tmp_path / "o"),
        ("fit", pictures, "--没有", "é"),
        ("layers", "网络"),
        ("没有",),
    ):
        code, _, err = console(*arguments)
        assert code == 2 and err
    code, shown, _ = console("fit", "--help")
    assert code == 0 and b"--false-alarm-rate" in shown
