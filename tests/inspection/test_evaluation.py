"""Figures on a labelled data set: against what single results and the metrics say."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

import flawsight as fs
from flawsight.data import open_dataset
from flawsight.inspection import Inspector

KEYS = {
    "images", "pixel_images", "auroc", "pixel_auroc", "aupro_0.30", "aupro_0.05", "p_h", "f1_max",
    "false_alarm_rate", "detection_rate",
}  # fmt: skip


def test_native_figures(fitted: Inspector, labelled_set: Path) -> None:
    seen: list[int] = []
    dataset = open_dataset(labelled_set)
    found = fs.evaluate(fitted, dataset, advance=seen.append)
    assert (
        set(found) == KEYS | {"kinds", "masks", "warnings"}
        and set(found["kinds"]) == {"spot"}
        and set(found["kinds"]["spot"]) == KEYS
    )
    assert found["images"] == found["pixel_images"] == sum(seen) == 7
    test = list(dataset.select(split="test"))
    results = [fitted.inspect(sample.path) for sample in test]
    labels = [sample.label for sample in test]
    assert found["auroc"] == roc_auc_score(labels, [r.score for r in results])
    alarms = [r.is_defective for r in results]
    good = [alarm for alarm, label in zip(alarms, labels, strict=True) if label == 0]
    bad = [alarm for alarm, label in zip(alarms, labels, strict=True) if label == 1]
    assert found["false_alarm_rate"] == np.mean(good) and found["detection_rate"] == np.mean(bad)
    truth = np.concatenate([_spot(sample.label, r.anomaly_map.shape) for sample, r in zip(test, results, strict=True)])
    values = np.concatenate([r.anomaly_map.ravel() for r in results])
    assert found["pixel_auroc"] == pytest.approx(roc_auc_score(truth, values), abs=1e-4)
    assert found["pixel_auroc"] > 0.9 and found["detection_rate"] == 1
    p_h = 2 * found["auroc"] * found["aupro_0.30"] / (found["auroc"] + found["aupro_0.30"])
    assert found["p_h"] == pytest.approx(p_h)


def _spot(label: int | None, size: tuple[int, ...]) -> np.ndarray:
    mask = np.zeros(size, bool)
    if label:
        mask[56:64, 74:84] = True
    return mask.ravel()


def test_at_n_pixels_only_pixel_figures_change(fitted: Inspector, labelled_set: Path) -> None:
    dataset = open_dataset(labelled_set)
    native, small = fs.evaluate(fitted, dataset), fs.evaluate(fitted, dataset, 48)
    for name in ("auroc", "f1_max", "false_alarm_rate", "detection_rate", "images"):
        assert native[name] == small[name]
    assert native["aupro_0.30"] != small["aupro_0.30"]
    assert small["aupro_0.30"] == pytest.approx(native["aupro_0.30"], abs=0.1)


def test_absent_masks_are_none_and_not_zero(fitted: Inspector, labelled_set: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(labelled_set, tmp_path / "set"))
    shutil.rmtree(root / "ground_truth")
    found = fs.evaluate(fitted, open_dataset(root))
    for figures in (found, found["kinds"]["spot"]):
        assert [figures[name] for name in ("pixel_auroc", "aupro_0.30", "aupro_0.05", "p_h")] == [None] * 4
        assert figures["auroc"] is not None and figures["pixel_images"] == 0


def test_no_labelled_test_images(fitted: Inspector, good_dir: Path) -> None:
    with pytest.raises(fs.FlawsightError, match="no labelled test images"):
        fs.evaluate(fitted, open_dataset(good_dir))
