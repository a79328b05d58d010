"""Views and regions on the command line: what makes no sense is one line, exit code 2, and no traceback."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

QUICK = ("--image-size", "64", "--layers", "blocks.3.0.*", "--defects", "simple", "--device", "cpu")
FIXED = ("--image-size", "64", "--fixed-layers", "blocks.2.1.add", "--device", "cpu", "--export", "none")


@pytest.fixture
def fit(flawsight: Callable, good_dir: Path, tmp_path: Path) -> Callable:
    return lambda *more, good=good_dir, how=QUICK: flawsight("fit", good, "--out", tmp_path / "out", *how, *more)


@pytest.fixture
def mixed(good_dir: Path, tmp_path: Path, texture: Callable) -> Path:
    """Good pictures of two sizes."""
    folder = Path(shutil.copytree(good_dir, tmp_path / "good"))
    Image.fromarray(texture(90, (100, 120))).save(folder / "zz_large.png")
    return folder


def mask(path: Path, size: tuple[int, int] = (80, 96), box: tuple[slice, slice] | None = None) -> Path:
    pixels = np.zeros(size, np.uint8)
    if box:
        pixels[box] = 255
    Image.fromarray(pixels).save(path)
    return path


INNER = (slice(20, 70), slice(10, 80))


@pytest.mark.parametrize("how", [QUICK, FIXED])
def test_a_tile_larger_than_the_pictures_names_one(fit: Callable, how: tuple[str, ...]) -> None:
    done = fit("--view", "tiles", "--tile", 81, how=how)
    done.refused("000.png", "tiles of 81 pixels", "96 x 80", "--tile 80 or less")


def test_a_tile_larger_than_one_of_the_pictures_names_that(fit: Callable, good_dir: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(good_dir, tmp_path / "good"))
    picture = Image.open(folder / "005.png")
    picture.resize((72, 60)).save(folder / "zz_small.png")
    fit("--view", "tiles", "--tile", 64, good=folder).refused("zz_small.png", "72 x 60", "--tile 60 or less")


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (("--view", "squash", "--tile", "40"), ("--tile", "no effect", "--view tiles")),
        (("--view", "whole", "--overlap", "0.2"), ("--overlap", "no effect", "--view tiles")),
        (("--mm-per-pixel", "0"), ("--mm-per-pixel '0.0'", "greater than 0")),
        (("--mm-per-pixel", "-1"), ("--mm-per-pixel '-1.0'", "greater than 0")),
        (("--overlap", "0.6", "--view", "tiles"), ("--overlap '0.6'", "less than or equal to 0.5")),
        (("--view", "fisheye"), ("--view 'fisheye'", "squash", "tiles")),
        (("--image-size", "64,x"), ("--image-size '64,x'", "such as 256,384")),
        (("--image-size", "16,64"), ("--image-size '16'", "greater than or equal to 32")),
        (("--detector", "gaussian", "--view", "tiles"), ("gaussian", "each place", "--view whole")),
    ],
)
def test_options_that_make_no_sense(fit: Callable, options: tuple[str, ...], parts: tuple[str, ...]) -> None:
    fit(*options).refused(*parts)


def test_several_sizes_need_a_search(fit: Callable) -> None:
    fit("--image-size", "64,96", how=FIXED).refused("--image-size", "needs a search")


def test_nothing_is_tried_where_layers_are_named(fit: Callable, tmp_path: Path) -> None:
    done = fit("--view", "auto", "--json", how=FIXED)
    assert done.code == 0 and json.loads(done.out)["view"] == "squash at 64"


class TestRegions:
    """Regions that cannot be used."""

    def test_missing(self, fit: Callable, tmp_path: Path) -> None:
        fit("--region", tmp_path / "nowhere.png").refused("nowhere.png", "is not there")

    def test_of_another_kind(self, fit: Callable, tmp_path: Path) -> None:
        (tmp_path / "region.txt").write_text("x")
        fit("--region", tmp_path / "region.txt").refused("region.txt", "kind", "auto")

    def test_empty(self, fit: Callable, tmp_path: Path) -> None:
        fit("--region", mask(tmp_path / "m.png")).refused("m.png", "no pixel")

    def test_too_small(self, fit: Callable, tmp_path: Path) -> None:
        fit("--region", mask(tmp_path / "m.png", box=(slice(4, 8), slice(4, 8)))).refused("m.png", "4 x 4 pixels")

    def test_of_another_size(self, fit: Callable, tmp_path: Path) -> None:
        path = mask(tmp_path / "m.png", (96, 80), INNER)
        fit("--region", path).refused("m.png", "80 x 96 pixels", "96 x 80 pixels", "turned")

    def test_outside(self, fit: Callable, tmp_path: Path) -> None:
        path = tmp_path / "region.json"
        path.write_text(json.dumps({"polygons": [[[200, 10], [300, 10], [300, 60]]]}))
        fit("--region", path).refused("region.json", "wholly outside", "96 x 80")

    @pytest.mark.parametrize("region", ["auto", "file"])
    def test_pictures_of_several_sizes(self, fit: Callable, mixed: Path, tmp_path: Path, region: str) -> None:
        given = "auto" if region == "auto" else mask(tmp_path / "m.png", box=INNER)
        fit("--region", given, good=mixed).refused("one size", "zz_large.png", "120 x 100")

    def test_inspected_pictures_of_another_size_get_a_row_and_stop_nobody(
        self, fit: Callable, flawsight: Callable, tmp_path: Path, texture: Callable, good_dir: Path
    ) -> None:
        done = fit("--region", mask(tmp_path / "m.png", box=INNER), "--false-alarm-rate", 0.1, how=FIXED)
        assert done.code == 0, done.err
        (tmp_path / "new").mkdir()
        Image.fromarray(texture(100, (160, 192))).save(tmp_path / "new" / "a_large.png")
        Image.fromarray(texture(101)).save(tmp_path / "new" / "b_right.png")
        done = flawsight("inspect", tmp_path / "out", tmp_path / "new", "--out", tmp_path / "results", "--json")
        assert done.code == 2 and "Traceback" not in done.err
        assert "a_large.png is 192 x 160 pixels, but the region of interest is for 96 x 80" in done.err
        document = json.loads(done.out)
        first, second = document["results"]
        assert first["verdict"] == "error" and document["error"] == 1 and second["verdict"] in ("good", "defective")
        coco = json.loads((tmp_path / "results" / "regions.json").read_text())
        assert [one["file_name"] for one in coco["images"]] == [str(tmp_path / "new" / "b_right.png")]


def test_inspected_pictures_smaller_than_a_tile_get_a_row(
    fit: Callable, flawsight: Callable, tmp_path: Path, texture: Callable
) -> None:
    assert fit("--view", "tiles", "--false-alarm-rate", 0.1, how=FIXED).code == 0
    (tmp_path / "new").mkdir()
    for name, size in (("a_small", (60, 72)), ("b_right", (80, 96))):
        Image.fromarray(texture(100, size)).save(tmp_path / "new" / f"{name}.png")
    done = flawsight(
        "inspect", tmp_path / "out", tmp_path / "new", "--out", tmp_path / "results", "--mm-per-pixel", 0.5
    )
    assert done.code == 2 and "a_small.png" in done.err and "72 x 60" in done.err and "Traceback" not in done.err
    assert "regions.json" in done.out
    evaluated = tmp_path / "labelled"
    for name in ("train/good", "test/good", "test/bad"):
        (evaluated / name).mkdir(parents=True)
        Image.fromarray(texture(7, (60, 72))).save(evaluated / name / "x.png")
    done = flawsight("evaluate", tmp_path / "out", evaluated, "--out", tmp_path / "figures")
    assert done.code == 2 and done.out == "" and done.err.count("x.png: tiles of 64 pixels") == 2
