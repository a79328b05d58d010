"""Inspectors of detectors that score images in their own way, alone and beside others that do not."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from sklearn.base import clone

import flawsight as fs
from flawsight.data import folds
from flawsight.detectors import Detector
from flawsight.features import Extractor
from flawsight.inference import MemberSpec
from flawsight.inspection import Inspector
from flawsight.pipeline import FitRecord
from flawsight.pipeline.calibrate import Calibration, calibrate
from flawsight.pipeline.learn import CrossFit, cross_fit
from flawsight.scoring import fuse_members
from flawsight.settings import FitSettings
from flawsight.views import ImageCache, Inputs, View

SIDE, SEED = 64, 0
LAYERS = (("blocks.1.0.bn3",), ("blocks.3.0.bn1",))
WEIGHTS = (0.3, 0.7)
KNOTS = np.linspace(0, -np.log(0.005), 64)


def surprise_of(good: list[np.ndarray]) -> Callable[[np.ndarray], np.ndarray]:
    """The scale of maps, from their sorted values."""
    values = np.sort(np.concatenate([one.ravel() for one in good]))
    knots = values[((1 - np.exp(-KNOTS)) * (values.size - 1)).astype(int)].astype(float)
    beyond = values[values > knots[-1]] - knots[-1]
    tail = beyond.mean(dtype=float) if beyond.size else abs(knots[-1])
    return lambda grid: (np.interp(grid, knots, KNOTS) + np.maximum(grid - knots[-1], 0) / tail).astype(np.float32)


def square(grid: np.ndarray) -> np.ndarray:
    large = cv2.resize(grid, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
    return cv2.GaussianBlur(large, (0, 0), 4 * SIDE / 256, borderType=cv2.BORDER_REFLECT)


Seen = tuple[np.ndarray, float | None]
"""What one member finds in an image: its grid map, and its own score if it has one."""


class ByHand:
    """Everything that calibration promises, recomputed for members of one layer each."""

    def __init__(self, network: Extractor, images: list[np.ndarray], shares: list[MemberSpec], seed: int) -> None:
        self.network, self.shares = network, shares
        self.features = self.read(images)
        held_out: dict[int, list[Seen]] = {}
        for part in folds(len(images), 2, seed):
            rest = [place for place in range(len(images)) if place not in set(part)]
            detectors = [clone(one.detector).fit([self.features[one.layers[0]][rest]]) for one in shares]
            held_out |= {place: self.look(detectors, self.features, place) for place in part}
        self.held_out = [held_out[place] for place in range(len(images))]
        by_member = list(zip(*self.held_out, strict=True))
        self.surprises = [surprise_of([grid for grid, _ in several]) for several in by_member]
        own = [[self.own(number, *one) for one in several] for number, several in enumerate(by_member)]
        self.scales = [(np.mean(values), np.std(values)) for values in own]

    def read(self, images: list[np.ndarray]) -> dict[str, torch.Tensor]:
        found = self.network.extract(images, [share.layers[0] for share in self.shares])
        return {name: values.clone() for name, values in found.items()}

    def look(self, detectors: Sequence[Detector], features: dict[str, torch.Tensor], place: int) -> list[Seen]:
        found: list[Seen] = []
        for share, detector in zip(self.shares, detectors, strict=True):
            one = [features[share.layers[0]][place : place + 1]]
            score = float(detector.image_scores(one)[0]) if detector.tags.image_score else None
            found.append((detector.anomaly_maps(one)[0].numpy(), score))
        return found

    def own(self, number: int, grid: np.ndarray, score: float | None) -> float:
        return float(square(self.surprises[number](grid)).max()) if score is None else score

    def score(self, found: list[Seen]) -> float:
        """The weighted mean of standardised scores."""
        parts = [
            share.weight * (self.own(number, *one) - self.scales[number][0]) / self.scales[number][1]
            for number, (share, one) in enumerate(zip(self.shares, found, strict=True))
        ]
        return float(np.sum(parts))

    def map(self, found: list[Seen]) -> np.ndarray:
        parts = [
            share.weight * square(surprise(grid))
            for share, surprise, (grid, _) in zip(self.shares, self.surprises, found, strict=True)
        ]
        return np.sum(parts, axis=0)


def folded(count: int, shares: Sequence[MemberSpec], seed: int) -> list[np.ndarray]:
    return folds(count, min(one.detector.tags.cv_folds for one in shares), seed)


def squashed(images: Sequence[np.ndarray]) -> Inputs:
    return Inputs(images, [View("squash", SIDE).frame((SIDE, SIDE))] * len(images))


def calibrated(found: CrossFit, inputs: Inputs, rate: float = 0.1) -> tuple[Calibration, np.ndarray, float]:
    """The calibration, the maxima of held-out images' maps, and the mean of these maps."""
    whole = calibrate(found.held_out, inputs, [member.weight for member in found.members], rate)
    maps = [fuse_members(one, whole.members, SIDE)[0] for one in found.held_out]
    return whole, np.array([one.max() for one in maps]), float(np.array([one.mean() for one in maps], float).mean())


