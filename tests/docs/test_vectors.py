"""The test vectors are what Python makes, and what the page on bundles says in formulas."""

import hashlib
import json
import runpy
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from flawsight.data import read_image
from flawsight.report.heatmap import STOPS
from flawsight.views import resize_image

DOCS = Path(__file__).parents[2] / "docs"
FOLDER = DOCS / "test-vectors"
TOLD = json.loads((FOLDER / "vectors.json").read_text(encoding="utf-8"))


def shrinking(pixels: int, side: int) -> np.ndarray:
    """Weights (side, pixels): the length that a pixel has in common with the stretch of a pixel of the result."""
    ratio, i, j = pixels / side, np.arange(side)[:, None], np.arange(pixels)
    return np.clip(np.minimum((i + 1) * ratio, j + 1) - np.maximum(i * ratio, j), 0, None) / ratio


def growing(pixels: int, side: int) -> np.ndarray:
    """Weights (side, pixels) of the two neighbours, by centres of pixels."""
    weights = np.zeros((side, pixels))
    for i in range(side):
        x = (i + 0.5) * pixels / side - 0.5
        left = int(np.floor(x))
        weights[i, max(left, 0)] += 1 - (x - left)
        weights[i, min(left + 1, pixels - 1)] += x - left
    return weights


def plain_resize(image: np.ndarray, side: int) -> np.ndarray:
    height, width = image.shape[:2]
    small = (min(height, side), min(width, side))
    rows, columns = shrinking(height, small[0]), shrinking(width, small[1])
    shrunk = np.rint(np.einsum("ih,jw,hwc->ijc", rows, columns, image.astype(float), optimize=True))
    rows, columns = growing(small[0], side), growing(small[1], side)
    return np.rint(np.einsum("ih,jw,hwc->ijc", rows, columns, shrunk, optimize=True))


@pytest.mark.parametrize("row", TOLD["vectors"], ids=lambda row: row["picture"])
def test_python_makes_exactly_these(row: dict[str, str]) -> None:
    image = read_image(FOLDER / row["picture"])
    square = resize_image(image, TOLD["side"])
    assert np.array_equal(square, np.array(Image.open(FOLDER / row["square"])))
    assert hashlib.sha256(square.tobytes()).hexdigest() == row["sha256"]
    assert np.abs(plain_resize(image, TOLD["side"]) - square).max() <= 1


@pytest.mark.parametrize("size", [(100, 52), (192, 320), (64, 64), (31, 200), (480, 640)])
def test_the_formulas_are_right(size: tuple[int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    assert np.abs(plain_resize(image, 64) - resize_image(image, 64)).max() <= 1


def test_the_script_lists_what_is_there() -> None:
    sizes = runpy.run_path(str(FOLDER / "make.py"))["SIZES"]
    assert [row["picture"] for row in TOLD["vectors"]] == list(sizes)
    files = {name for row in TOLD["vectors"] for name in (row["picture"], row["square"])}
    assert {path.name for path in FOLDER.iterdir() if path.is_file()} == files | {"make.py", "vectors.json"}
    for name, size in sizes.items():
        assert Image.open(FOLDER / name).size == size


def test_the_page_knows_the_colours() -> None:
    page = (DOCS / "bundle.md").read_text(encoding="utf-8")
    for place, red, green, blue, cover in STOPS:
        assert f"| {place:.2f} | {red:.0f}, {green:.0f}, {blue:.0f} | {cover:.2f} |" in page
