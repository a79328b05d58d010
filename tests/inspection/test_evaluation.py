"""Figures on a labelled data set: against what single results and the metrics say."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage
from sklearn.metrics import f1_score, roc_auc_score

import flawsight as fs
from flawsight.data import open_dataset
from flawsight.inspection import Inspector, pixel_truth
from flawsight.metrics import Defect, auspro
from flawsight.regions import find_regions

PIXEL = (
    "pixel_auroc", "aupro_0.30", "aupro_0.05", "p_h", "auspro_0.05", "seg_f1", "defects", "defects_hit", "hit_rate",
    "false_regions_per_image",
)  # fmt: skip
KEYS = {
    "images", "pixel_images", "auroc", "pixel_auroc", "aupro_0.30", "aupro_0.05", "p_h", "f1_max",
    "false_alarm_rate", "detection_rate", "auspro_0.05", "seg_f1", "defects", "defects_hit", "hit_rate",
    "false_regions_per_image",
}  # fmt: skip


def test_native_figures(fitted: Inspector, labelled_set: Path) -> None:
    seen: list[int] = []
    dataset = open_dataset(labelled_set)
    found = fs.evaluate(fitted, dataset, advance=seen.append)
    assert (
        set(found) == KEYS | {"kinds", "masks", "pod", "warnings"}
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
    marked = values.astype(np.float64) > fitted.pixel_threshold
    assert found["seg_f1"] == pytest.approx(f1_score(truth, marked)) and found["auspro_0.05"] == found["aupro_0.05"]
    assert found["defects"] == found["defects_hit"] == sum(labels) and found["hit_rate"] == 1
    false = 0
    for sample, result in zip(test, results, strict=True):
        regions = find_regions(result.anomaly_map, fitted.pixel_threshold, result.anomaly_map.shape)
        spot = _spot(sample.label, result.anomaly_map.shape).reshape(result.anomaly_map.shape)
        labelled, _ = ndimage.label(result.anomaly_map.astype(np.float64) > fitted.pixel_threshold, np.ones((3, 3)))
        false += sum(not spot[labelled == labelled[r.peak_at[1], r.peak_at[0]]].any() for r in regions)
    assert found["false_regions_per_image"] == false / 7
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
        assert [figures[name] for name in PIXEL] == [None] * len(PIXEL)
        assert figures["auroc"] is not None and figures["pixel_images"] == 0


def test_no_labelled_test_images(fitted: Inspector, good_dir: Path) -> None:
    with pytest.raises(fs.FlawsightError, match="no labelled test images"):
        fs.evaluate(fitted, open_dataset(good_dir))


def test_maps_that_would_not_fit_in_memory_are_kept_smaller_and_it_says_so(
    fitted: Inspector, labelled_set: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = open_dataset(labelled_set)
    native = fs.evaluate(fitted, dataset)
    sizes = [fs.data.image_size(sample.path) for sample in dataset.select(split="test")]
    needed = 4 * sum(height * width for height, width in sizes)
    monkeypatch.setattr(pixel_truth, "MAX_BYTES", needed)
    assert fs.evaluate(fitted, dataset) == native and not native["warnings"]
    monkeypatch.setattr(pixel_truth, "MAX_BYTES", needed // 4)
    kept: list[np.ndarray] = []
    with monkeypatch.context() as patch:
        patch.setattr(
            pixel_truth.PixelResults, "maps", property(lambda self: kept, lambda self, value: None), raising=False
        )
        small = fs.evaluate(fitted, dataset)
    assert [one.shape for one in kept] == [(height // 2, width // 2) for height, width in sizes]
    (warning,) = small["warnings"]
    assert "50% of their width and height" in warning and "--resolution N" in warning
    for name in ("auroc", "f1_max", "false_alarm_rate", "detection_rate", "images", "pixel_images", "defects"):
        assert native[name] == small[name]
    assert small["aupro_0.30"] == pytest.approx(native["aupro_0.30"], abs=0.1)
    assert not fs.evaluate(fitted, dataset, 48)["warnings"]


@pytest.fixture
def loco(labelled_set: Path, tmp_path: Path) -> Path:
    """The set as MVTec LOCO AD lays it out: a folder of masks for each picture, of which each is one defect."""
    root = Path(shutil.copytree(labelled_set, tmp_path / "loco"))
    (root / "test" / "spot").rename(root / "test" / "logical_anomalies")
    truth = root / "ground_truth" / "logical_anomalies"
    (root / "ground_truth" / "spot").rename(truth)
    for number, path in enumerate(sorted(truth.iterdir())):
        mask = np.array(Image.open(path).convert("L")) > 0
        path.unlink()
        place = truth / path.stem.removesuffix("_mask")
        place.mkdir()
        around = ndimage.binary_dilation(mask, iterations=6)
        Image.fromarray(np.uint8(around * (255 - number % 2))).save(place / "000.png")
    return root


CONFIG = [
    {"defect_name": "a", "pixel_value": 255, "saturation_threshold": 0.2, "relative_saturation": True},
    {"defect_name": "b", "pixel_value": 254, "saturation_threshold": 50, "relative_saturation": False},
]


def test_defects_of_loco_saturate_as_its_table_says(fitted: Inspector, loco: Path) -> None:
    without = fs.evaluate(fitted, open_dataset(loco))
    assert without["auspro_0.05"] == without["aupro_0.05"] and "no defects_config.json" in without["warnings"][-1]
    (loco / "defects_config.json").write_text(json.dumps(CONFIG), encoding="utf-8")
    dataset = open_dataset(loco)
    found = fs.evaluate(fitted, dataset)
    assert dataset.layout == "loco" and not found["warnings"]
    maps, defects = [], []
    for sample in dataset.select(split="test"):
        maps.append(fitted.inspect(sample.path).anomaly_map)
        values = [np.array(Image.open(mask)) for mask in sample.masks]
        enough = {255: lambda area: int(0.2 * area), 254: lambda area: 50}
        defects.append([Defect(one > 0, enough[one.max()](np.count_nonzero(one))) for one in values])
    assert found["auspro_0.05"] == auspro(maps, defects, 0.05) > without["auspro_0.05"]
    for name in KEYS - {"auspro_0.05"}:
        assert found[name] == without[name]


def test_half_the_size_keeps_what_saturates(fitted: Inspector, loco: Path) -> None:
    (loco / "defects_config.json").write_text(json.dumps(CONFIG), encoding="utf-8")
    height, width = fs.data.image_size(open_dataset(loco)[-1].path)
    found = [fs.evaluate(fitted, open_dataset(loco), one)["auspro_0.05"] for one in ("native", min(height, width) // 2)]
    assert found[1] == pytest.approx(found[0], abs=0.1)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (CONFIG[:1], "holds the value 254, which"),
        ([{"pixel_value": 255}], "0.defect_name"),
        ({}, "defects_config.json"),
    ],
)
def test_a_table_that_does_not_fit_is_named(fitted: Inspector, loco: Path, table: object, message: str) -> None:
    (loco / "defects_config.json").write_text(json.dumps(table), encoding="utf-8")
    with pytest.raises(fs.FlawsightError, match=message):
        fs.evaluate(fitted, open_dataset(loco))
