"""Real defects by size, beside what artificial ones had foretold."""

import json
from pathlib import Path

import numpy as np
import pytest

import flawsight as fs
from flawsight.bundle import PodInfo, PodOfKind, revised
from flawsight.inspection import Inspector
from flawsight.inspection.evaluation import evaluate_to_folder
from flawsight.inspection.found_by_size import FoundBySize
from flawsight.metrics import Pod, pod_curve
from flawsight.settings import EvaluateSettings


def square(side: int) -> np.ndarray:
    mask = np.zeros((64, 64), bool)
    mask[2 : 2 + side, 3 : 3 + side] = True
    return mask


def foretold(sizes: list, found: list, threshold: float = 5.0) -> PodInfo:
    curve = pod_curve(sizes, found)
    kind = PodOfKind(kind="spot", curve=curve, sides=curve.sizes)
    return PodInfo(kinds=(kind,), contrast=4.0, pictures=9, threshold=threshold)


def test_sizes_and_bins() -> None:
    real = FoundBySize(foretold([2, 4, 8, 16], [0, 0, 1, 1]))
    for side in (*range(1, 13), 30):
        real.add(square(side), side > 6)
    real.add(None, True)
    real.add(np.zeros((9, 9), bool), True)
    figures = real.figures(5.0)
    assert figures is not None
    curve = Pod(**figures["real"])
    assert curve.sizes == (*range(1, 13), 30) and curve.between == (6, 7)
    rows = figures["by_size"]
    assert [row["defects"] for row in rows] == [3, 2, 2, 2, 2, 2] and sum(row["found"] for row in rows) == 7
    assert rows[0] == {"from": 1.0, "to": 3.0, "defects": 3, "found": 0, "expected": 0.0}
    assert rows[-1]["to"] == 30 and rows[-1]["expected"] == 2.0


def test_nothing_is_foretold_at_another_threshold() -> None:
    real = FoundBySize(foretold([2, 4], [0, 1]))
    real.add(square(3), True)
    assert real.figures(5.0)["artificial"] is not None  # type: ignore[index]
    figures = real.figures(6.0)
    assert figures is not None and figures["artificial"] is None and figures["by_size"][0]["expected"] is None
    assert FoundBySize(None).figures(5.0) is None


def test_it_is_what_evaluate_says(fitted: Inspector, labelled_set: Path, tmp_path: Path) -> None:
    dataset = fs.data.open_dataset(labelled_set)
    settings = EvaluateSettings.of({"bundle": "b", "dataset": labelled_set, "out": tmp_path / "out"})
    figures, path = evaluate_to_folder(fitted, dataset, settings)
    pod = figures["pod"]
    assert pod["real"]["sizes"] == (pytest.approx(80**0.5),) and pod["real"]["trials"] == (3,)  # spots of 8 x 10
    assert sum(pod["real"]["hits"]) == round(3 * figures["detection_rate"])
    known = fitted.manifest.pod
    assert known is not None and pod["artificial"]["trials"] == pod_curve(*known.together()).trials
    assert json.loads(path.read_text())["pod"]["contrast"] == 4.0
    assert "9 px" not in path.with_name("pod.html").read_text()[:200] and path.with_name("pod.html").exists()
    changed = revised(fitted.manifest, "A", "2026-01-07T09:30:00+00:00", "a test", threshold=fitted.threshold * 1.1)
    assert fs.evaluate(Inspector(fitted.backend, changed), dataset)["pod"]["artificial"] is None


def test_without_masks_there_is_no_page(fitted: Inspector, labelled_set: Path, tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    for part in ("train", "test"):
        (tmp_path / "set" / part).symlink_to(labelled_set / part)
    settings = EvaluateSettings.of({"bundle": "b", "dataset": tmp_path / "set", "out": tmp_path / "out"})
    figures, path = evaluate_to_folder(fitted, fs.data.open_dataset(tmp_path / "set"), settings)
    assert figures["pod"] is None and not path.with_name("pod.html").exists()
