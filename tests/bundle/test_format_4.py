"""Bundles of format 4, from before pictures were seen in several ways: squashed, with the same answers."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import flawsight as fs
from flawsight.bundle import Manifest, read_manifest
from flawsight.views import View

SINCE = ("view", "region", "mm_per_pixel", "has_own_scores", "judged", "revisions")


def as_format_4(new: dict[str, Any]) -> dict[str, Any]:
    old = {name: value for name, value in new.items() if name not in SINCE} | {"format": 4}
    old["data"] = {name: value for name, value in new["data"].items() if name != "overview"}
    return old


@pytest.fixture
def old(bundle: Path, tmp_path: Path) -> Path:
    copy = Path(shutil.copytree(bundle, tmp_path / "old"))
    document = as_format_4(json.loads((copy / "inspector.json").read_text()))
    (copy / "inspector.json").write_text(json.dumps(document))
    return copy


@pytest.mark.parametrize("backend", ["torch", "onnxruntime"])
def test_it_gives_the_same_answers(bundle: Path, old: Path, backend: str, spoiled: Callable, texture: Callable) -> None:
    before, today = fs.load(old, backend=backend), fs.load(bundle, backend=backend)
    assert before.view == View("squash", 64) and before.region is None and before.manifest.mm_per_pixel is None
    for image in (spoiled(1), spoiled(2, (120, 144)), texture(100)):
        one, other = before.inspect(image), today.inspect(image)
        assert (one.score, one.p_value, one.regions) == (other.score, other.p_value, other.regions)
        assert np.array_equal(one.anomaly_map, other.anomaly_map)
    assert before.pixel_threshold == before.threshold == today.pixel_threshold


@pytest.mark.parametrize("version", [3, 4])
def test_all_that_it_kept_is_there(bundle: Path, version: int) -> None:
    new = json.loads((bundle / "inspector.json").read_text())
    old = Manifest.model_validate(as_format_4(new) | {"format": version})
    expected = read_manifest(bundle)
    data = expected.data.model_copy(update={"overview": 0})
    assert old.format == 6 and old == expected.model_copy(update={"data": data})


def test_scores_that_are_no_maxima_show_in_the_thresholds(bundle: Path) -> None:
    """A part is stopped by its own score, and regions are where the map is above the heat maps' threshold."""
    new = as_format_4(json.loads((bundle / "inspector.json").read_text()))
    assert not Manifest.model_validate(new).has_own_scores
    new["operating_point"]["threshold"] += 1
    manifest = Manifest.model_validate(new)
    assert manifest.has_own_scores
    inspector = fs.Inspector(None, manifest)  # type: ignore[arg-type]
    assert inspector.pixel_threshold == manifest.colour_scale.threshold == inspector.threshold - 1


@pytest.mark.parametrize("name", ["operating_point", "colour_scale", "extractor"])
def test_one_that_is_not_whole_is_refused(old: Path, name: str) -> None:
    document = json.loads((old / "inspector.json").read_text())
    del document[name]
    (old / "inspector.json").write_text(json.dumps(document))
    with pytest.raises(fs.FlawsightError, match=r"inspector\.json.*format 4.*fit it again"):
        fs.load(old, device="cpu")


def test_a_newer_one_is_refused(old: Path) -> None:
    document = json.loads((old / "inspector.json").read_text()) | {"format": 7}
    (old / "inspector.json").write_text(json.dumps(document))
    with pytest.raises(fs.FlawsightError, match=r"format 7.*reads formats up to 6"):
        fs.load(old, device="cpu")
