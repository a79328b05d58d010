"""evaluate: figures on the screen and in metrics.json."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

from flawsight.cli.terminal import AT_THRESHOLD, FIGURES


def test_evaluate(flawsight: Callable, bundle: Path, labelled_set: Path, tmp_path: Path) -> None:
    done = flawsight("evaluate", bundle, labelled_set, "--out", tmp_path / "out", "--json")
    assert done.code == 0 and done.err == ""
    document = json.loads(done.out)
    assert json.loads((tmp_path / "out" / "metrics.json").read_text()) == document
    assert set(FIGURES) | set(AT_THRESHOLD) | {"images", "kinds"} <= set(document) and document["images"] == 7
    shown = flawsight("evaluate", bundle, labelled_set, "--out", tmp_path / "out", "--resolution", 64)
    assert shown.code == 0 and "spot" in shown.out and all(name in shown.out for name in (*FIGURES, *AT_THRESHOLD))


def test_without_masks_nothing_is_said_of_defects(
    flawsight: Callable, bundle: Path, labelled_set: Path, tmp_path: Path
) -> None:
    root = Path(shutil.copytree(labelled_set, tmp_path / "set"))
    shutil.rmtree(root / "ground_truth")
    shown = flawsight("evaluate", bundle, root, "--out", tmp_path / "out")
    assert shown.code == 0 and "auroc" in shown.out and "hit_rate" not in shown.out
