"""The operating point, from held-out good images, and a few maps to show."""

from pathlib import Path

import pytest

import flawsight as fs
from flawsight.inspection import Inspector
from flawsight.pipeline.calibrate import EXAMPLES

PAIR = ("blocks.1.0.bn3", "blocks.3.0.bn3")


def test_a_few_held_out_maps_are_kept(fit_result: fs.FitResult) -> None:
    maps, fitted = fit_result.record.held_out_maps, fit_result.inspector
    scores = fitted.manifest.calibration.scores
    assert len(maps) == EXAMPLES
    assert all(float(one.max()) in scores for one in maps)


def test_another_seed_calibrates_on_other_folds(fitted: Inspector, good_dir: Path, fixed_options: dict) -> None:
    other = fs.fit(good_dir, **fixed_options, seed=1, fixed_layers=fitted.layers)
    assert other.manifest.calibration.scores != fitted.manifest.calibration.scores


def test_the_working_point_of_24_good_images(fitted: Inspector) -> None:
    point, calibration = fitted.manifest.operating_point, fitted.manifest.calibration
    assert len(calibration.scores) == point.calibration_size == 24 and calibration.folds == 5
    assert point.requested_rate == 0.1 and point.rate == pytest.approx(2 / 25) and point.needed_images == 9
    # p <= 2/25 needs at most one calibration score at or above: the threshold is the second largest.
    assert point.threshold == sorted(calibration.scores)[-2]


def test_too_few_images_for_the_rate_are_said_so(good_dir: Path, fixed_options: dict) -> None:
    inspector = fs.fit(good_dir, **(fixed_options | {"false_alarm_rate": 0.01}), fixed_layers=[PAIR])
    point = inspector.manifest.operating_point
    assert point.rate == pytest.approx(1 / 25) and point.rate > point.requested_rate
    assert point.needed_images == 99
    assert point.threshold == max(inspector.manifest.calibration.scores)
