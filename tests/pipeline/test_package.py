"""From a fit to a bundle: the same each time, and the same when it is loaded."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import flawsight as fs
from flawsight.inspection import Inspector


@pytest.fixture(scope="module")
def new_good(texture: Callable) -> list[np.ndarray]:
    return [texture(seed) for seed in range(100, 108)]


def test_a_loaded_bundle_says_the_same(fitted: Inspector, bundle: Path, new_good: list, spoiled: Callable) -> None:
    loaded = fs.load(bundle, device="cpu")
    images = [*new_good, spoiled(1), spoiled(2, (150, 180))]
    for one, other in zip(fitted.inspect_many(images), loaded.inspect_many(images), strict=True):
        assert one.score == other.score and one.p_value == other.p_value
        assert np.array_equal(one.anomaly_map, other.anomaly_map)
    assert loaded.layers == fitted.layers and loaded.threshold == fitted.threshold


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
