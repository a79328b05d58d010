"""fit: what it prints for people and for machines, and what it leaves."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

QUICK = ("--image-size", "64", "--layers", "blocks.3.0.*", "--defects", "simple", "--device", "cpu")


def test_fit_in_a_pipe_prints_json_and_nothing_else(from_pipe: tuple[Path, Any]) -> None:
    out, done = from_pipe
    assert done.code == 0 and done.err == ""
    document = json.loads(done.out)
    assert document["bundle"] == str(out) and document["images"] == 24
    assert document["detectors"] == ["patchcore"] * len(document["layers"]) and document["untried"] == 0
    assert document["report"] == str(out / "report.html")
    assert document["threshold"] > 0 and document["false_alarm_rate"] == pytest.approx(1 / 25)
    assert all(layer.startswith("blocks.3.0.") for layers in document["layers"] for layer in layers)
    assert {path.name for path in out.iterdir()} == {
        "inspector.json", "network.safetensors", "detectors.safetensors", "selection.csv", "report.html",
        "model.onnx", "samples.png",
    }  # fmt: skip


def test_fit_for_people(flawsight: Callable, good_dir: Path, tmp_path: Path) -> None:
    out = tmp_path / "a folder [old] of bundles with quite a long name, longer than a terminal [/is]"
    done = flawsight("fit", good_dir, "--out", out, *QUICK)
    assert done.code == 0
    assert "24 good images" in done.out and "99" in done.out  # how many would support 1 %
    assert f"Bundle: {out}\n" in done.out and f"Report: {out / 'report.html'}\n" in done.out


def test_a_limit_of_memory_changes_nothing_else(
    flawsight: Callable, good_dir: Path, from_pipe: tuple[Path, Any], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert flawsight("fit", good_dir, "--out", out, *QUICK, "--max-memory", "3G").code == 0
    assert json.loads((out / "inspector.json").read_text()) == json.loads((from_pipe[0] / "inspector.json").read_text())


def test_two_real_detectors_in_a_process_of_its_own(run: Callable, good_dir: Path, tmp_path: Path) -> None:
    options = ("--detector", "patchcore,gaussian", "--parameter", "patchcore.bank_size=50", "--budget", "5")
    options += ("--export", "none")
    done = run("fit", good_dir, "--out", tmp_path / "out", *QUICK, *options, "--json")
    assert done.code == 0 and done.err == ""
    assert set(json.loads(done.out)["detectors"]) <= {"patchcore", "gaussian"}
    selection = json.loads((tmp_path / "out" / "inspector.json").read_text())["selection"]
    assert selection["detectors"] == ["patchcore", "gaussian"] and selection["untried"] == 0
