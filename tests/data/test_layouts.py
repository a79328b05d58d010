"""How data sets lie on disk: recognised, read whole, and never a defect taken for good."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from flawsight.core import FlawsightError
from flawsight.data import LAYOUTS, good_images, open_dataset


def make(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        suffix = Path(name).suffix.lower()
        Image.fromarray(np.zeros((8, 8), np.uint8)).save(
            root / name, format={".jpg": "JPEG", ".bmp": "BMP"}.get(suffix, "PNG")
        )
    return root


def mvtec(root: Path) -> Path:
    return make(
        root,
        *(f"train/good/{i:03d}.png" for i in range(3)),
        "test/good/000.png",
        *(f"test/{kind}/{i:03d}.png" for kind in ("cut", "hole") for i in range(2)),
        *(f"ground_truth/{kind}/{i:03d}_mask.png" for kind in ("cut", "hole") for i in range(2)),
    )


def btad(root: Path) -> Path:
    return make(
        root, "train/ok/0.bmp", "train/ok/1.bmp", "test/ok/2.bmp", "test/ko/3.bmp", "test/ko/4.bmp",
        "ground_truth/ko/3.png", "ground_truth/ko/4.bmp",
    )  # fmt: skip


def table(path: Path, header: str, *rows: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def visa(root: Path, *categories: str) -> Path:
    rows = []
    for cat in categories:
        normal = [f"{cat}/Data/Images/Normal/{i:04d}.JPG" for i in range(3)]
        anomaly, mask = f"{cat}/Data/Images/Anomaly/000.JPG", f"{cat}/Data/Masks/Anomaly/000.png"
        make(root, *normal, anomaly, mask)
        rows += [f"{cat},train,normal,{normal[0]},", f"{cat},train,normal,{normal[1]},"]
        rows += [f"{cat},test,normal,{normal[2]},", f"{cat},test,anomaly,{anomaly},{mask}"]
    table(root / "split_csv" / "1cls.csv", "object,split,label,image,mask", *rows)
    return root


def classes(root: Path) -> Path:
    return make(
        root, *(f"{s}/{c}/{i}.jpg" for s in ("train", "test") for c in ("cat", "dog", "ship") for i in range(2))
    )


def labelled(root: Path) -> Path:
    return make(root, "good/1.png", "good/2.png", "scratch/1.png", "dent/1.png", "dent/batch/2.png")


def counts(dataset):
    return [len(dataset.select(*which)) for which in (("train", 0), ("train", 1), ("test", 0), ("test", 1))]


def test_mvtec(tmp_path):
    dataset = open_dataset(mvtec(tmp_path))
    assert dataset.layout == "mvtec"
    assert counts(dataset) == [3, 0, 1, 4]
    assert dataset.has_masks
    assert dataset.kinds == ("cut", "hole")
    for sample in dataset.select(label=1):
        assert sample.mask_path == tmp_path / "ground_truth" / sample.kind / f"{sample.path.stem}_mask.png"
        assert sample.path.parent.name == sample.kind


def test_mvtec_masks_are_all_or_nothing(tmp_path):
    mvtec(tmp_path)
    missing = tmp_path / "ground_truth" / "hole" / "001_mask.png"
    missing.unlink()
    with pytest.raises(FlawsightError, match=r"hole/001\.png.*ground_truth/hole/001_mask\.png"):
        open_dataset(tmp_path)
    (tmp_path / "ground_truth").rename(tmp_path / "elsewhere")
    dataset = open_dataset(tmp_path)
    assert not dataset.has_masks
    assert counts(dataset) == [3, 0, 1, 4]


def test_prepared_visa_masks_carry_the_images_own_name(tmp_path):
    make(tmp_path, "train/good/0.JPG", "test/good/1.JPG", "test/bad/2.JPG", "ground_truth/bad/2.png")
    assert open_dataset(tmp_path).select(label=1)[0].mask_path == tmp_path / "ground_truth/bad/2.png"


def test_two_masks_for_one_image(tmp_path):
    make(btad(tmp_path), "ground_truth/ko/3.bmp")
    truth = tmp_path / "ground_truth/ko"
    assert [s.masks for s in open_dataset(tmp_path).select(label=1)] == [
        (truth / "3.bmp", truth / "3.png"),
        (truth / "4.bmp",),
    ]


def test_btad_matches_masks_by_stem(tmp_path):
    dataset = open_dataset(btad(tmp_path))
    assert dataset.layout == "btad"
    assert counts(dataset) == [2, 0, 1, 2]
    assert [s.mask_path.name for s in dataset.select(label=1)] == ["3.png", "4.bmp"]
    assert dataset.kinds == ("ko",)


def test_visa_from_the_root_or_the_category(tmp_path, monkeypatch):
    root = visa(tmp_path, "candle", "pcb1")
    by_root, by_folder = open_dataset(root, category="candle"), open_dataset(root / "candle")
    assert by_root.layout == "visa"
    assert list(by_root) == list(by_folder)
    assert counts(by_root) == [2, 0, 1, 1]
    assert by_root.has_masks
    assert by_root.kinds == ("anomaly",)
    assert all("pcb1" not in str(s.path.relative_to(root)) for s in by_root)
    monkeypatch.chdir(root / "candle")
    assert counts(open_dataset(".")) == [2, 0, 1, 1]
    with pytest.raises(FlawsightError, match="candle, pcb1"):
        open_dataset(root)


def test_visa_errors(tmp_path):
    root = visa(tmp_path, "candle")
    csv_path = root / "split_csv" / "1cls.csv"
    good = csv_path.read_text()
    for bad, message in {
        good.replace("anomaly,candle", "odd,candle"): "line 5.*normal or anomaly",
        good.replace("Normal/0001", "Normal/9999"): r"line 3.*9999\.JPG",
        good.replace("candle,", "Candle,"): "lists no image of 'candle'",
        good.replace("candle/Data/Masks/Anomaly/000.png", ""): "line 5.*no mask",
    }.items():
        csv_path.write_text(bad)
        with pytest.raises(FlawsightError, match=message):
            open_dataset(root, category="candle")
    csv_path.unlink()
    with pytest.raises(FlawsightError, match=r"1cls\.csv"):
        open_dataset(root / "candle")


def test_classes(tmp_path):
    dataset = open_dataset(classes(tmp_path), good_class="dog")
    assert dataset.layout == "classes"
    assert counts(dataset) == [2, 0, 2, 4]
    assert dataset.kinds == ("cat", "ship")
    assert not dataset.has_masks
    assert {s.path.parent.name for s in dataset.select(label=0)} == {"dog"}
    for wrong in (None, "cow"):
        with pytest.raises(FlawsightError, match="cat, dog, ship"):
            open_dataset(tmp_path, good_class=wrong)


def test_good_and_bad_to_train_on_are_classes(tmp_path):
    make(tmp_path, *(f"{s}/{c}/1.png" for s in ("train", "test") for c in ("good", "bad")))
    with pytest.raises(FlawsightError, match="good_class"):
        good_images(tmp_path)
    assert good_images(tmp_path, good_class="good") == [tmp_path / "train/good/1.png"]


def test_labelled(tmp_path):
    dataset = open_dataset(labelled(tmp_path))
    assert dataset.layout == "labelled"
    assert counts(dataset) == [0, 0, 2, 3]
    assert dataset.kinds == ("dent", "scratch")
    assert good_images(tmp_path) == [tmp_path / "good/1.png", tmp_path / "good/2.png"]
    make(tmp_path, "loose.png")
    with pytest.raises(FlawsightError, match="beside its folders"):
        open_dataset(tmp_path)


def test_folder(tmp_path):
    make(tmp_path, "b.png", "a10.png", "a9.png", "monday/x.png")
    dataset = open_dataset(str(tmp_path))
    assert dataset.layout == "folder"
    assert counts(dataset) == [4, 0, 0, 0]
    assert good_images(tmp_path) == [tmp_path / n for n in ("a9.png", "a10.png", "b.png", "monday/x.png")]


PARTS = [
    ("a.png", "test/b.png"),
    ("a.png", "Test/b.png"),
    ("a.png", "ground_truth/b.png"),
    ("deep/cat/train/good/a.png", "deep/cat/test/good/b.png"),
    ("bottle/train/good/a.png", "cable/train/good/b.png"),
    ("good/a.png", "scratch/b.png", "masks/b.png"),
    ("a.png", "defective/b.png"),
]
SORTED = [
    ("line1/good/a.png", "line1/scratch/b.png"),
    ("day/ok/a.png", "day/deep/bad/b.png"),
    ("Images/Normal/a.png", "Images/Anomaly/b.png"),
    ("good/a.png", "scratch/b.png"),
]


@pytest.mark.parametrize(("names", "layout"), [*((n, "auto") for n in PARTS), *((n, "folder") for n in PARTS + SORTED)])
def test_defects_and_tests_are_never_taken_for_good(tmp_path, names, layout):
    make(tmp_path, *names)
    with pytest.raises(FlawsightError, match=r"has no known layout|several categories"):
        good_images(tmp_path, layout)


@pytest.mark.parametrize("build", [mvtec, btad])
def test_good_images_of_a_data_set_are_its_training_images(tmp_path, build):
    build(tmp_path)
    assert {p.parent.parent.name for p in good_images(tmp_path)} == {"train"}
    assert good_images(tmp_path) == good_images(tmp_path / "train")


def test_several_categories(tmp_path):
    for name in ("bottle", "cable"):
        mvtec(tmp_path / name)
    for layout in ("auto", "mvtec"):
        with pytest.raises(FlawsightError, match="bottle, cable"):
            open_dataset(tmp_path, layout)
    assert open_dataset(tmp_path, category="cable").root == tmp_path / "cable"
    assert open_dataset(tmp_path / "cable", category="cable").root == tmp_path / "cable"
    with pytest.raises(FlawsightError, match=r"'wood'.*bottle, cable"):
        open_dataset(tmp_path, category="wood")


@pytest.mark.parametrize(
    "build", [mvtec, btad, labelled, lambda p: make(p, "a.png")], ids=["mvtec", "btad", "lab", "dir"]
)
def test_explicit_layout_agrees_with_auto_and_others_refuse(tmp_path, build):
    dataset = open_dataset(build(tmp_path))
    assert list(open_dataset(tmp_path, dataset.layout)) == list(dataset)
    assert len({s.path for s in dataset}) == len(dataset)
    assert all(s.path.is_file() and (s.mask_path is None or s.mask_path.is_file()) for s in dataset)
    for other in LAYOUTS.keys() - {dataset.layout}:
        with pytest.raises(FlawsightError):
            open_dataset(tmp_path, other)
    with pytest.raises(FlawsightError, match="takes no good_class"):
        open_dataset(tmp_path, good_class="x")


def test_nothing_recognised(tmp_path):
    with pytest.raises(FlawsightError, match=r"no image in .*\.png"):
        open_dataset(tmp_path)
    make(tmp_path, "test/a.png")
    with pytest.raises(FlawsightError) as caught:
        open_dataset(tmp_path)
    assert all(name in str(caught.value) for name in LAYOUTS)
    with pytest.raises(FlawsightError, match="no such file or folder"):
        open_dataset(tmp_path / "missing")
    with pytest.raises(FlawsightError, match=r"unknown layout .yolo.: .*known: auto, manifest"):
        open_dataset(tmp_path, "yolo")
