"""Fits through every view: the same answers wherever they run, pictures that count once, and regions that hold."""

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, Self

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.base import clone

import flawsight as fs
from flawsight.data import folds
from flawsight.detectors import Detector
from flawsight.features import Extractor
from flawsight.inference import MemberSpec
from flawsight.inspection import Inspector, Result
from flawsight.pipeline import learn
from flawsight.pipeline.calibrate import calibrate
from flawsight.pipeline.learn import cross_fit
from flawsight.scoring import MapCalibrator, fuse_members
from flawsight.selection.pictures import best_trial
from flawsight.settings import FitSettings
from flawsight.views import ImageCache, Inputs, Pictures, RegionOfInterest, View

SIZE = (80, 96)
OPTIONS: dict[str, Any] = {"device": "cpu", "false_alarm_rate": 0.1, "parameter": {"bank_size": 200}}
FIXED = {"fixed_layers": "blocks.2.1.add"}
WAYS: dict[str, dict[str, Any]] = {
    "whole": {"view": "whole", "image_size": 64, **FIXED},
    "tiles": {"view": "tiles", "image_size": 48, "mm_per_pixel": 0.1, **FIXED},
    "scaled": {"view": "tiles", "image_size": 48, "tile": 64, "overlap": 0.25, **FIXED},
    "region": {"view": "squash", "image_size": 64, "region": True, "mm_per_pixel": 2, **FIXED},
    "tiles in a region": {"view": "tiles", "image_size": 40, "region": True, **FIXED},
    "race": {"image_size": "48,64", "layers": "blocks.2.1.add", "defects": "scratch"},
}
CUT = [name for name in WAYS if "tiles" in name or name == "scaled"]
WITHIN = [name for name, way in WAYS.items() if "region" in way]
INSIDE = np.zeros(SIZE, bool)
INSIDE[30:78, 40:94] = True
INSIDE[30:40, 40:50] = False


@pytest.fixture(scope="module")
def region_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("region") / "mask.png"
    Image.fromarray(INSIDE.astype(np.uint8) * 255).save(path)
    return path


