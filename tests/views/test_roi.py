"""Regions of interest: the same pixels from every kind of file, and a word on every file that is wrong."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from PIL import Image

from flawsight.core import FlawsightError
from flawsight.views import RegionOfInterest, read_region

SIZE = (60, 80)
BOX = (10, 12, 50, 44)  # left, top, right, bottom
HOLE = (20, 20, 30, 28)


def boxed(*boxes: tuple[int, int, int, int], size: tuple[int, int] = SIZE) -> np.ndarray:
    mask = np.zeros(size, bool)
    for left, top, right, bottom in boxes:
        mask[top:bottom, left:right] = True
    return mask


def corners(box: tuple[int, int, int, int]) -> list[list[float]]:
    left, top, right, bottom = box
    return [[left, top], [right, top], [right, bottom], [left, bottom]]


EXPECTED = boxed(BOX) & ~boxed(HOLE)
WHOLE_BUT_HOLE = ~boxed(HOLE)


def saved(path: Path, pixels: np.ndarray, **options: Any) -> Path:
    Image.fromarray(pixels).save(path, **options)
    return path


def plain_json(path: Path, document: object) -> Path:
    path.write_text(json.dumps(document))
    return path


def labelme(path: Path, shapes: list[tuple[str, tuple]], size: tuple[int, int] = SIZE) -> Path:
    found = [{"label": label, "points": corners(box), "shape_type": "polygon"} for label, box in shapes]
    return plain_json(path, {"shapes": found, "imageHeight": size[0], "imageWidth": size[1], "imagePath": "part.png"})


def cvat(path: Path, *images: list[tuple[str, tuple]], size: tuple[int, int] = SIZE) -> Path:
    drawn = [
        f'<image id="{number}" name="{number}.png" width="{size[1]}" height="{size[0]}">'
        + "".join(
            f'<polygon label="{label}" points="{";".join(f"{x},{y}" for x, y in corners(box))}"/>'
            for label, box in shapes
        )
        + "</image>"
        for number, shapes in enumerate(images)
    ]
    path.write_text(f"<annotations>{''.join(drawn)}</annotations>")
    return path


WRITERS: dict[str, Callable[[Path], Path]] = {
    "black and white": lambda folder: saved(folder / "m.png", EXPECTED * np.uint8(255)),
    "0 and 1": lambda folder: saved(folder / "m.bmp", EXPECTED.astype(np.uint8)),
    "labels": lambda folder: saved(folder / "m.png", (EXPECTED * (1 + boxed((10, 12, 20, 20)))).astype(np.uint8)),
    "one bit": lambda folder: saved(folder / "m.tif", EXPECTED),
    "16 bits": lambda folder: saved(folder / "m.png", EXPECTED * np.uint16(40000)),
    "colour": lambda folder: saved(folder / "m.png", EXPECTED[..., None] * np.array([0, 180, 90], np.uint8)),
    "cut out": lambda folder: saved(
        folder / "m.png", np.dstack([np.zeros((*SIZE, 3), np.uint8), EXPECTED * np.uint8(255)])
    ),
    "polygons": lambda folder: plain_json(folder / "m.json", {"polygons": [corners(BOX)], "ignore": [corners(HOLE)]}),
    "LabelMe": lambda folder: labelme(folder / "m.json", [("part", BOX), ("Ignore", HOLE)]),
    "CVAT": lambda folder: cvat(folder / "m.xml", [("part", BOX), ("exclude", HOLE)]),
    "CVAT, one drawn on": lambda folder: cvat(folder / "m.xml", [], [("part", BOX), ("exclude", HOLE)], []),
    "CVAT, the same twice": lambda folder: cvat(folder / "m.xml", *[[("part", BOX), ("ignore", HOLE)]] * 2),
}


@pytest.mark.parametrize("kind", WRITERS)
def test_every_kind_of_file_gives_the_same_pixels(kind: str, tmp_path: Path) -> None:
    region = read_region(WRITERS[kind](tmp_path), SIZE)
    assert np.array_equal(region.mask, EXPECTED)


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_soft_edges_end_at_half_of_the_maximum(suffix: str, tmp_path: Path) -> None:
    soft = cv2.GaussianBlur(EXPECTED.astype(np.float32), (0, 0), 1.0)
    path = saved(tmp_path / f"m{suffix}", np.rint(200 * soft).astype(np.uint8))
    differing = read_region(path, SIZE).mask != EXPECTED
    edge = cv2.morphologyEx(EXPECTED.astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0
    assert not (differing & ~edge).any() and differing.sum() <= 8  # rounded corners


@pytest.mark.parametrize(
    "write",
    [
        lambda folder: labelme(folder / "m.json", [("ignore", HOLE)]),
        lambda folder: cvat(folder / "m.xml", [("IGNORE", HOLE)]),
        lambda folder: plain_json(folder / "m.json", {"ignore": [corners(HOLE)]}),
    ],
    ids=["LabelMe", "CVAT", "polygons"],
)
def test_where_all_is_to_be_ignored_the_rest_is_inspected(write: Callable[[Path], Path], tmp_path: Path) -> None:
    assert np.array_equal(read_region(write(tmp_path), SIZE).mask, WHOLE_BUT_HOLE)


def test_a_list_of_polygons_is_their_union(tmp_path: Path) -> None:
    boxes = [(0, 0, 20, 20), (10, 10, 40, 60)]
    region = read_region(plain_json(tmp_path / "m.json", [corners(box) for box in boxes]), SIZE)
    assert np.array_equal(region.mask, boxed(*boxes))


def test_a_slanted_polygon_holds_the_centres_inside_it(tmp_path: Path) -> None:
    points = np.array([[3.2, 5.1], [70.4, 20.9], [40.3, 55.2]])
    region = read_region(plain_json(tmp_path / "m.json", [points.tolist()]), SIZE)
    y, x = np.mgrid[: SIZE[0], : SIZE[1]] + 0.5
    sides = [
        (b[0] - a[0]) * (y - a[1]) - (b[1] - a[1]) * (x - a[0])
        for a, b in zip(points, np.roll(points, -1, axis=0), strict=True)
    ]
    assert np.array_equal(region.mask, np.all(np.array(sides) > 0, axis=0))


def test_points_may_lie_half_a_pixel_outside(tmp_path: Path) -> None:
    path = plain_json(tmp_path / "m.json", [corners((-0.5, -0.5, SIZE[1] + 0.5, SIZE[0] + 0.5))])  # type: ignore[arg-type]
    assert read_region(path, SIZE).share == 1.0


def shape(points: list, **keys: Any) -> Callable[[Path], Path]:
    return lambda folder: plain_json(folder / "m.json", {"polygons": [points], **keys})


def document(value: object) -> Callable[[Path], Path]:
    return lambda folder: plain_json(folder / "m.json", value)


def text(name: str, content: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        (folder / name).write_text(content)
        return folder / name

    return write


def photograph(folder: Path) -> Path:
    noise = np.random.default_rng(0).normal(size=(*SIZE, 3)).astype(np.float32)
    return saved(folder / "m.png", np.clip(120 + 90 * cv2.GaussianBlur(noise, (0, 0), 1), 0, 255).astype(np.uint8))


WRONG: dict[str, tuple[Callable[[Path], Path], str]] = {
    "missing": (lambda folder: folder / "none.png", r"none\.png' is not there.*auto"),
    "folder": (lambda folder: folder, "is a folder"),
    "kind": (text("m.yaml", "a: 1"), r"kind that is not read \('\.yaml'\)"),
    "no picture": (text("m.png", "nothing"), r"m\.png is not a PNG"),
    "photograph": (photograph, "looks like a photograph"),
    "other size": (
        lambda folder: saved(folder / "m.png", np.full((30, 40), 255, np.uint8)),
        r"drawn on 40 x 30 pixels, the pictures are 80 x 60 pixels: draw",
    ),
    "turned": (lambda folder: saved(folder / "m.png", EXPECTED.T * np.uint8(255)), "60 x 80 pixels,.*turned"),
    "LabelMe of another size": (
        lambda folder: labelme(folder / "m.json", [("part", BOX)], (100, 100)),
        "drawn on 100 x 100 pixels, the pictures are 80 x 60",
    ),
    "CVAT of another size": (
        lambda folder: cvat(folder / "m.xml", [("part", BOX)], size=(100, 100)),
        "drawn on 100 x 100 pixels, the pictures are 80 x 60",
    ),
    "partly outside": (shape([[0, 0], [81, 0], [40, 40]]), r"partly outside.*80 x 60 pixels: its point \(81, 0\)"),
    "wholly outside": (shape([[90, 0], [99, 0], [95, 40]]), "wholly outside"),
    "ignore outside": (
        shape(corners(BOX), ignore=[[[0, 0], [-1, 5], [4, 4]]]),
        r"partly outside.*\(-1, 5\)",
    ),
    "not finite": (text("m.json", "[[[0, 0], [NaN, 5], [40, 40]]]"), r"partly outside.*\(nan, 5\)"),
    "huge": (text("m.json", f"[[[0, 0], [1{'0' * 400}, 5], [40, 40]]]"), "no polygon"),
    "two points": (shape([[0, 0], [40, 40]]), r"encloses nothing \(points: \(0, 0\), \(40, 40\)\).*three"),
    "no points": (shape([]), "points: none"),
    "on one line": (shape([[0, 0], [20, 20], [40, 40]]), "not all on one line"),
    "three numbers": (shape([[0, 0, 0]] * 3), "no polygon"),
    "one polygon, not a list": (document([[0, 0], [40, 0], [40, 40]]), "no polygon"),
    "unknown key": (document({"polygon": []}), "neither a list of polygons"),
    "a number": (document(3), "neither a list of polygons"),
    "no polygon": (document([]), "holds no polygon"),
    "nulls": (document({"polygons": None}), "no polygon"),
    "no JSON": (text("m.json", "{"), "cannot be read as JSON"),
    "empty LabelMe": (lambda folder: labelme(folder / "m.json", []), "holds no shape"),
    "broken LabelMe": (document({"shapes": [{"label": "a"}]}), "no whole LabelMe"),
    "line in LabelMe": (
        document({"shapes": [{"label": "a", "points": [[0, 0], [40, 9], [9, 40]], "shape_type": "linestrip"}]}),
        "encloses nothing",
    ),
    "no XML": (text("m.xml", "<annotations>"), "cannot be read as XML"),
    "other XML": (text("m.xml", "<html/>"), "no CVAT for images"),
    "nothing drawn": (lambda folder: cvat(folder / "m.xml", [], []), "no CVAT for images with a shape"),
    "several": (
        lambda folder: cvat(folder / "m.xml", [("a", BOX)], [("a", HOLE)]),
        r"other shapes on 1\.png than on 0\.png",
    ),
    "black": (
        lambda folder: saved(folder / "m.png", np.zeros(SIZE, np.uint8)),
        r"m\.png': the region of interest holds no pixel",
    ),
    "opaque black": (
        lambda folder: saved(folder / "m.png", np.dstack([np.zeros((*SIZE, 3), np.uint8), np.full(SIZE, 255, "u1")])),
        "holds no pixel",
    ),
    "all cut out": (shape(corners(HOLE), ignore=[corners(BOX)]), "holds no pixel"),
    "narrow": (shape(corners((10, 10, 17, 50))), "spans only 7 x 40 pixels.*8 x 8"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_what_is_wrong_is_said(kind: str, tmp_path: Path) -> None:
    write, message = WRONG[kind]
    with pytest.raises(FlawsightError, match=message) as caught:
        read_region(write(tmp_path), SIZE)
    assert str(tmp_path) in str(caught.value)


def test_eight_pixels_are_enough(tmp_path: Path) -> None:
    box = (10, 10, 18, 18)
    assert read_region(shape(corners(box))(tmp_path), SIZE).box == (10, 10, 8, 8)


masks = st.tuples(st.integers(8, 40), st.integers(8, 40), st.integers(0, 2**32), st.floats(0.001, 1)).map(
    lambda one: np.random.default_rng(one[2]).random((one[0], one[1])) < one[3]
)


@given(masks)
def test_box_share_and_png_of_any_mask(mask: np.ndarray) -> None:
    inside = np.argwhere(mask)
    assume(len(inside) and (np.ptp(inside, axis=0) >= 7).all())
    region = RegionOfInterest(mask)
    (top, left), (bottom, right) = inside.min(0), inside.max(0)
    assert region.box == (left, top, right - left + 1, bottom - top + 1)
    assert region.share == len(inside) / mask.size
    again = RegionOfInterest.from_png(region.png())
    assert np.array_equal(again.mask, mask) and again.key == region.key and again.png() == region.png()


def test_the_key_knows_one_pixel_and_the_size() -> None:
    mask = np.ones((16, 24), bool)
    fewer = mask.copy()
    fewer[3, 5] = False
    keys = {RegionOfInterest(one).key for one in (mask, fewer, mask.T, mask.reshape(12, 32))}
    assert len(keys) == 4


def test_the_mask_is_a_copy_that_cannot_be_written() -> None:
    mask = np.ones((16, 24), bool)
    region = RegionOfInterest(mask)
    mask[:] = False
    assert region.share == 1.0
    with pytest.raises(ValueError, match="read-only"):
        region.mask[0, 0] = False


@pytest.mark.parametrize("mask", [np.ones((16, 16), np.uint8), np.ones((16, 16, 3), bool)])
def test_only_bool_masks_are_regions(mask: np.ndarray) -> None:
    with pytest.raises(FlawsightError, match="bool mask"):
        RegionOfInterest(mask)


@pytest.mark.parametrize("data", [b"", b"no picture", RegionOfInterest(np.ones((99, 99), bool)).png()[:40]])
def test_damaged_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(FlawsightError, match="no PNG, or cut short"):
        RegionOfInterest.from_png(data)


def test_pictures_of_another_size_are_refused() -> None:
    region = RegionOfInterest(np.ones((16, 24), bool))
    region.check((16, 24), "part.png")
    with pytest.raises(FlawsightError, match=r"part\.png is 20 x 16 pixels, but .* 24 x 16 pixels: give"):
        region.check((16, 20), "part.png")
    with pytest.raises(FlawsightError, match="turned"):
        region.check((24, 16), "part.png")


def test_pictures_of_12_megapixels_take_no_time(tmp_path: Path) -> None:
    size = (3000, 4000)
    drawn = cv2.circle(np.zeros(size, np.uint8), (2000, 1500), 1200, 255, -1)
    angles = np.linspace(0, 2 * np.pi, 500)
    points = np.stack([2000.5 + 1200 * np.cos(angles), 1500.5 + 1200 * np.sin(angles)], axis=1)
    files = [saved(tmp_path / "m.png", drawn), plain_json(tmp_path / "m.json", [points.tolist()])]
    for path in files:
        start = time.process_time()
        region = read_region(path, size)
        again = RegionOfInterest.from_png(region.png())
        assert again.key == region.key and again.box == region.box
        assert time.process_time() - start < 2
        assert region.share == pytest.approx(np.pi * 1200**2 / drawn.size, rel=1e-3)
