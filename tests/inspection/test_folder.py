"""What an inspection leaves behind: one row and one heat map for each image, comparable between images."""

import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools.coco import COCO

from flawsight.core import FlawsightError
from flawsight.inspection import Inspector, Result, folder, inspect_to_folder
from flawsight.report import overlay


def save(path: Path, image: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)
    return path


def read(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path))


def image_size(path: Path) -> tuple[int, int]:
    return read(path).shape[:2]


def table(out: Path) -> list[dict[str, str]]:
    with (out / "results.csv").open(newline="") as file:
        reader = csv.DictReader(file)
        rows = list(reader)
    assert reader.fieldnames == ["path", "score", "p_value", "verdict", "reason", "regions"]
    return rows


def test_rows_and_heat_maps(fitted: Inspector, texture: Callable, spoiled: Callable, tmp_path: Path) -> None:
    save(tmp_path / "in" / "good.png", texture(100))
    save(tmp_path / "in" / "deep" / "bad.png", spoiled(1))
    rows = inspect_to_folder(fitted, [tmp_path / "in"], tmp_path / "out")
    written = table(tmp_path / "out")
    assert [row["path"] for row in written] == [row.path for row in rows]
    for row, line in zip(rows, written, strict=True):
        result = fitted.inspect(row.path)
        assert float(line["score"]) == row.score == pytest.approx(result.score, rel=1e-5)
        assert float(line["p_value"]) == row.p_value == result.p_value
        assert line["verdict"] == row.verdict == result.verdict and line["reason"] == ""
        assert int(line["regions"]) == len(row.regions) == len(result.regions)
        assert row.size == image_size(Path(row.path))
        image = read(Path(row.path))
        picture = read(tmp_path / "out" / "heatmaps" / f"{Path(row.path).stem}.png")
        assert picture.shape == image.shape
        expected = overlay(image, result.anomaly_map, fitted.manifest.colour_scale)
        assert np.abs(picture.astype(int) - expected).max() <= 3
    drawn = read(tmp_path / "out" / "heatmaps" / "bad.png").astype(int) - read(tmp_path / "in" / "deep" / "bad.png")
    change = np.abs(drawn).sum(2)
    row, column = np.argwhere(change > 0.8 * change.max()).mean(0)
    assert abs(row - 60) < 12 and abs(column - 79) < 12


