"""Consoles of any encoding: nothing fails after the work is done, whatever the pictures are called."""

import json
import os
import shutil
import subprocess
import sys
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


SCRIPT = """
import json, os, sys
from flawsight.cli import main
for line in json.loads(sys.argv[1]):
    sys.argv = ["flawsight", *(os.fsdecode(bytes.fromhex(part)) for part in line)]
    try:
        main()
    except SystemExit as end:
        sys.stdout.flush()
        print(f"exit {end.code}", flush=True)
"""


def run(console: str, *lines: tuple[object, ...]) -> tuple[list[str], bytes]:
    """These commands one after the other on such a console: what each printed, with its exit code, and the errors."""
    given = json.dumps([[os.fsencode(str(part)).hex() for part in line] for line in lines])
    environment = {**os.environ, "COLUMNS": "100", **CONSOLES[console]}
    command = [sys.executable, "-c", SCRIPT, given]
    done = subprocess.run(command, capture_output=True, check=False, timeout=500, env=environment)
    assert done.returncode == 0 and b"Traceback" not in done.stderr, done.stderr
    return done.stdout.decode("ascii", "replace").split("exit ")[:], done.stderr


@pytest.mark.parametrize("console", CONSOLES)
def test_nothing_fails_after_the_work(console: str, pictures: Path, bundle: Path, tmp_path: Path) -> None:
    out, bad = tmp_path / "工場 ñ", tmp_path / "缺.png"
    bad.write_bytes(b"x")
    graph = () if console == "ascii" else ("--export", "none")  # torch's exporter thinks aloud, and takes long
    shown, err = run(
        console,
        ("inspect", bundle, pictures, "--out", out / "json", "--json"),
        ("inspect", bundle, pictures, bad, "--out", out / "results"),
        ("synthesize", pictures, "--out", out / "synthetic", "--defects", "cutpaste", "--device", "cpu"),
        ("fit", pictures, "--out", out / os.fsdecode(b"B\xfcndel"), *QUICK, *graph),
        ("fit", tmp_path / "没有", "--out", out / "o", "--json"),
        ("fit", pictures, "--没有", "é"),
        ("没有",),
        ("fit", "--help"),
    )
    assert [int(text.split("\n")[0]) for text in shown[1:]] == [0, 2, 0, 0, 2, 2, 2, 0]
    assert "部品" in json.loads(shown[0])["results"][-1]["path"]
    for folder in ("json", "results"):
        assert len(list((out / folder / "heatmaps").iterdir())) == 11
        assert "部品" in (out / folder / "results.csv").read_text(encoding="utf-8")
    assert (out / os.fsdecode(b"B\xfcndel") / "report.html").exists()
    assert err.count(b"flawsight: ") == 2