@pytest.mark.parametrize(
    "names", [("scorer", "scorer"), ("scorer", "distance"), ("distance", "scorer"), ("one_value", "distance")]
)
def test_calibration_against_a_recomputation(
    network: Extractor, good_dir: Path, quick_detectors: dict, names: tuple[str, str]
) -> None:
    images = ImageCache(sorted(good_dir.iterdir())[:13], SIDE)[:]
    detectors = [quick_detectors[name]() for name in names]
    shares = [MemberSpec(*one) for one in zip(LAYERS, detectors, WEIGHTS, strict=True)]
    inputs = squashed(images)
    fitted = cross_fit(network, inputs, shares, folded(13, shares, 5))
    found, peaks, level = calibrated(fitted, inputs)
    assert found.has_own_scores
    hand = ByHand(network, images, shares, seed=5)
    for member, (mean, deviation) in zip(found.members, hand.scales, strict=True):
        assert member.scores.mean == pytest.approx(mean, rel=1e-3)
        assert member.scores.deviation == pytest.approx(deviation, rel=0.02)
    scores = np.array([hand.score(one) for one in hand.held_out])
    maps = [hand.map(one) for one in hand.held_out]
    assert np.allclose(found.scores, scores, atol=0.03)
    assert np.allclose(peaks, [one.max() for one in maps], atol=0.05)
    assert level == found.colour_scale.low == pytest.approx(np.mean(maps), rel=1e-2)
    # Standardised: together they are as far apart as what they are made of allows.
    assert np.mean(found.scores) == pytest.approx(0, abs=1e-3)
    assert not np.allclose(found.scores, peaks, atol=0.3)
    # Detectors that have seen the images find less in them.
    final = [member.detector for member in fitted.members]
    seen = [hand.score(hand.look(final, hand.features, place)) for place in range(len(images))]
    assert np.mean(seen) < np.mean(scores)


def test_members_without_scores_of_their_own_are_as_ever(
    network: Extractor, good_dir: Path, quick_detectors: dict
) -> None:
    images = squashed(ImageCache(sorted(good_dir.iterdir())[:9], SIDE))
    shares = [MemberSpec(layers, quick_detectors["distance"](), 0.5) for layers in LAYERS]
    found, peaks, _ = calibrated(cross_fit(network, images, shares, folded(9, shares, 0)), images)
    assert not found.has_own_scores
    assert np.array_equal(found.scores, peaks)
    assert [one.max() for one in found.held_out_maps] == found.scores[:3].tolist()


OPTIONS = {"image_size": SIDE, "device": "cpu", "false_alarm_rate": 0.1, "seed": SEED}
SEARCH = {"layers": "blocks.1.0.bn?,blocks.3.0.bn?", "defects": "nsa", "detector": "distance,scorer"}


@pytest.fixture(scope="module", params=["alone", "mixed"])
def made(
    request: pytest.FixtureRequest, good_dir: Path, quick_detectors: dict, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Inspector, Path, FitRecord]:
    """Inspectors with their bundles: two members with own scores, and one of a search that chose both sorts."""
    folder = tmp_path_factory.mktemp(request.param) / "bundle"
    how = {"detector": "scorer", "fixed_layers": LAYERS} if request.param == "alone" else SEARCH
    result = fs.run_fit(FitSettings.of({"good": good_dir, "out": folder, **OPTIONS, **how}))
    own = {member.detector.tags.image_score for member in result.inspector.backend.members}
    assert own == ({True} if request.param == "alone" else {True, False})
    return result.inspector, folder, result.record


@pytest.fixture(scope="module")
def pictures(texture: Callable, spoiled: Callable) -> list[np.ndarray]:
    return [*(texture(seed) for seed in range(100, 104)), spoiled(1), spoiled(2, (150, 180))]