def test_what_cannot_be_read_gets_a_row_and_stops_nobody(fitted: Inspector, texture: Callable, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    whole = save(folder / "a_good.png", texture(100))
    (folder / "b_text.png").write_text("no picture")
    (folder / "c_empty.jpg").touch()
    (folder / "d_cut.png").write_bytes(whole.read_bytes()[:2000])
    save(folder / "e_dot.png", np.zeros((1, 1, 3), np.uint8))
    save(folder / "f_big.png", texture(1, (100, 101)))
    for number in range(9):
        save(folder / f"g{number}.png", texture(101 + number))
    rows = inspect_to_folder(fitted, [folder, tmp_path / "missing.png"], tmp_path / "out", max_pixels=10_000)
    verdicts = {Path(row.path).stem: row.verdict for row in rows}
    errors = {"b_text", "c_empty", "d_cut", "e_dot", "f_big", "missing"}
    assert len(rows) == 16 and {stem for stem, verdict in verdicts.items() if verdict == "error"} == errors
    for line in table(tmp_path / "out"):
        stem = Path(line["path"]).stem
        assert (tmp_path / "out" / "heatmaps" / f"{stem}.png").exists() == (stem not in errors)
        if stem in errors:
            assert (
                line["score"] == line["p_value"] == line["regions"] == ""
                and stem in line["reason"]
                and ";" in line["reason"] + ";"
            )
    alone = fitted.inspect(folder / "g5.png")
    by_path = {row.path: row for row in rows}
    assert by_path[str(folder / "g5.png")].score == pytest.approx(alone.score, rel=1e-5)


def test_only_bad_images(fitted: Inspector, tmp_path: Path) -> None:
    (tmp_path / "x.png").write_text("no picture")
    assert [row.verdict for row in inspect_to_folder(fitted, [tmp_path / "x.png"], tmp_path / "out")] == ["error"]


class Stub:
    """An inspector whose map is what the image's first channel says, so that colours can be foretold."""

    at_once = 3
    read = Inspector.read

    def frame(self, image: np.ndarray, name: object) -> None:
        """Whatever is given fits."""

    def __init__(self, real: Inspector) -> None:
        data = real.manifest.data.model_copy(update={"pixels": None})  # so that pictures of any kind are read
        self.manifest = real.manifest.model_copy(update={"data": data})

    def inspect_many(self, images: list[np.ndarray]) -> Iterator[Result]:
        info = self.manifest.colour_scale
        for image in images:
            heat = (info.low + image[..., 0] / 100 * (info.threshold - info.low)).astype(np.float32)
            yield Result(float(heat.max()), 0.5, False, heat)


@pytest.fixture
def stub(fitted: Inspector) -> Inspector:
    return Stub(fitted)  # type: ignore[return-value]


def test_equal_values_have_equal_colours_in_all_images(stub: Inspector, tmp_path: Path) -> None:
    values = np.zeros((3, 40, 60, 3), np.uint8)
    values[:, 5:15, 5:15] = 90
    values[1, 20:35, 30:50] = 230
    values[2, 20:35, 30:50] = 120
    for number, image in enumerate(values):
        save(tmp_path / "in" / f"{number}.png", image)
    inspect_to_folder(stub, [tmp_path / "in"], tmp_path / "out")
    pictures = [read(tmp_path / "out" / "heatmaps" / f"{number}.png") for number in range(3)]
    for picture in pictures:
        assert np.array_equal(picture[8, 8], pictures[0][8, 8])
        assert np.array_equal(picture[0, 0], values[0, 0, 0])
    assert not np.array_equal(pictures[1][27, 40], pictures[2][27, 40])
    # Red, green and blue are not mixed up: far above the threshold it is red.
    red, _, blue = pictures[1][27, 40].astype(int)
    assert red > 150 > blue


@pytest.mark.parametrize(
    "names",
    [
        ["a/x.png", "b/x.png", "c/y.png"],
        ["x.png", "x.jpg", "x.bmp"],
        ["a/x.png", "a/x.jpg", "b/x.png", "b_x.png"],
        ["a/b_x.png", "a_b/x.png", "a/b/x.png"],
        ["x.png", "x_0.png", "x.jpg", "x_1.png"],
    ],
)
def test_names_that_repeat_have_heat_maps_of_their_own(stub: Inspector, tmp_path: Path, names: list[str]) -> None:
    for place, name in enumerate(names):
        save(tmp_path / "in" / name, np.full((20 + place, 30, 3), 10, np.uint8))
    rows = inspect_to_folder(stub, [tmp_path / "in"], tmp_path / "out")
    assert len(rows) == len(names)
    heights = {len(read(path)) for path in (tmp_path / "out" / "heatmaps").iterdir()}
    assert heights == {20 + place for place in range(len(names))}


def test_heat_maps_stay_in_their_folder(stub: Inspector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two paths that differ in length only are told apart without leaving the folder."""
    from flawsight.inspection.names import heatmap_paths

    heatmaps = tmp_path / "heatmaps"
    for pair in (
        [Path("/d/a.png"), Path("/x/d/a.png")],
        [Path("/d/a.png"), Path("d/a.png")],
        [Path("../d/a.png"), Path("d/a.png")],
    ):
        found = heatmap_paths(pair, heatmaps)
        assert len(set(found.values())) == 2
        assert all(path.parent == heatmaps for path in found.values())


def test_an_image_named_twice_is_inspected_once(stub: Inspector, tmp_path: Path) -> None:
    path = save(tmp_path / "in" / "x.png", np.zeros((20, 20, 3), np.uint8))
    assert len(inspect_to_folder(stub, [tmp_path / "in", path, path], tmp_path / "out")) == 1


def test_names_beyond_ascii_and_commas(stub: Inspector, tmp_path: Path) -> None:
    path = save(tmp_path / "in" / 'Gerät, "7".png', np.zeros((20, 20, 3), np.uint8))
    inspect_to_folder(stub, [path], tmp_path / "out")
    assert table(tmp_path / "out")[0]["path"] == str(path)
    assert (tmp_path / "out" / "heatmaps" / "Gerät, _7_.png").exists()  # as every file system takes it


def test_output_that_cannot_be_written(stub: Inspector, tmp_path: Path) -> None:
    path = save(tmp_path / "x.png", np.zeros((20, 20, 3), np.uint8))
    with pytest.raises(FlawsightError, match="cannot write"):
        inspect_to_folder(stub, [path], path)
    (tmp_path / "out" / "heatmaps" / "x.png").mkdir(parents=True)
    with pytest.raises(FlawsightError, match=r"cannot write .*x\.png"):
        inspect_to_folder(stub, [path], tmp_path / "out")
    assert not (tmp_path / "out" / "results.csv").exists()


def test_an_empty_folder_is_refused(stub: Inspector, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    with pytest.raises(FlawsightError, match="no image"):
        inspect_to_folder(stub, [tmp_path / "in"], tmp_path / "out")


def test_regions_json_is_coco_of_what_was_inspected(
    fitted: Inspector, texture: Callable, spoiled: Callable, tmp_path: Path
) -> None:
    """Of several pictures in the order of the table, those without a region, too; an unreadable one has no entry."""
    save(tmp_path / "in" / "a_bad.png", spoiled(1, (120, 144)))
    (tmp_path / "in" / "b_text.png").write_text("no picture")
    save(tmp_path / "in" / "c_good.png", texture(100))
    save(tmp_path / "in" / "d_bad.png", spoiled(2))
    inspector = fitted.with_mm_per_pixel(0.5)
    rows = inspect_to_folder(inspector, [tmp_path / "in"], tmp_path / "out")
    document = json.loads((tmp_path / "out" / "regions.json").read_text(encoding="utf-8"))
    inspected = [row for row in rows if row.verdict != "error"]
    assert [(one["file_name"], one["height"], one["width"]) for one in document["images"]] == [
        (row.path, *image_size(Path(row.path))) for row in inspected
    ]
    assert {Path(one["file_name"]).stem for one in document["images"]} == {"a_bad", "c_good", "d_bad"}
    names = {one["id"]: one["file_name"] for one in document["images"]}
    for row in inspected:
        found = [one for one in document["annotations"] if names[one["image_id"]] == row.path]
        assert len(found) == len(row.regions) and (len(found) > 0) == (row.verdict == "defective")
        for one, region in zip(found, row.regions, strict=True):
            assert tuple(one["bbox"]) == region.box and one["score"] == region.peak
            assert one["area"] == region.area_px and one["area_mm2"] == pytest.approx(region.area_px / 4)
    assert fitted.inspect(rows[0].path).regions[0].area_mm2 is None
    coco = COCO(str(tmp_path / "out" / "regions.json"))
    for one in coco.anns.values():
        left, top, width, height = one["bbox"]
        mask = coco.annToMask(one)
        rows_, columns = np.nonzero(mask)
        assert left <= columns.min() and columns.max() < left + width
        assert top <= rows_.min() and rows_.max() < top + height


def test_where_the_table_cannot_be_written_no_regions_are_left(
    stub: Inspector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save(tmp_path / "x.png", np.zeros((20, 20, 3), np.uint8))
    inspect_to_folder(stub, [path], tmp_path / "out")
    assert {one.name for one in (tmp_path / "out").glob("[!.]*")} == {"results.csv", "regions.json", "heatmaps"}

    def full(*_: object) -> None:
        raise FlawsightError("cannot write")

    monkeypatch.setattr(folder, "_write_table", full)
    with pytest.raises(FlawsightError, match="cannot write"):
        inspect_to_folder(stub, [path], tmp_path / "out")
    assert {one.name for one in (tmp_path / "out").glob("[!.]*")} == {"heatmaps"}
