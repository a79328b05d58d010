"""A data set of synthetic defects on disk: readable as MVTec AD, reproducible, and careful with what is there."""

import csv
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from flawsight.data import open_dataset, read_image, read_mask, split_good
from flawsight.errors import FlawsightError
from flawsight.inspection.synthesis import synthesize_dataset


@pytest.fixture(scope="module")
def written(good_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("synthetic") / "set"
    synthesize_dataset(good_dir, out, "nsa,simple", seed=2)
    return out


def content(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_it_reads_back_as_mvtec_with_masks(written: Path, good_dir: Path) -> None:
    dataset = open_dataset(written)
    split = split_good(24, 2)
    assert dataset.layout == "mvtec" and dataset.has_masks and dataset.kinds == ("nsa", "simple")
    assert len(dataset.select("train")) == len(split.train)
    assert len(dataset.select("test", 0)) == len(split.val_good)
    defective = dataset.select("test", 1)
    assert len(defective) == 2 * len(split.val_bad)
    for sample in defective:
        original = read_image(good_dir / sample.path.name)
        image = read_image(sample.path)
        assert image.shape == original.shape == (80, 96, 3)
        assert sample.mask_path is not None
        mask = read_mask(sample.mask_path, (80, 96))
        changed = (image != original).any(2)
        assert mask.any() and changed[mask].mean() > 0.5
        assert set(np.unique(np.asarray(Image.open(sample.mask_path)))) == {0, 255}
    for sample in (*dataset.select("train"), *dataset.select("test", 0)):
        assert np.array_equal(read_image(sample.path), read_image(good_dir / sample.path.name))


def test_its_table_lists_every_file(written: Path) -> None:
    rows = list(csv.DictReader((written / "synthetic.csv").open()))
    listed = {row["image"] for row in rows} | {row["mask"] for row in rows if row["mask"]}
    assert listed | {"synthetic.csv"} == set(content(written))
    assert {row["seed"] for row in rows} == {"2"}


def test_the_seed_decides(written: Path, good_dir: Path, tmp_path: Path) -> None:
    synthesize_dataset(good_dir, tmp_path / "again", "nsa,simple", seed=2)
    assert content(tmp_path / "again") == content(written)
    synthesize_dataset(good_dir, tmp_path / "other", "nsa,simple", seed=3)
    first, other = content(written), content(tmp_path / "other")
    both = [name for name in first if name.startswith(("test/nsa/", "test/simple/")) and name in other]
    assert len(both) > 1 and all(first[name] != other[name] for name in both)


@pytest.mark.parametrize("names", [["a/x", "b/x"], ["a/x", "b/x", "c/x_0"], ["x_0", "a/x", "b/x"]])
def test_names_that_repeat(tmp_path: Path, texture: Callable, names: list[str]) -> None:
    for seed, name in enumerate([*names, *(f"n{number}" for number in range(9))]):
        path = tmp_path / "in" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(texture(seed, (64, 72))).save(path)
    count = len(names) + 9
    told = synthesize_dataset(tmp_path / "in", tmp_path / "out", "simple")
    split = split_good(count, 0)
    assert (told["train"], told["good"], told["kinds"]) == (
        len(split.train), len(split.val_good), {"simple": len(split.val_bad)},
    )  # fmt: skip
    assert len(open_dataset(tmp_path / "out")) == count


def test_images_of_mixed_sizes_keep_theirs(tmp_path: Path, texture: Callable) -> None:
    sizes = [(64, 72), (90, 66), (70, 140)]
    (tmp_path / "in").mkdir()
    for seed in range(12):
        Image.fromarray(texture(seed, sizes[seed % 3])).save(tmp_path / "in" / f"{seed}.bmp")
    synthesize_dataset(tmp_path / "in", tmp_path / "out", "nsa,perlin,scratch,cutpaste")
    for sample in open_dataset(tmp_path / "out"):
        image = read_image(sample.path)
        assert image.shape[:2] == sizes[int(sample.path.stem) % 3]
        if sample.mask_path:
            assert read_mask(sample.mask_path, image.shape[:2]).any()


def test_an_earlier_set_is_replaced_only_when_asked(written: Path, good_dir: Path, tmp_path: Path) -> None:
    out = Path(shutil.copytree(written, tmp_path / "set"))
    before = content(out)
    with pytest.raises(FlawsightError, match=r"already holds.*--overwrite"):
        synthesize_dataset(good_dir, out, "simple")
    assert content(out) == before
    (out / "notes.txt").write_text("mine")
    synthesize_dataset(good_dir, out, "simple", overwrite=True)
    assert open_dataset(out).kinds == ("simple",)
    assert (out / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("overwrite", [False, True])
def test_real_data_is_never_deleted(labelled_set: Path, good_dir: Path, tmp_path: Path, overwrite: bool) -> None:
    real = Path(shutil.copytree(labelled_set, tmp_path / "real"))
    before = content(real)
    with pytest.raises(FlawsightError, match="choose another --out"):
        synthesize_dataset(good_dir, real, "simple", overwrite=overwrite)
    assert content(real) == before


def test_a_set_is_not_replaced_by_one_made_from_itself(written: Path, tmp_path: Path) -> None:
    out = Path(shutil.copytree(written, tmp_path / "set"))
    before = content(out)
    with pytest.raises(FlawsightError, match="choose another --out"):
        synthesize_dataset(out, out, "simple", overwrite=True)
    assert content(out) == before


def test_bad_requests(good_dir: Path, tmp_path: Path) -> None:
    with pytest.raises(FlawsightError, match="nonsuch"):
        synthesize_dataset(good_dir, tmp_path / "out", "nonsuch")
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(FlawsightError, match="cannot write"):
        synthesize_dataset(good_dir, tmp_path / "file", "simple")
    assert not (tmp_path / "out").exists()


def test_the_product_can_be_said(good_dir: Path, tmp_path: Path) -> None:
    for texture in (True, False):
        told = synthesize_dataset(good_dir, tmp_path / str(texture), "nsa", texture=texture)
        assert told["product"]["texture"] is texture
