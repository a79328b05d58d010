"""A data set of synthetic defects on disk: readable as MVTec AD, reproducible, and careful with what is there."""

import csv
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from flawsight.core import FlawsightError
from flawsight.data import open_dataset, read_image, read_mask, split_good
from flawsight.defects import Product, read_textures
from flawsight.defects.foreground import with_foreground
from flawsight.generation import PRESETS
from flawsight.pipeline import synthesize


@pytest.fixture(scope="module")
def written(good_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("synthetic") / "set"
    synthesize(good_dir, out, defects="nsa,simple", seed=2)
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
    assert listed | {"synthetic.csv", "foreground.png"} == set(content(written))
    assert {row["seed"] for row in rows} == {"2"}


def test_the_seed_decides(written: Path, good_dir: Path, tmp_path: Path) -> None:
    synthesize(good_dir, tmp_path / "again", defects="nsa,simple", seed=2)
    assert content(tmp_path / "again") == content(written)
    synthesize(good_dir, tmp_path / "other", defects="nsa,simple", seed=3)
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
    told = synthesize(tmp_path / "in", tmp_path / "out", defects="simple")
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
    synthesize(tmp_path / "in", tmp_path / "out", defects="nsa,perlin,scratch,cutpaste")
    for sample in open_dataset(tmp_path / "out"):
        image = read_image(sample.path)
        assert image.shape[:2] == sizes[int(sample.path.stem) % 3]
        if sample.mask_path:
            assert read_mask(sample.mask_path, image.shape[:2]).any()


def test_an_earlier_set_is_replaced_only_when_asked(written: Path, good_dir: Path, tmp_path: Path) -> None:
    out = Path(shutil.copytree(written, tmp_path / "set"))
    before = content(out)
    with pytest.raises(FlawsightError, match=r"already holds.*--overwrite"):
        synthesize(good_dir, out, defects="simple")
    assert content(out) == before
    (out / "notes.txt").write_text("mine")
    synthesize(good_dir, out, defects="simple", overwrite=True)
    assert open_dataset(out).kinds == ("simple",)
    assert (out / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("overwrite", [False, True])
def test_real_data_is_never_deleted(labelled_set: Path, good_dir: Path, tmp_path: Path, overwrite: bool) -> None:
    real = Path(shutil.copytree(labelled_set, tmp_path / "real"))
    before = content(real)
    with pytest.raises(FlawsightError, match="choose another --out"):
        synthesize(good_dir, real, defects="simple", overwrite=overwrite)
    assert content(real) == before


def test_a_set_is_not_replaced_by_one_made_from_itself(written: Path, tmp_path: Path) -> None:
    out = Path(shutil.copytree(written, tmp_path / "set"))
    before = content(out)
    with pytest.raises(FlawsightError, match="choose another --out"):
        synthesize(out, out, defects="simple", overwrite=True)
    assert content(out) == before


def test_bad_requests(good_dir: Path, tmp_path: Path) -> None:
    with pytest.raises(FlawsightError, match="nonsuch"):
        synthesize(good_dir, tmp_path / "out", defects="nonsuch")
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(FlawsightError, match="cannot write"):
        synthesize(good_dir, tmp_path / "file", defects="simple")
    assert not (tmp_path / "out").exists()


def test_the_product_can_be_said(good_dir: Path, tmp_path: Path) -> None:
    for texture in (True, False):
        told = synthesize(good_dir, tmp_path / str(texture), defects="nsa", texture=texture)
        assert told["product"]["texture"] is texture


@pytest.fixture(scope="module")
def tiny() -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        small = replace(
            PRESETS["small"], side=16, patch=4, widths=(16,), attention=0, norm_groups=4, head=8, sampling_steps=10
        )
        patch.setitem(PRESETS, "tiny", small)
        yield "tiny"


def test_pictures_of_a_generator(good_dir: Path, tmp_path: Path, tiny: str) -> None:
    """The generator stays in the folder when the set is replaced, the reader sees only the set, and its table has s."""
    out, options = tmp_path / "out", {"generator_preset": tiny, "generator_steps": 2}
    told = synthesize(good_dir, out, defects="sdas,simple", strength=(0.1, 0.4), **options)  # type: ignore[arg-type]
    assert len(told["warnings"]) == 1 and "--textures" in told["warnings"][0]
    weights = (out / "generator" / "generator.safetensors").stat().st_mtime_ns
    again = synthesize(good_dir, out, defects="sdas", strength=0.3, overwrite=True, **options)  # type: ignore[arg-type]
    assert (out / "generator" / "generator.safetensors").stat().st_mtime_ns == weights
    dataset = open_dataset(out)
    assert dataset.kinds == ("sdas",) and len(dataset) == again["train"] + again["good"] + again["kinds"]["sdas"]
    rows = list(csv.DictReader((out / "synthetic.csv").open()))
    assert {(row["part"], row["strength"]) for row in rows} == {
        ("train/good", ""), ("test/good", ""), ("test/sdas", "0.3"),
    }  # fmt: skip


def test_textures_show_through(good_dir: Path, tmp_path: Path) -> None:
    """Textures from folders below, never larger than needed, in place of shuffled good images."""
    rng = np.random.default_rng(0)
    for number in range(3):
        path = tmp_path / "textures" / f"class{number}" / "one.jpg"
        path.parent.mkdir(parents=True)
        Image.fromarray(rng.integers(0, 256, (900, 300, 3), dtype=np.uint8)).save(path)
    textures = read_textures(tmp_path / "textures", seed=0)
    assert [image.shape for image in textures] == [(512, 171, 3)] * 3
    plain, foreign = tmp_path / "plain", tmp_path / "foreign"
    synthesize(good_dir, plain, defects="perlin")
    synthesize(good_dir, foreign, defects="perlin", textures=tmp_path / "textures")
    masks = [content(out / "ground_truth") for out in (plain, foreign)]
    images = [content(out / "test" / "perlin") for out in (plain, foreign)]
    assert images[0].keys() == images[1].keys() and images[0] != images[1] and masks[0] != masks[1]
    with pytest.raises(FlawsightError, match="kind 'perlin'"):
        synthesize(good_dir, tmp_path / "none", defects="nsa", textures=tmp_path / "textures")
    with pytest.raises(FlawsightError, match="nowhere"):
        synthesize(good_dir, tmp_path / "none", defects="perlin", textures=tmp_path / "nowhere")


def test_any_number_of_images(good_dir: Path, written: Path, tmp_path: Path) -> None:
    """The first round is the usual set, later rounds are drawn anew, and no two are equal."""
    told = synthesize(good_dir, tmp_path / "many", defects="nsa", seed=2, count=13)
    names = sorted(path.name for path in (tmp_path / "many" / "test" / "nsa").iterdir())
    assert told["kinds"] == {"nsa": 13} and [name[:5] for name in names] == [f"{number:05d}" for number in range(13)]
    many = content(tmp_path / "many" / "test" / "nsa")
    usual = content(written / "test" / "nsa")
    assert len(set(many.values())) == 13
    assert {many[name] for name in names[: len(usual)]} == set(usual.values())
    with pytest.raises(FlawsightError, match=r"--count .0.: input should be greater than or equal to 1"):
        synthesize(good_dir, tmp_path / "none", defects="nsa", count=0)


def disc(radius: int, level: int = 200) -> np.ndarray:
    image = np.full((64, 96, 3), 20, np.uint8)
    rows, columns = np.indices(image.shape[:2])
    image[(rows - 32) ** 2 + (columns - 48) ** 2 <= radius**2] = level
    return image


@pytest.fixture
def discs(tmp_path: Path) -> Path:
    (tmp_path / "discs").mkdir()
    for number in range(12):
        Image.fromarray(disc(18 + number % 3)).save(tmp_path / "discs" / f"{number}.png")
    return tmp_path / "discs"


def test_the_foreground_is_estimated_overridden_and_shown(discs: Path, tmp_path: Path) -> None:
    backgrounds, pictures = [], []
    for number, chosen in enumerate(("auto", "all", (20.0, 50.0), (200.0, 30.0))):
        told = synthesize(discs, tmp_path / str(number), defects="subtle", foreground=chosen)  # type: ignore[arg-type]
        backgrounds.append(told["product"]["background"])
        pictures.append(np.asarray(Image.open(told["foreground"])).astype(int))
        assert told["warnings"] == []
    assert backgrounds[0][0] == 20 and backgrounds[1:] == [None, [20.0, 50.0], [200.0, 30.0]]
    corner, middle = (pictures[2][2, 2, 0], pictures[2][128, 192, 0])
    assert (corner, middle) == (6, 200) and pictures[1][2, 2, 0] == 20 and pictures[3][128, 192, 0] == 66


@pytest.mark.parametrize(("chosen", "share"), [((110.0, 250.0), "0.0%"), ((90.0, 1.0), "100.0%")])
def test_a_foreground_of_nothing_or_everything_is_said(
    discs: Path, tmp_path: Path, chosen: tuple[float, float], share: str
) -> None:
    told = synthesize(discs, tmp_path / "out", defects="simple", foreground=chosen)
    (warning,) = told["warnings"]
    assert share in warning and str(tmp_path / "out" / "foreground.png") in warning and "--foreground all" in warning


def test_foregrounds_that_are_none() -> None:
    with pytest.raises(FlawsightError, match="BRIGHTNESS:THRESHOLD"):
        with_foreground(Product(), "dark")
    with pytest.raises(FlawsightError, match="background"):
        with_foreground(Product(), (20.0, -1.0))


def test_a_picture_of_ones_own_is_not_overwritten(good_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "foreground.png").write_text("mine")
    with pytest.raises(FlawsightError, match=r"foreground.png.*not from here"):
        synthesize(good_dir, tmp_path, defects="simple", overwrite=True)
    assert (tmp_path / "foreground.png").read_text() == "mine"
