"""From good images to an inspector: what it promises of maps, scores, p-values and its working point."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.base import clone

import flawsight as fs
from flawsight.core import FlawsightError
from flawsight.data import augmented, folds, read_image
from flawsight.detectors import PatchCore
from flawsight.features import Extractor
from flawsight.inference.feature_pass import RawPrediction
from flawsight.inspection import Inspector
from flawsight.pipeline.learn import EXAMPLES, Share, fit_members, fuse_members
from flawsight.scoring.calibration import MapCalibrator
from flawsight.views.cache import ImageCache

PAIR = ("blocks.1.0.bn3", "blocks.3.0.bn3")


@pytest.fixture(scope="module")
def new_good(texture: Callable) -> list[np.ndarray]:
    return [texture(seed) for seed in range(100, 108)]


def test_a_loaded_bundle_says_the_same(fitted: Inspector, bundle: Path, new_good: list, spoiled: Callable) -> None:
    loaded = fs.load(bundle, device="cpu")
    images = [*new_good, spoiled(1), spoiled(2, (200, 90))]
    for one, other in zip(fitted.inspect_many(images), loaded.inspect_many(images), strict=True):
        assert one.score == other.score and one.p_value == other.p_value
        assert np.array_equal(one.anomaly_map, other.anomaly_map)
    assert loaded.layers == fitted.layers and loaded.threshold == fitted.threshold
    assert loaded.fitting is None


def test_two_fits_with_one_seed_are_one(
    fitted: Inspector, bundle: Path, good_dir: Path, fit_options: dict, tmp_path: Path, new_good: list
) -> None:
    again = fs.fit(good_dir, tmp_path / "again", **fit_options)
    assert again.layers == fitted.layers
    assert again.threshold == fitted.threshold
    assert [r.score for r in again.inspect_many(new_good)] == [r.score for r in fitted.inspect_many(new_good)]
    first, second = (json.loads((folder / "inspector.json").read_text()) for folder in (bundle, tmp_path / "again"))
    assert first == second
    assert not (tmp_path / "again" / ".search").exists()


def test_a_few_held_out_maps_are_kept(fitted: Inspector) -> None:
    maps = fitted.fitting.held_out_maps
    scores = fitted.manifest.operating_point.calibration_scores
    assert len(maps) == EXAMPLES
    assert all(float(one.max()) in scores for one in maps)


def test_another_seed_calibrates_on_other_folds(fitted: Inspector, good_dir: Path, fit_options: dict) -> None:
    other = fs.fit(good_dir, **fit_options, seed=1, fixed_layers=fitted.layers)
    assert other.manifest.operating_point.calibration_scores != fitted.manifest.operating_point.calibration_scores


@pytest.mark.parametrize("size", [(80, 96), (200, 90), (64, 64), (70, 333)])
def test_the_map_has_the_size_of_the_image(fitted: Inspector, spoiled: Callable, size: tuple[int, int]) -> None:
    image = spoiled(7, size)
    result = fitted.inspect(image)
    assert result.anomaly_map.shape == size
    assert result.anomaly_map.dtype == np.float32
    assert np.isfinite(result.anomaly_map).all()


@pytest.mark.parametrize(("row", "column"), [(15, 250), (60, 30), (20, 120)])
def test_a_defect_is_hottest_where_it_is(fitted: Inspector, texture: Callable, row: int, column: int) -> None:
    image = np.kron(texture(3, (80, 96)), np.ones((1, 3, 1), np.uint8))
    image[row - 5 : row + 5, column - 15 : column + 15] = 255
    result = fitted.inspect(image)
    found_row, found_column = np.unravel_index(result.anomaly_map.argmax(), image.shape[:2])
    assert abs(found_row - row) <= 10 and abs(found_column - column) <= 30
    assert result.is_defective and result.verdict == "defective"


def test_defective_iff_the_p_value_is_within_the_rate(fitted: Inspector, new_good: list, spoiled: Callable) -> None:
    point = fitted.manifest.operating_point
    calibration = np.array(point.calibration_scores)
    results = list(fitted.inspect_many([*new_good, *(spoiled(seed) for seed in range(4))]))
    assert {result.is_defective for result in results} == {True, False}
    for result in results:
        assert result.p_value == (1 + np.sum(calibration >= result.score)) / (len(calibration) + 1)
        assert result.is_defective == (result.p_value <= point.rate) == (result.score > point.threshold)


def test_a_score_at_the_threshold_is_good(fitted: Inspector, spoiled: Callable) -> None:
    score = fitted.inspect(spoiled(1)).score
    for threshold, verdict in ((score, "good"), (np.nextafter(score, 0), "defective")):
        point = fitted.manifest.operating_point.model_copy(update={"threshold": threshold})
        manifest = fitted.manifest.model_copy(update={"working_point": point})
        assert Inspector(fitted.extractor, fitted.members, manifest).inspect(spoiled(1)).verdict == verdict


def test_the_working_point_of_24_good_images(fitted: Inspector) -> None:
    point = fitted.manifest.operating_point
    assert len(point.calibration_scores) == 24 and point.folds == 5
    assert point.requested_rate == 0.1 and point.rate == pytest.approx(2 / 25) and point.needed_images == 9
    # p <= 2/25 needs at most one calibration score at or above: the threshold is the second largest.
    assert point.threshold == sorted(point.calibration_scores)[-2]


def test_too_few_images_for_the_rate_are_said_so(good_dir: Path, fit_options: dict) -> None:
    inspector = fs.fit(good_dir, **(fit_options | {"false_alarm_rate": 0.01}), fixed_layers=[PAIR])
    point = inspector.manifest.operating_point
    assert point.rate == pytest.approx(1 / 25) and point.rate > point.requested_rate
    assert point.needed_images == 99
    assert point.threshold == max(point.calibration_scores)


def test_calibration_scores_are_truly_held_out(network: Extractor, good_dir: Path) -> None:
    images = ImageCache(sorted(good_dir.iterdir())[:11], 64)
    # A bank of everything: greedy k-center may choose otherwise where batches round differently.
    prototype = PatchCore(bank_size=100_000, max_descriptors=None)
    prototype.folds = 3  # type: ignore[misc]
    sets = {("blocks.1.0.bn3",): 0.25, ("blocks.3.0.conv_pw", "blocks.3.0.bn3"): 0.75}
    shares = [Share(names, prototype, weight) for names, weight in sets.items()]
    found = fit_members(network, images, shares, seed=5)
    assert found.folds == 3
    pictures = images[:]
    maps: dict[tuple[str, ...], list] = {names: [None] * len(pictures) for names in sets}
    with torch.inference_mode():
        for part in folds(len(pictures), 3, 5):
            rest = [image for place, image in enumerate(pictures) if place not in set(part)]
            for names in sets:
                seen = network.extract(rest, names)
                detector = clone(prototype).fit([seen[name] for name in names])
                for place in part:
                    one = network.extract([pictures[place]], names)
                    maps[names][place] = detector.anomaly_maps([one[name] for name in names])[0].numpy()
    for member, names in zip(found.members, sets, strict=True):
        surprise = MapCalibrator.of(maps[names])
        assert np.allclose(member.surprise.knots, surprise.knots, rtol=1e-3)
        assert member.layers == names and member.weight == sets[names]
    judged = [
        fuse_members([RawPrediction(maps[names][place], None) for names in sets], found.members, 64)
        for place in range(len(pictures))
    ]
    squares = [square for square, _ in judged]
    assert [score for _, score in judged] == [square.max() for square in squares]
    # With so few pixels neighbouring knots can be equal, and rounding then moves a value by a knot or two.
    assert np.allclose(found.held_out_scores, [square.max() for square in squares], atol=0.2)
    assert np.array_equal(found.held_out_scores, found.held_out_peaks)
    assert found.held_out_level == pytest.approx(np.mean(squares), rel=1e-2)
    assert len(found.held_out_maps) == EXAMPLES
    assert [one.max() for one in found.held_out_maps] == found.held_out_scores[:EXAMPLES].tolist()
    for one, square in zip(found.held_out_maps, squares, strict=False):
        assert one.shape == (64, 64) and np.allclose(one, square, atol=0.2)
    # The final detectors have seen every image, so those images surprise them less.
    with torch.inference_mode():
        final = [
            m.detector.anomaly_maps([network.extract(pictures, m.layers)[n] for n in m.layers]) for m in found.members
        ]
    seen = [
        fuse_members([RawPrediction(f[i].numpy(), None) for f in final], found.members, 64)
        for i in range(len(pictures))
    ]
    assert np.mean([score for _, score in seen]) < np.mean(found.held_out_scores)


def test_fixed_layers_skip_the_search_and_may_be_read_together(
    good_dir: Path, fit_options: dict, tmp_path: Path, spoiled: Callable
) -> None:
    options = fit_options | {"image_size": 96}
    inspector = fs.fit(good_dir, tmp_path / "b", **options, fixed_layers=[PAIR, ["blocks.3.0.bn2"]])
    assert inspector.layers == (PAIR, ("blocks.3.0.bn2",))
    assert [member.weight for member in inspector.members] == [0.5, 0.5]
    assert inspector.manifest.selection is None
    loaded = fs.load(tmp_path / "b", device="cpu")
    one, other = (each.inspect(spoiled(1)) for each in (inspector, loaded))
    assert one.score == other.score and np.array_equal(one.anomaly_map, other.anomaly_map)


@pytest.mark.parametrize("parameters", [{"embed_dim": 32}, {"projection_dim": 16, "squared": True, "neighbours": 3}])
def test_detector_parameters_travel_with_the_bundle(
    good_dir: Path, fit_options: dict, tmp_path: Path, spoiled: Callable, parameters: dict
) -> None:
    options = fit_options | {"fixed_layers": [PAIR], "detector_parameters": {"bank_size": 60, **parameters}}
    inspector = fs.fit(good_dir, tmp_path / "b", **options)
    loaded = fs.load(tmp_path / "b", device="cpu")
    assert loaded.members[0].detector.get_params() == inspector.members[0].detector.get_params()
    assert loaded.inspect(spoiled(1)).score == inspector.inspect(spoiled(1)).score


def test_a_list_of_files_of_mixed_sizes_and_modes(fit_options: dict, tmp_path: Path, texture: Callable) -> None:
    paths = []
    for place, size in enumerate([(80, 96), (120, 64), (64, 200)] * 3):
        image = Image.fromarray(texture(place, size))
        path = tmp_path / f"{place}.{('png', 'jpg', 'bmp')[place % 3]}"
        (image.convert("L") if place == 4 else image).save(path)
        paths.append(path)
    inspector = fs.fit(paths, **fit_options, defects="simple")
    assert inspector.manifest.data.images == 9
    # What is asked of a file is asked of its pixels.
    assert inspector.inspect(paths[1]).score == inspector.inspect(read_image(paths[1])).score
    assert inspector.inspect(str(paths[2])).anomaly_map.shape == (64, 200)


def test_batches_do_not_change_a_result(fitted: Inspector, new_good: list, spoiled: Callable) -> None:
    images = [*new_good, *(spoiled(seed, (90 + seed, 100)) for seed in range(3))]
    together = list(fitted.inspect_many(images))
    for image, result in zip(images, together, strict=True):
        alone = fitted.inspect(image)
        assert alone.score == pytest.approx(result.score, rel=1e-4)
        assert np.allclose(alone.anomaly_map, result.anomaly_map, rtol=1e-3, atol=1e-3)
    assert list(fitted.inspect_many([])) == []


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((64, 64), np.uint8),
        np.zeros((64, 64, 4), np.uint8),
        np.zeros((64, 64, 3)),
        np.zeros((0, 5, 3), np.uint8),
    ],
    ids=["grey", "rgba", "float", "empty"],
)
def test_what_is_no_picture_is_refused(fitted: Inspector, image: np.ndarray) -> None:
    with pytest.raises(fs.FlawsightError, match="uint8"):
        fitted.inspect(image)


def few(good_dir: Path, count: int) -> list[Path]:
    return sorted(good_dir.iterdir())[:count]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"false_alarm_rate": 0}, "between 0 and 1"),
        ({"false_alarm_rate": 1.0}, "between 0 and 1"),
        ({"false_alarm_rate": float("nan")}, "between 0 and 1"),
        ({"fuse": 0}, "fuse 0"),
        ({"detector": "patchcoar"}, "patchcore"),
        ({"detector_parameters": {"bank": 3}}, "no parameter 'bank': patchcore has"),
        ({"fixed_layers": [["blocks.3.0.bnn3"]]}, r"blocks\.3\.0\.bn3"),
        ({"fixed_layers": []}, "fixed_layers"),
        ({"detector": "patchcore,gaussian", "fixed_layers": [PAIR]}, "cannot be compared"),
        ({"detector": "patchcore,autoencoder"}, "cannot be compared"),
        ({"detector": "autoencoder", "fixed_layers": [PAIR]}, "reads pictures, not layers"),
        ({"fixed_layers": [["picture"]]}, "no layer matches 'picture'"),
        ({"detector_parameters": {"gaussian.ridge": 3}}, r"gaussian\.ridge"),
        ({"budget": 0}, "budget 0 must be"),
        ({"budget": -1.0}, "minutes above 0"),
        ({"budget": 1.0, "search": "exhaustive"}, "leave the budget out"),
        ({"extractor": "tf_eficientnet_lite0"}, "tf_efficientnet_lite0"),
        ({"weights": "nowhere.pth"}, r"nowhere\.pth"),
        ({"image_size": 16}, "32 or more"),
        ({"device": "cuda:99"}, "cuda:99"),
    ],
)
def test_bad_options(good_dir: Path, fit_options: dict, options: dict, message: str) -> None:
    with pytest.raises(fs.FlawsightError, match=message):
        fs.fit(good_dir, **(fit_options | options))


def test_fewer_than_8_images(good_dir: Path, fit_options: dict) -> None:
    with pytest.raises(fs.FlawsightError, match=r"7 good images.*at least 8"):
        fs.fit(few(good_dir, 7), **fit_options)
    assert fs.fit(few(good_dir, 8), **fit_options, defects="simple").manifest.data.images == 8


def test_a_bad_image_is_named_before_long_work_begins(good_dir: Path, fit_options: dict, tmp_path: Path) -> None:
    bad = tmp_path / "broken.png"
    bad.write_bytes(few(good_dir, 1)[0].read_bytes()[:900])
    with pytest.raises(fs.FlawsightError, match=r"broken\.png"):
        fs.fit([*few(good_dir, 9), bad], tmp_path / "out", **fit_options)
    assert not list((tmp_path / "out").glob("*.json"))


def test_changed_copies_are_learned_from_and_leave_with_their_fold(network: Extractor, good_dir: Path) -> None:
    images = ImageCache(sorted(good_dir.iterdir())[:10], 64)
    layers = ("blocks.3.0.bn3",)
    shares = [Share(layers, PatchCore(bank_size=100_000, max_descriptors=None), 1.0)]
    plain = fit_members(network, images, shares, seed=5)
    same = fit_members(network, images, shares, seed=5, copies=images[:] * 2)
    # A copy equal to its image adds nothing: and would give it away if it stayed while its image is held out.
    assert np.allclose(same.held_out_scores, plain.held_out_scores, atol=0.05)
    changed = fit_members(network, images, shares, seed=5, copies=augmented(images, 2, seed=1))
    assert len(changed.members[0].detector.bank_) > len(plain.members[0].detector.bank_)
    assert not np.allclose(changed.held_out_scores, plain.held_out_scores, atol=0.05)


def test_augmentation_is_recorded_and_checked(good_dir: Path, fit_options: dict) -> None:
    options = fit_options | {"fixed_layers": [["blocks.3.0.bn3"]]}
    data = fs.fit(good_dir, **options, augment=2, safe=["noise", "blur"]).manifest.data
    assert (data.augment, data.safe) == (2, ["blur", "noise"]) and (data.defects, data.material) == ([], "")
    for wrong in ({"augment": -1}, {"augment": 1, "safe": ["nonsense"]}):
        with pytest.raises(FlawsightError, match="augment"):
            fs.fit(good_dir, **options, **wrong)