def test_a_loaded_bundle_is_bit_equal(made: tuple[Inspector, Path, FitRecord], pictures: list[np.ndarray]) -> None:
    inspector, folder, _ = made
    loaded = fs.load(folder, device="cpu")
    both = (loaded.backend.members, inspector.backend.members)
    assert [type(one.detector) for one in both[0]] == [type(other.detector) for other in both[1]]
    assert [m.calibration for m in loaded.manifest.members] == [m.calibration for m in inspector.manifest.members]
    for one, other in zip(inspector.inspect_many(pictures), loaded.inspect_many(pictures), strict=True):
        assert (one.score, one.p_value, one.is_defective) == (other.score, other.p_value, other.is_defective)
        assert np.array_equal(one.anomaly_map, other.anomaly_map)


def test_the_score_of_a_new_image_is_the_weighted_mean_of_standardised_scores(
    made: tuple[Inspector, Path, FitRecord], good_dir: Path, pictures: list[np.ndarray]
) -> None:
    inspector, _, _ = made
    images = ImageCache(sorted(good_dir.iterdir()), SIDE)[:]
    shares = list(inspector.backend.members)
    hand = ByHand(inspector.backend.extractor, images, shares, seed=SEED)
    final, features = [member.detector for member in shares], hand.read(pictures)
    for place, result in enumerate(inspector.inspect_many(pictures)):
        found = hand.look(final, features, place)
        assert result.score == pytest.approx(hand.score(found), rel=0.01, abs=0.03)
        fused = cv2.resize(hand.map(found), result.anomaly_map.shape[::-1], interpolation=cv2.INTER_LINEAR)
        assert np.allclose(result.anomaly_map, fused, rtol=0.02, atol=0.1)


def test_verdicts_follow_the_scores_and_heat_maps_the_peaks(
    made: tuple[Inspector, Path, FitRecord], pictures: list[np.ndarray]
) -> None:
    inspector, _, record = made
    point, colours = inspector.manifest.operating_point, inspector.manifest.colour_scale
    calibration = np.array(inspector.manifest.calibration.scores)
    # At most one of 24 good images is above the threshold: it is the second largest score.
    assert point.threshold == np.sort(calibration)[-2]
    for result in inspector.inspect_many(pictures):
        assert result.is_defective == (result.score > point.threshold) == (result.p_value <= point.rate)
        assert result.p_value == (1 + np.sum(calibration >= result.score)) / (len(calibration) + 1)
    images = record.good.inputs
    shares = [member._replace(detector=clone(member.detector)) for member in inspector.backend.members]
    held_out = folded(len(images), shares, SEED)
    again, peaks, level = calibrated(cross_fit(inspector.backend.extractor, images, shares, held_out), images)
    assert colours.threshold == np.sort(peaks)[-2] != point.threshold
    assert colours.low == level < colours.threshold
    assert colours == again.colour_scale and np.array_equal(np.sort(again.scores), calibration)


def test_the_manifest_names_each_members_detector(made: tuple[Inspector, Path, FitRecord]) -> None:
    inspector, folder, _ = made
    document = json.loads((folder / "inspector.json").read_text())
    for member, written in zip(inspector.backend.members, document["members"], strict=True):
        assert written["detector"]["name"] == type(member.detector).__name__.lower()
        assert written["detector"]["parameters"] == member.detector.get_params()
        assert written["calibration"]["scores"]["deviation"] > 0
    assert document["calibration"]["folds"] == 2


def test_the_report_has_heat_maps_on_their_own_scale(made: tuple[Inspector, Path, FitRecord]) -> None:
    """Scores are in another unit than maps: their threshold would colour everything or nothing."""
    inspector, folder, record = made
    page = (folder / "report.html").read_text(encoding="utf-8")
    if record.selection is None:
        assert "nothing to choose from" in page and not (folder / "selection.csv").exists()
        return
    for member in inspector.manifest.members:
        assert f"<code>{member.layers[0]}</code><small>read by {member.detector.name}</small>" in page
    assert "read by 2 methods (distance, scorer)" in " ".join(page.split())


def test_an_image_has_one_value_where_the_method_does_not_localise(
    good_dir: Path, quick_detectors: dict, tmp_path: Path, pictures: list[np.ndarray]
) -> None:
    inspector = fs.fit(good_dir, tmp_path / "b", **OPTIONS, detector="one_value", fixed_layers=LAYERS[:1])
    loaded = fs.load(tmp_path / "b", device="cpu")
    for one, other in zip(inspector.inspect_many(pictures), loaded.inspect_many(pictures), strict=True):
        assert np.ptp(one.anomaly_map) < 1e-4 and one.anomaly_map.shape == other.anomaly_map.shape
        assert one.score == other.score and np.array_equal(one.anomaly_map, other.anomaly_map)
    assert inspector.inspect(np.zeros_like(pictures[0])).is_defective
