"""synthesize: a data set of defects, and what it refuses."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from flawsight.generation import PRESETS


def test_synthesize(flawsight: Callable, good_dir: Path, tmp_path: Path) -> None:
    done = flawsight("synthesize", good_dir, "--defects", "nsa,simple", "--out", tmp_path / "out", "--json")
    assert done.code == 0 and set(json.loads(done.out)["kinds"]) == {"nsa", "simple"}
    again = flawsight("synthesize", good_dir, "--out", tmp_path / "out")
    again.refused("already holds", "--overwrite")
    shown = flawsight("synthesize", good_dir, "--object", "--out", tmp_path / "out", "--overwrite")
    assert shown.code == 0 and str(tmp_path / "out" / "test" / "nsa") in shown.out


def test_synthesize_with_a_generator(
    flawsight: Callable, good_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny = replace(
        PRESETS["small"], side=16, patch=4, widths=(16,), attention=0, norm_groups=4, head=8, sampling_steps=10
    )
    monkeypatch.setitem(PRESETS, "small", tiny)
    options = ("--defects", "sdas,perlin", "--textures", good_dir, "--strength", "0.1:0.3", "--generator-steps", 1)
    where = ("--generator", tmp_path / "generator", "--count", 2, "--foreground", "all", "--out", tmp_path / "out")
    done = flawsight("synthesize", good_dir, *options, *where)
    assert done.code == 0 and "Mind: " in done.out and "foreground.png" in done.out
    assert "2 images with 'sdas' defects" in done.out and "2 images with 'perlin' defects" in done.out
    assert (tmp_path / "generator" / "generator.json").exists() and not (tmp_path / "out" / "generator").exists()


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("--strength", "weak", "0.1:0.2"),
        ("--strength", "0.2:0.1", "low <= high"),
        ("--strength", "0.1:0.2:0.3", "0.1:0.2"),
        ("--foreground", "dark", "BRIGHTNESS:THRESHOLD"),
        ("--foreground", "20:", "--foreground"),
        ("--generator-preset", "huge", "small or paper"),
        ("--textures", "nowhere", "perlin"),
    ],
)
def test_synthesize_refuses(
    flawsight: Callable, good_dir: Path, tmp_path: Path, option: str, value: str, says: str
) -> None:
    kind = "simple" if option in ("--foreground", "--textures") else "sdas"
    flawsight("synthesize", good_dir, "--defects", kind, option, value, "--out", tmp_path / "out").refused(says)
    assert not (tmp_path / "out" / "synthetic.csv").exists()
