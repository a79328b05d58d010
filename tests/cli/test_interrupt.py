"""Ctrl-C, and packages that are not there."""

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

QUICK = ("--image-size", "64", "--layers", "blocks.3.0.*", "--defects", "simple", "--device", "cpu")


def test_an_interrupted_fit_goes_on(
    start: Callable, run: Callable, good_dir: Path, from_pipe: tuple[Path, Any], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    options = ("fit", good_dir, "--out", out, *QUICK, "--json")
    process = start(*options)
    trials = out / ".search"
    deadline = time.monotonic() + 120
    while not list(trials.glob("coarse-*.npz")) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    if process.returncode == 0:
        pytest.skip("the fit was done before it could be interrupted")
    assert process.returncode == 130
    assert "interrupted" in err and "Traceback" not in err
    assert not (out / "inspector.json").exists()
    assert list(trials.glob("*.npz"))
    again = run(*options)
    assert again.code == 0, again.err
    first, _ = from_pipe
    assert json.loads((out / "inspector.json").read_text()) == json.loads((first / "inspector.json").read_text())
    assert not trials.exists()


def test_a_package_that_is_not_installed_is_named(run: Callable, tmp_path: Path) -> None:
    blocker = tmp_path / "torch.py"
    blocker.write_text("raise ModuleNotFoundError(\"No module named 'torch'\", name='torch')")
    path = os.pathsep.join([str(tmp_path), *os.environ.get("PYTHONPATH", "").split(os.pathsep)])
    run("layers", env={**os.environ, "PYTHONPATH": path}).refused("'torch'", "flawsight[fit]")
