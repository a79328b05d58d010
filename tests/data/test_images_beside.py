"""An image for which a layout has no place is named: neither read nor left out in silence."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from flawsight.data import good_samples, open_dataset

TREES = {
    "mvtec": ["train/good/0", "test/good/1", "test/bad/2", "ground_truth/bad/2_mask"],
    "btad": ["train/ok/0", "test/ok/1", "test/ko/2", "ground_truth/ko/2"],
    "loco": ["train/good/0", "test/good/1", "test/logical_anomalies/2", "ground_truth/logical_anomalies/2/000"],
    "mvtec_ad_2": [
        "train/good/0",
        "test_public/good/1",
        "test_public/bad/2",
        "test_public/ground_truth/bad/2_mask",
        "test_private/3",
    ],
    "classes": ["train/cat/0", "train/dog/1", "test/cat/2", "test/dog/3"],
    "visa": ["Data/Images/Normal/0", "Data/Images/Anomaly/1", "Data/Masks/Anomaly/1"],
}
BESIDE = ["stray", "other/stray", "train/stray", "test/stray", "Data/stray"]


def made(root: Path, layout: str) -> Path:
    for name in TREES[layout]:
        path = root / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        mark = 255 if "mask" in name.lower() or "ground_truth" in name else 0
        pixels = np.zeros((16, 16), np.uint8)
        pixels[4:8, 4:8] = mark
        Image.fromarray(pixels).save(path)
    if layout == "visa":
        (root.parent / "split_csv").mkdir()
        rows = [
            "object,split,label,image,mask",
            f"{root.name},train,normal,{root.name}/Data/Images/Normal/0.png,",
            f"{root.name},test,anomaly,{root.name}/Data/Images/Anomaly/1.png,{root.name}/Data/Masks/Anomaly/1.png",
        ]
        (root.parent / "split_csv" / "1cls.csv").write_text("\n".join(rows), encoding="utf-8")
    return root


def options(layout: str) -> dict[str, str]:
    return {"good_class": "cat"} if layout == "classes" else {}


@pytest.mark.parametrize("layout", TREES)
def test_of_a_whole_set_nothing_is_left_out(tmp_path: Path, layout: str) -> None:
    dataset = open_dataset(made(tmp_path / "set", layout), **options(layout))
    assert (dataset.layout, dataset.skipped, dataset.notes) == (layout, (), ())


@pytest.mark.parametrize("place", BESIDE)
@pytest.mark.parametrize("layout", TREES)
def test_an_image_elsewhere_is_named(tmp_path: Path, layout: str, place: str) -> None:
    root = made(tmp_path / "set", layout)
    path = root / f"{place}.png"
    if not path.parent.is_dir():
        if place != "other/stray":
            pytest.skip("this layout has no such folder")
        path.parent.mkdir()
    Image.new("L", (16, 16)).save(path)
    for found in (open_dataset(root, **options(layout)), good_samples(root, **options(layout))):
        assert path not in {sample.path for sample in found}
        assert [one.path for one in found.skipped] == [path]
        assert [note for note in found.notes if f"the layout {layout} has no place for it" in note and "stray" in note]


def test_what_a_note_is_about_is_not_named_twice(tmp_path: Path) -> None:
    root = made(tmp_path / "set", "mvtec")
    for name in ("validation/good/7", "ground_truth/bad/9_mask"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (16, 16)).save(root / f"{name}.png")
    dataset = open_dataset(root)
    assert dataset.skipped == () and len(dataset.notes) == 2
