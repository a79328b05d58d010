"""Members: layers that were named, and detectors with their parameters."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import flawsight as fs

PAIR = ("blocks.1.0.bn3", "blocks.3.0.bn3")


def test_fixed_layers_skip_the_search_and_may_be_read_together(
    good_dir: Path, fixed_options: dict, tmp_path: Path, spoiled: Callable
) -> None:
    options = fixed_options | {"image_size": 96, "export": "none"}
    inspector = fs.fit(good_dir, tmp_path / "b", **options, fixed_layers=[PAIR, ["blocks.3.0.bn2"]])
    assert inspector.layers == (PAIR, ("blocks.3.0.bn2",))
    assert [member.weight for member in inspector.backend.members] == [0.5, 0.5]
    assert inspector.manifest.selection is None
    loaded = fs.load(tmp_path / "b", device="cpu")
    one, other = (each.inspect(spoiled(1)) for each in (inspector, loaded))
    assert one.score == other.score and np.array_equal(one.anomaly_map, other.anomaly_map)


@pytest.mark.parametrize("parameters", [{"embed_dim": 32}, {"projection_dim": 16, "squared": True, "neighbours": 3}])
def test_detector_parameters_travel_with_the_bundle(
    good_dir: Path, fixed_options: dict, tmp_path: Path, spoiled: Callable, parameters: dict
) -> None:
    options = fixed_options | {"fixed_layers": [PAIR], "detector_parameters": {"bank_size": 60, **parameters}}
    inspector = fs.fit(good_dir, tmp_path / "b", **options, export="none")
    loaded = fs.load(tmp_path / "b", device="cpu")
    assert loaded.backend.members[0].detector.get_params() == inspector.backend.members[0].detector.get_params()
    assert loaded.inspect(spoiled(1)).score == inspector.inspect(spoiled(1)).score
