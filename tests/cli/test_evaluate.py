"""evaluate: figures on the screen and in metrics.json."""

import json
from collections.abc import Callable
from pathlib import Path

from flawsight.cli.terminal import FIGURES


def test_evaluate(flawsight: Callable, bundle: Path, labelled_set: Path, tmp_path: Path) -> None:
    done = flawsight("evaluate", bundle, labelled_set, "--out", tmp_path / "out", "--json")
    assert done.code == 0 and done.err == ""
    document = json.loads(done.out)
    assert json.loads((tmp_path / "out" / "metrics.json").read_text()) == document
    assert set(FIGURES) | {"images", "kinds"} <= set(document) and document["images"] == 7
    shown = flawsight("evaluate", bundle, labelled_set, "--out", tmp_path / "out", "--resolution", 64)
    assert shown.code == 0 and "spot" in shown.out and all(name in shown.out for name in FIGURES)
