"""The test vectors are what Python makes, and what the page on bundles says in formulas."""

import hashlib
import json
import runpy
from math import ceil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from flawsight.data import read_image
from flawsight.report.heatmap import STOPS
from flawsight.views import resize_image

DOCS = Path(__file__).parents[2] / "docs"
FOLDER = DOCS / "test-vectors"
TOLD = json.loads((FOLDER / "vectors.json").read_text(encoding="utf-8"))
BY_VIEW = pytest.mark.parametrize("row", TOLD["views"], ids=lambda row: row["name"])
Row = dict[str, Any]


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


def plain_resize(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    height, width = image.shape[:2]
    small = (min(height, size[0]), min(width, size[1]))
    rows, columns = shrinking(height, small[0]), shrinking(width, small[1])
    shrunk = np.rint(np.einsum("ih,jw,hwc->ijc", rows, columns, image.astype(float), optimize=True))
    rows, columns = growing(small[0], size[0]), growing(small[1], size[1])
    return np.rint(np.einsum("ih,jw,hwc->ijc", rows, columns, shrunk, optimize=True))


def nearest_below(pixels: int, side: int) -> np.ndarray:
    """Weights (side, pixels) of how masks are resized where they grow on some axis."""
    weights = np.zeros((side, pixels))
    for i in range(side):
        j = i * pixels // side
        share = max(0.0, i + 1 - (j + 1) * side / pixels) % 1
        weights[i, j] += 1 - share
        weights[i, min(j + 1, pixels - 1)] += share
    return weights


def plain_inside(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """How much of each working pixel is inspected."""
    grows = size[0] > mask.shape[0] or size[1] > mask.shape[1]
    of_axis = nearest_below if grows else shrinking
    return of_axis(mask.shape[0], size[0]) @ mask @ of_axis(mask.shape[1], size[1]).T


def plain_frame(view: Row, size: tuple[int, int], mask: np.ndarray) -> tuple[list[int], list[int], list[list[int]]]:
    """Box, working size and origins; those that see nothing of what is inspected are still there."""
    side, height, width = view["side"], *size
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    left, top, wide, high = columns[0], rows[0], columns[-1] - columns[0] + 1, rows[-1] - rows[0] + 1
    if view["kind"] == "squash":
        return [left, top, wide, high], [side, side], [[0, 0]]
    if view["kind"] == "whole":
        scale = side / max(wide, high)
        return [left, top, wide, high], [max(1, round(high * scale)), max(1, round(wide * scale))], [[0, 0]]
    cut = view["tile"] or side
    wide, high = max(wide, cut), max(high, cut)
    left, top = min(left, width - wide), min(top, height - high)
    working = [max(side, round(length * side / cut)) for length in (high, wide)]
    shared = round(view["overlap"] * side)
    starts = []
    for length in working:
        count = max(1, ceil((length - shared) / (side - shared)))
        starts.append([round(i * ((length - side) / max(1, count - 1))) for i in range(count)])
    return [left, top, wide, high], working, [[y, x] for y in starts[0] for x in starts[1]]


def plain_join(row: Row, maps: list[np.ndarray]) -> np.ndarray:
    side, blend = row["view"]["side"], max(1, round(row["view"]["overlap"] * row["view"]["side"]))
    total, weights = np.zeros(row["working"]), np.zeros(row["working"])
    ramp = [min(min(i, side - 1 - i) + 0.5, blend) / blend for i in range(side)]
    for (y, x), one in zip(row["origins"], maps, strict=True):
        part = total[y : y + side, x : x + side].shape
        weight = np.outer(ramp, ramp)[: part[0], : part[1]]
        total[y : y + side, x : x + side] += weight * one[: part[0], : part[1]]
        weights[y : y + side, x : x + side] += weight
    return np.divide(total, weights, out=np.zeros_like(total), where=weights > 0)


def connected(above: np.ndarray) -> list[list[tuple[int, int]]]:
    """Cells (row, column) of the parts that touch at sides or corners."""
    left, parts = {tuple(place) for place in np.argwhere(above).tolist()}, []
    while left:
        part = [left.pop()]
        for y, x in part:
            beside = {(y + i, x + j) for i in (-1, 0, 1) for j in (-1, 0, 1)} & left
            left -= beside
            part += sorted(beside)
        parts.append(part)
    return parts


def mask_of(row: Row, size: tuple[int, int]) -> np.ndarray:
    return np.array(Image.open(FOLDER / row["region"])) if row["region"] else np.ones(size, bool)


@pytest.fixture(scope="module")
def script() -> dict[str, Any]:
    return runpy.run_path(str(FOLDER / "make.py"))


@pytest.mark.parametrize("row", TOLD["vectors"], ids=lambda row: row["picture"])
def test_python_makes_exactly_these(row: dict[str, str]) -> None:
    image = read_image(FOLDER / row["picture"])
    square = resize_image(image, TOLD["side"])
    assert np.array_equal(square, np.array(Image.open(FOLDER / row["square"])))
    assert hashlib.sha256(square.tobytes()).hexdigest() == row["sha256"]
    assert np.abs(plain_resize(image, (TOLD["side"], TOLD["side"])) - square).max() <= 1


@pytest.mark.parametrize("size", [(100, 52), (192, 320), (64, 64), (31, 200), (480, 640)])
def test_the_formulas_are_right(size: tuple[int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    assert np.abs(plain_resize(image, (64, 64)) - resize_image(image, 64)).max() <= 1


@BY_VIEW
def test_python_makes_exactly_these_of_views(row: Row, script: dict[str, Any]) -> None:
    found, squares, joined = script["vector_of"](row["name"])
    assert found == row
    assert np.array_equal(squares, np.array(Image.open(FOLDER / row["squares"])))
    assert np.array_equal(joined, np.array(Image.open(FOLDER / row["joined"])))


@BY_VIEW
def test_the_formulas_of_views_are_right(row: Row) -> None:
    image, side = read_image(FOLDER / row["picture"]), row["view"]["side"]
    mask = mask_of(row, image.shape[:2])
    box, working, origins = plain_frame(row["view"], image.shape[:2], mask)
    assert (box, working) == (row["box"], row["working"])
    left, top, width, height = box
    part = np.s_[top : top + height, left : left + width]
    inside = plain_inside(mask[part], (working[0], working[1])) >= 0.5 - 1e-6
    assert inside.sum() == row["inspected"]
    seen = plain_resize(image[part], (working[0], working[1]))
    seen[~inside] = 128
    assert [[y, x] for y, x in origins if inside[y : y + side, x : x + side].any()] == row["origins"]
    squares = np.full((len(row["origins"]), side, side, 3), 128)
    for square, (y, x) in zip(squares, row["origins"], strict=True):
        there = seen[y : y + side, x : x + side]
        square[: there.shape[0], : there.shape[1]] = there
    told = np.array(Image.open(FOLDER / row["squares"])).astype(int)
    assert np.abs(squares.reshape(-1, side, 3) - told).max() <= 1


@BY_VIEW
def test_the_formulas_of_joined_maps_are_right(row: Row) -> None:
    side = row["view"]["side"]
    rise = np.add.outer(np.arange(side), np.arange(side)) / (16 * side)
    joined = plain_join(row, [number + rise for number in range(1, len(row["origins"]) + 1)])
    told = np.array(Image.open(FOLDER / row["joined"])) / TOLD["times"]
    inside = told > 0
    assert inside.sum() == row["inspected"]
    assert np.abs(joined - told)[inside].max() <= 0.51 / TOLD["times"]
    joined[~inside] = 0
    assert joined.max() == pytest.approx(row["score"], abs=1e-5)
    check_regions(row, joined)


def check_regions(row: Row, joined: np.ndarray) -> None:
    (left, top, width, height), (rows, columns) = row["box"], joined.shape
    across, down = width / columns, height / rows
    parts = sorted(connected(joined > row["threshold"]), key=lambda part: -max(joined[place] for place in part))
    assert len(parts) == len(row["regions"]) >= 1
    for part, told in zip(parts, row["regions"], strict=True):
        y, x = np.array(part).T
        x0, y0 = x.min() * width // columns, y.min() * height // rows
        x1, y1 = ceil((x.max() + 1) * width / columns), ceil((y.max() + 1) * height / rows)
        assert told["box"] == [left + x0, top + y0, x1 - x0, y1 - y0]
        assert told["area_px"] == pytest.approx(len(part) * across * down)
        assert told["area_mm2"] == pytest.approx(told["area_px"] * row["mm_per_pixel"] ** 2)
        centroid = [left + (x.mean() + 0.5) * across, top + (y.mean() + 0.5) * down]
        assert told["centroid"] == pytest.approx(centroid)
        best = max(part, key=lambda place: (joined[place], -place[0], -place[1]))
        assert told["peak"] == pytest.approx(joined[best], abs=1e-5)
        assert told["peak_at"] == [left + int((best[1] + 0.5) * across), top + int((best[0] + 0.5) * down)]
        corners = np.array(told["contour"])
        on_corners = (corners - [left, top]) / [across, down]
        assert np.abs(on_corners - on_corners.round()).max() < 1e-6
        after = np.roll(corners, -1, axis=0)
        area = abs((corners[:, 0] * after[:, 1] - after[:, 0] * corners[:, 1]).sum()) / 2
        # The outline fills holes, of which there are some in the region of interest alone.
        assert area == pytest.approx(told["area_px"]) or (row["region"] and area > told["area_px"])


@pytest.mark.parametrize("size", [(40, 64), (100, 64), (64, 200), (130, 131), (33, 20)])
def test_the_formulas_of_masks_are_right(size: tuple[int, int]) -> None:
    mask = cv2.GaussianBlur(np.random.default_rng(1).random((64, 96)).astype(np.float32), (0, 0), 4) > 0.5
    share = plain_inside(mask, size)
    found = cv2.resize(mask.astype(np.float32), size[::-1], interpolation=cv2.INTER_AREA)
    assert np.abs(share - found).max() < 1e-4


def test_the_script_lists_what_is_there(script: dict[str, Any]) -> None:
    sizes = script["SIZES"]
    assert [row["picture"] for row in TOLD["vectors"]] == list(sizes)
    assert [row["name"] for row in TOLD["views"]] == list(script["VIEWS"])
    files = {name for row in TOLD["vectors"] for name in (row["picture"], row["square"])}
    files |= {name for row in TOLD["views"] for name in (row["squares"], row["joined"], script["REGION"])}
    assert {path.name for path in FOLDER.iterdir() if path.is_file()} == files | {"make.py", "vectors.json"}
    for name, size in sizes.items():
        assert Image.open(FOLDER / name).size == size
    assert np.array_equal(np.array(Image.open(FOLDER / script["REGION"])), script["region"]().mask)


def test_the_page_knows_the_colours() -> None:
    page = (DOCS / "bundle.md").read_text(encoding="utf-8")
    for place, red, green, blue, cover in STOPS:
        assert f"| {place:.2f} | {red:.0f}, {green:.0f}, {blue:.0f} | {cover:.2f} |" in page
