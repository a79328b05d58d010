"""Published trees: several masks of a picture, folders of masks, parts that have no labels, any case."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from flawsight.core import FlawsightError
from flawsight.data import good_images, good_samples, learn_masks, open_dataset


def picture(path: Path, spot: tuple[slice, slice] | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.zeros((24, 32), np.uint8)
    if spot is not None:
        pixels[spot] = 255
    Image.fromarray(pixels).save(path)


LEFT, RIGHT = (slice(2, 6), slice(2, 6)), (slice(10, 14), slice(20, 26))


def tree(root: Path, train: str = "train/good", test: str = "test", kind: str = "bad") -> Path:
    for name in (f"{train}/0.png", f"{train}/1.png", f"{test}/good/2.png", f"{test}/{kind}/x.png"):
        picture(root / name)
    return root


MASKS = {
    "LOCO": ("x/000.png", "x/001.png"),
    "a folder with the suffix": ("x.png/000.png", "x.png/001.png"),
    "numbers": ("x_mask_0.png", "x_mask_1.png"),
    "numbers without a word": ("x_0.png", "x_1.png"),
    "two suffixes": ("x.png", "x.bmp"),
    "a word first": ("mask_x.png", "mask_x_2.png"),
    "upper case": ("X_MASK_0.PNG", "X_MASK_1.PNG"),
    "folder and file": ("x_mask.png", "x/1.png"),
}


@pytest.mark.parametrize("names", MASKS.values(), ids=list(MASKS))
def test_all_masks_of_a_picture_are_united(tmp_path, names):
    tree(tmp_path)
    for name, spot in zip(names, (LEFT, RIGHT), strict=True):
        picture(tmp_path / "ground_truth" / "bad" / name, spot)
    dataset = open_dataset(tmp_path)
    (sample,) = dataset.select(label=1)
    assert len(sample.masks) == 2
    mask = learn_masks(dataset).of(sample, (24, 32))
    assert mask[LEFT].all() and mask[RIGHT].all() and mask.sum() == 16 + 24


def test_numbers_belong_to_the_longest_name(tmp_path):
    tree(tmp_path)
    picture(tmp_path / "test/bad/x_1.png")
    for name in ("x_mask.png", "x_1_mask.png"):
        picture(tmp_path / "ground_truth/bad" / name, LEFT)
    masks = {
        sample.path.stem: [mask.name for mask in sample.masks] for sample in open_dataset(tmp_path).select(label=1)
    }
    assert masks == {"x": ["x_mask.png"], "x_1": ["x_1_mask.png"]}


def test_loco(tmp_path):
    tree(tmp_path, kind="logical_anomalies")
    picture(tmp_path / "test/structural_anomalies/y.png")
    picture(tmp_path / "validation/good/9.png")
    for name in ("logical_anomalies/x/000.png", "structural_anomalies/y/000.png"):
        picture(tmp_path / "ground_truth" / name, LEFT)
    dataset = open_dataset(tmp_path)
    assert dataset.layout == "loco" and dataset.kinds == ("logical_anomalies", "structural_anomalies")
    assert dataset.has_masks and len(good_images(tmp_path)) == 2
    assert any("1 images in" in note and "validation" in note for note in dataset.notes)


def test_mvtec_ad_2(tmp_path):
    tree(tmp_path, test="test_public")
    picture(tmp_path / "test_public/ground_truth/bad/x_mask.png", RIGHT)
    for name in ("validation/good/1.png", "test_private/3.png", "test_private_mixed/4.png"):
        picture(tmp_path / name)
    dataset = open_dataset(tmp_path)
    assert dataset.layout == "mvtec_ad_2"
    assert [len(dataset.select(*which)) for which in (("train", 0), ("test", 0), ("test", 1), ("test", None))] == [
        2, 1, 1, 2,
    ]  # fmt: skip
    assert dataset.kinds == ("bad",) and dataset.has_masks
    picture(tmp_path / "test_public/good/5.png")
    assert open_dataset(tmp_path.parent, category=tmp_path.name).layout == "mvtec_ad_2"


@pytest.mark.parametrize(
    ("train", "test", "truth", "kind", "layout"),
    [
        ("Train/Good", "Test", "Ground_Truth", "Bad", "mvtec"),
        ("TRAIN/OK", "TEST", "GROUND_TRUTH", "KO", "btad"),
        ("train/normal", "test", "gt", "anomaly", "mvtec"),
        ("train/defect-free", "test", "masks", "defective", "mvtec"),
    ],
)
def test_any_case_and_words(tmp_path, train, test, truth, kind, layout):
    tree(tmp_path, train, test, kind)
    picture(tmp_path / truth / kind.lower() / "x.png", LEFT)
    dataset = open_dataset(tmp_path)
    assert dataset.layout == layout and dataset.has_masks and len(dataset) == 4
    assert dataset.kinds == (kind,)


def test_masks_of_nothing_are_said_and_missing_ones_named_all_at_once(tmp_path):
    tree(tmp_path)
    for name in ("x_mask.png", "y_mask.png"):
        picture(tmp_path / "ground_truth/bad" / name, LEFT)
    assert any("1 masks belong to no image" in note and "y_mask.png" in note for note in good_samples(tmp_path).notes)
    for name in ("p", "q"):
        picture(tmp_path / "test/bad" / f"{name}.png")
    with pytest.raises(FlawsightError, match=r"no mask for .*p\.png, .*q\.png"):
        open_dataset(tmp_path)