@pytest.fixture(scope="module")
def made(good_dir: Path, region_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable:
    """A fit with its bundle, each made once."""
    known: dict[str, tuple[fs.FitResult, Path]] = {}

    def fitted(name: str) -> tuple[fs.FitResult, Path]:
        if name not in known:
            out = tmp_path_factory.mktemp("bundle") / "b"
            way = {**WAYS[name], **({"region": region_file} if "region" in WAYS[name] else {})}
            known[name] = fs.run_fit(FitSettings.of({"good": good_dir, "out": out, **OPTIONS, **way})), out
        return known[name]

    return fitted


@pytest.fixture(scope="module")
def pictures(texture: Callable, spoiled: Callable) -> list[np.ndarray]:
    two = spoiled(3)
    two[36:42, 60:68] = 0
    return [texture(100), texture(101), spoiled(1), two, texture(102)]


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def same(one: Result, other: Result) -> bool:
    return (one.score, one.p_value, one.is_defective, one.regions) == (
        other.score, other.p_value, other.is_defective, other.regions,
    ) and np.array_equal(one.anomaly_map, other.anomaly_map)  # fmt: skip


def test_a_bundle_loaded_in_torch_is_bit_equal(made: Callable, way: str, pictures: list[np.ndarray]) -> None:
    result, folder = made(way)
    loaded = fs.load(folder, backend="torch", device="cpu")
    about = loaded.manifest.model_copy(update={"files": {}, "samples": None, "runtime": None})
    ours = result.inspector.manifest.model_copy(update={"files": {}, "samples": None, "runtime": None})
    assert about.model_dump(mode="json") == ours.model_dump(mode="json") and loaded.view == result.inspector.view
    for one, other in zip(result.inspector.inspect_many(pictures), loaded.inspect_many(pictures), strict=True):
        assert same(one, other)


def test_the_graph_gives_the_same_scores_verdicts_and_regions(
    made: Callable, way: str, pictures: list[np.ndarray]
) -> None:
    result, folder = made(way)
    graph = fs.load(folder, backend="onnxruntime")
    assert graph.backend.name == "onnxruntime" and graph.view == result.inspector.view
    verdicts = set()
    for one, other in zip(result.inspector.inspect_many(pictures), graph.inspect_many(pictures), strict=True):
        assert other.score == pytest.approx(one.score, abs=1e-3) and other.verdict == one.verdict
        assert np.allclose(one.anomaly_map, other.anomaly_map, atol=1e-3)
        assert [region.box for region in other.regions] == [region.box for region in one.regions]
        for ours, theirs in zip(one.regions, other.regions, strict=True):
            assert theirs.area_px == pytest.approx(ours.area_px, rel=0.03)
            assert theirs.peak == pytest.approx(ours.peak, abs=1e-3) and theirs.peak_at == ours.peak_at
        verdicts.add(one.verdict)
    assert verdicts == {"good", "defective"}


def test_an_image_is_defective_exactly_where_it_has_a_region(
    made: Callable, way: str, pictures: list[np.ndarray]
) -> None:
    inspector = made(way)[0].inspector
    for result in inspector.inspect_many(pictures):
        assert result.is_defective == (len(result.regions) > 0) == (result.score > inspector.threshold)
        assert result.anomaly_map.shape == SIZE
        peaks = [region.peak for region in result.regions]
        assert peaks == sorted(peaks, reverse=True) and all(peak > inspector.threshold for peak in peaks)
        if peaks:
            assert peaks[0] == result.score
        for region in result.regions:
            left, top, width, height = region.box
            assert 0 <= left < left + width <= SIZE[1] and 0 <= top < top + height <= SIZE[0]
            x, y = region.peak_at
            assert left <= x < left + width and top <= y < top + height
            mm = inspector.manifest.mm_per_pixel
            assert region.area_mm2 == (None if mm is None else pytest.approx(region.area_px * mm * mm))
            assert region.area_px <= width * height


def test_the_spot_is_found_where_it_is(made: Callable, way: str, spoiled: Callable) -> None:
    result = made(way)[0].inspector.inspect(spoiled(1))
    left, top, width, height = result.regions[0].box
    assert left < 84 and left + width > 74 and top < 64 and top + height > 56
    cell = 8 * max(SIZE) / made(way)[0].inspector.view.side  # of the layer that is read
    y, x = np.unravel_index(result.anomaly_map.argmax(), SIZE)
    assert abs(y - 60) <= 4 + cell and abs(x - 79) <= 5 + cell


def test_together_is_as_one_by_one(made: Callable, way: str, pictures: list[np.ndarray]) -> None:
    inspector = made(way)[0].inspector
    for image, together in zip(pictures, inspector.inspect_many(pictures), strict=True):
        alone = inspector.inspect(image)
        assert alone.score == pytest.approx(together.score, abs=1e-3)
        assert np.allclose(alone.anomaly_map, together.anomaly_map, atol=1e-3)


def test_pictures_count_once_in_the_calibration(made: Callable, way: str) -> None:
    result, _ = made(way)
    manifest = result.inspector.manifest
    assert len(manifest.calibration.scores) == manifest.data.images == 24
    assert manifest.operating_point.calibration_size == 24
    assert list(manifest.calibration.scores) == sorted(manifest.calibration.scores)
    # At most two of 24 and a new one are above.
    assert sum(score > manifest.operating_point.threshold for score in manifest.calibration.scores) <= 2


@pytest.mark.parametrize("name", CUT)
def test_a_picture_of_a_camera_that_sees_more_is_cut_into_more(made: Callable, name: str, texture: Callable) -> None:
    """Only a region is bound to one size."""
    inspector = made(name)[0].inspector
    large = texture(5, (160, 192))
    if inspector.region is None:
        assert inspector.inspect(large).anomaly_map.shape == (160, 192)
        assert inspector.frame(large).tiles > inspector.frame(texture(5)).tiles
    else:
        with pytest.raises(fs.FlawsightError, match=r"is 192 x 160 pixels, but the region of interest is for 96 x 80"):
            inspector.inspect(large)


def squares_alone(inspector: Inspector, image: np.ndarray) -> list[np.ndarray]:
    """The maps of the crops, each inspected by itself."""
    return [inspector.backend.predict([square])[0][0] for square in inspector.frame(image).cut(image)]


@pytest.mark.parametrize("backend", ["torch", "onnxruntime"])
def test_the_map_of_a_tile_is_that_of_the_crop_alone(made: Callable, backend: str, spoiled: Callable) -> None:
    inspector, image = fs.load(made("tiles")[1], backend=backend), spoiled(1)
    frame, found = inspector.frame(image), inspector.inspect(image).anomaly_map
    seen = np.zeros(SIZE, int)
    for y, x in frame.origins:
        seen[y : y + 48, x : x + 48] += 1
    assert frame.working == SIZE and frame.tiles == 6 and (seen == 1).sum() > 2000
    total = np.zeros(SIZE)
    for y, x in frame.origins:
        crop = image[y : y + 48, x : x + 48]
        values = inspector.backend.predict([crop])[0][0]
        alone = seen[y : y + 48, x : x + 48] == 1
        assert np.allclose(found[y : y + 48, x : x + 48][alone], values[alone], atol=1e-3)
        total[y : y + 48, x : x + 48] = np.maximum(total[y : y + 48, x : x + 48], values)
    assert (found <= total + 1e-3).all()


@pytest.mark.parametrize("name", WAYS)
def test_a_picture_is_as_bad_as_its_worst_inspected_place(made: Callable, name: str, pictures: list) -> None:
    inspector = made(name)[0].inspector
    for image in pictures:
        frame = inspector.frame(image)
        joined = frame.join(squares_alone(inspector, image))
        inside = np.ones(joined.shape, bool) if frame.inside is None else frame.inside
        assert inspector.inspect(image).score == pytest.approx(joined[inside].max(), abs=1e-3)


@pytest.mark.parametrize("name", WITHIN)
def test_what_lies_outside_the_region_changes_nothing(made: Callable, name: str, texture: Callable) -> None:
    inspector = made(name)[0].inspector
    outside = ~(cv2.dilate(INSIDE.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0)
    for seed in (100, 101):
        clean = texture(seed)
        noise = np.random.default_rng(0).integers(0, 256, clean.shape, np.uint8)
        dirty = np.where(outside[..., None], noise, clean)
        assert same(inspector.inspect(clean), inspector.inspect(dirty))
        assert not inspector.inspect(dirty).anomaly_map[outside].any()


@pytest.mark.parametrize("name", WITHIN)
def test_the_region_is_kept_and_said(made: Callable, name: str, pictures: list) -> None:
    result, folder = made(name)
    loaded = fs.load(folder, backend="onnxruntime")
    assert loaded.region is not None and np.array_equal(loaded.region.mask, INSIDE)
    assert np.array_equal(result.record.good.region.mask, INSIDE)
    for found in loaded.inspect_many(pictures):
        for region in found.regions:
            left, top, width, height = region.box
            assert INSIDE[top : top + height, left : left + width].any()
    with pytest.raises(fs.FlawsightError, match="region of interest is for 96 x 80"):
        loaded.inspect(np.zeros((60, 70, 3), np.uint8))


def test_a_race_takes_what_it_found_best(made: Callable) -> None:
    result, folder = made("race")
    views = result.record.views
    assert [one.view for one in views] == [View("squash", 48), View("squash", 64)]
    assert result.inspector.view == best_trial(views).view
    assert result.inspector.manifest.extractor.image_size == result.inspector.view.side
    assert {"choosing the view", "choosing layers"} <= set(result.record.timings)
    assert result.inspector.manifest.settings["image_size"] in ((48, 64), [48, 64])
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert all(one.view.text in page for one in views)


def test_small_defects_in_large_pictures_make_it_cut(tmp_path: Path, texture: Callable) -> None:
    """Of pictures four times as large as the network's input, those cut see defects of a few pixels."""
    (tmp_path / "good").mkdir()
    for seed in range(8):
        Image.fromarray(texture(seed, (150, 170))).save(tmp_path / "good" / f"{seed}.png")
    options = OPTIONS | {"image_size": 32, "layers": "blocks.1.0.bn3", "defects": "scratch"}
    result = fs.run_fit(FitSettings.of({"good": tmp_path / "good", "out": None, **options}))
    tried = [one.view.text for one in result.record.views]
    assert tried == ["squash at 32", "tiles of 64 pixels at 32", "tiles of 32 pixels at 32"]
    assert result.inspector.view == best_trial(result.record.views).view
    assert len(result.inspector.manifest.calibration.scores) == 8
    again = fs.run_fit(FitSettings.of({"good": tmp_path / "good", "out": None, **options}))
    assert again.inspector.manifest.calibration == result.inspector.manifest.calibration
    assert again.inspector.manifest.selection == result.inspector.manifest.selection


# What is learned and calibrated


@pytest.fixture(scope="module")
def cut(good_dir: Path) -> Inputs:
    """Eleven pictures of two sizes, cut into tiles."""
    paths = sorted(good_dir.iterdir())[:11]
    pictures = list(Pictures(paths))
    pictures[3] = np.ascontiguousarray(pictures[3][:60, :70])
    view = View("tiles", 48)
    return Inputs(pictures, [view.frame(picture.shape[:2]) for picture in pictures])


def spied(kind: type[Detector], calls: list[list[int]]) -> Detector:
    class Spy(kind):  # type: ignore[misc, valid-type]
        def leave_out(self, images: Collection[int]) -> Self:
            calls.append(sorted(map(int, images)))
            return super().leave_out(images)

    return Spy()


@pytest.mark.parametrize("how", ["all", "some", "copies"])
def test_tiles_of_a_picture_are_left_out_together(cut: Inputs, quick_detectors: dict, how: str) -> None:
    calls: list[list[int]] = []
    numbers = np.arange(len(cut)) if how == "all" else np.arange(len(cut))[::3]
    copies = [cut[int(number)] for number in numbers] * 2 if how == "copies" else None
    specs = [MemberSpec(("blocks.1.0.bn3",), spied(quick_detectors["distance"], calls))]
    network = Extractor(image_size=48, device="cpu")
    found = cross_fit(
        network, cut, specs, folds(11, 2, 5), learned_from=None if how == "all" else numbers, copies=copies
    )
    assert found.folds == 2 and len(found.held_out) == len(cut) and calls[0] == []
    source = np.resize(cut.picture_of[numbers], len(numbers) * (2 if copies else 1))
    for part, left in zip(folds(11, 2, 5), calls[1:], strict=True):
        assert left == np.flatnonzero(np.isin(source, part)).tolist()
        assert not set(source[left]) & set(np.delete(source, left))
    assert len(calls) == 3


def test_every_tile_is_judged_by_who_has_not_seen_its_picture(cut: Inputs, quick_detectors: dict) -> None:
    network, layer = Extractor(image_size=48, device="cpu"), "blocks.1.0.bn3"
    own = quick_detectors["distance"]()
    found = cross_fit(network, cut, [MemberSpec((layer,), own)], folds(11, 2, 5))
    features = network.extract(cut[:], [layer])[layer].clone()
    with torch.inference_mode():
        for part in folds(11, 2, 5):
            held = np.isin(cut.picture_of, part)
            detector = clone(own).fit([features[np.flatnonzero(~held)]])
            maps = detector.anomaly_maps([features[np.flatnonzero(held)]]).numpy()
            for number, expected in zip(np.flatnonzero(held), maps, strict=True):
                assert np.allclose(found.held_out[number][0].maps, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", ["distance", "scorer"])
def test_calibration_is_of_joined_maps_where_they_are_inspected(
    good_dir: Path, quick_detectors: dict, name: str
) -> None:
    paths = sorted(good_dir.iterdir())[:8]
    frame = View("tiles", 40).frame(SIZE, RegionOfInterest(INSIDE))
    inputs = Inputs(Pictures(paths), [frame] * 8)
    network = Extractor(image_size=40, device="cpu")
    specs = [MemberSpec(("blocks.1.0.bn3",), quick_detectors[name]())]
    learned = cross_fit(network, inputs, specs, folds(8, 2, 0))
    found = calibrate(learned.held_out, inputs, [1.0], 0.1)
    assert found.has_own_scores == (name == "scorer") and found.scores.shape == (8,)
    # Only what is inspected sets the scale.
    grid = learned.held_out[0][0].maps.shape
    values = [
        learned.held_out[number][0].maps[np.ones(grid, bool) if (cells := frame.cells(tile, grid)) is None else cells]
        for number, tile in enumerate(inputs.tile_of)
    ]
    assert found.members[0].maps == MapCalibrator.of(values)
    assert sum(map(len, values)) < len(inputs) * np.prod(grid)
    peaks, levels = [], []
    for picture in range(8):
        fused = [fuse_members(learned.held_out[number], found.members, 40) for number in inputs.of_picture(picture)]
        joined = frame.join([one for one, _ in fused])
        peaks.append(joined[frame.inside].max())
        levels.append(joined[frame.inside].mean())
        expected = max(score for _, score in fused) if name == "scorer" else peaks[-1]
        assert found.scores[picture] == pytest.approx(expected, rel=1e-6)
        if picture < 3:
            assert found.held_out_maps[picture].shape == (40, 40)
    assert found.operating_point.threshold in found.scores
    assert found.colour_scale.threshold == pytest.approx(max(peaks), rel=1e-6)
    assert found.colour_scale.low == pytest.approx(np.mean(levels), rel=1e-5)


def test_of_many_tiles_some_of_each_picture_are_learned_from(cut: Inputs, monkeypatch: pytest.MonkeyPatch) -> None:
    assert np.array_equal(learn._drawn(cut, 0), np.arange(len(cut)))
    for most, each in ((34, 3), (5, 1)):
        monkeypatch.setattr(learn, "MOST_TILES", most)
        drawn = learn._drawn(cut, 0)
        counts = np.bincount(cut.picture_of[drawn], minlength=11)
        assert counts.tolist() == [min(each, frame.tiles) for frame in cut.frames]
        assert np.array_equal(drawn, np.unique(drawn)) and np.array_equal(drawn, learn._drawn(cut, 0))
        assert not np.array_equal(drawn, learn._drawn(cut, 1))


def test_squares_of_overviews_are_the_networks_inputs(made: Callable, good_dir: Path) -> None:
    good = made("whole")[0].record.good
    assert not good.is_overview and len(good.inputs) == 24 and isinstance(good.images, ImageCache)
    frame = View("whole", 64).frame(SIZE)
    assert np.array_equal(good.inputs[5], next(frame.cut(np.array(Image.open(good.paths[5])))))
    assert good.seen(View("squash", 64), None).is_overview
    assert good.seen(View("squash", 64), None).input_key != good.input_key
