"""Changes of the operating point: stated by the calibration scores, in force everywhere, and taken back."""

import json
import shutil
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import flawsight as fs
from flawsight.bundle import Manifest, read_manifest, replace_manifest, restored, revised
from flawsight.metrics import operating_point, rate_at
from flawsight.views import RegionOfInterest

WHO = {"by": "A. Smith", "at": "2026-01-07T09:30:00+00:00", "why": "a test"}


@pytest.fixture
def copy(bundle: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(bundle, tmp_path / "copy"))


def png_of(mask: np.ndarray) -> str:
    return b64encode(RegionOfInterest(mask).png()).decode()


@pytest.mark.parametrize("n", [1, 9, 24, 200])
def test_the_stated_rate_is_the_operating_points(n: int) -> None:
    scores = np.random.default_rng(n).normal(size=n)
    for rate in (0.01, 0.1, 0.5):
        point = operating_point(scores, rate)
        assert rate_at(point.threshold, scores) == pytest.approx(point.rate)
    assert rate_at(scores.max() + 1, scores) == 1 / (n + 1) and rate_at(scores.min() - 1, scores) == 1


@pytest.mark.parametrize("backend", ["torch", "onnxruntime"])
def test_a_change_is_in_force_in_every_backend(copy: Path, backend: str, spoiled: Callable) -> None:
    before = fs.load(copy, backend=backend).inspect(spoiled(1))
    assert before.is_defective and before.regions
    threshold = before.score + 0.1
    replace_manifest(revised(read_manifest(copy), **WHO, threshold=threshold), copy)
    inspector = fs.load(copy, backend=backend)
    after = inspector.inspect(spoiled(1))
    assert not after.is_defective and not after.regions and after.score == pytest.approx(before.score)
    assert inspector.threshold == inspector.pixel_threshold == threshold
    assert inspector.manifest.operating_point.rate == rate_at(threshold, inspector.manifest.calibration.scores)


def test_a_graph_with_an_operating_point_of_its_own_is_changed_there(copy: Path) -> None:
    manifest = read_manifest(copy)
    runtime = manifest.runtime.model_copy(  # type: ignore[union-attr]
        update={"operating_point": manifest.operating_point, "calibration_scores": manifest.calibration.scores}
    )
    changed = revised(manifest.model_copy(update={"runtime": runtime}), **WHO, threshold=12.5)
    assert changed.as_exported().operating_point.threshold == 12.5
    assert changed.operating_point == manifest.operating_point


def test_the_first_revision_is_the_fits_and_any_can_be_restored(copy: Path) -> None:
    manifest = read_manifest(copy)
    judged = png_of(np.pad(np.ones((40, 40), bool), ((0, 40), (0, 56))))
    changed = revised(revised(manifest, **WHO, threshold=9.0), **WHO, judged=judged)
    assert [one.by for one in changed.revisions] == ["fit", "A. Smith", "A. Smith"]
    assert changed.judged == judged and changed.operating_point.threshold == 9.0
    back = restored(changed, 0, **WHO)
    same = {"revisions", "judged"}
    assert back.model_dump(exclude=same) == manifest.model_dump(exclude=same) and back.judged == ""
    assert Manifest.model_validate(json.loads(back.model_dump_json())) == back
    with pytest.raises(fs.FlawsightError, match="no revision 7"):
        restored(changed, 7, **WHO)


@pytest.mark.parametrize("missing", ["by", "why"])
def test_who_and_why_must_be_said(copy: Path, missing: str) -> None:
    with pytest.raises(fs.FlawsightError, match="needs a name and a reason"):
        revised(read_manifest(copy), **(WHO | {missing: "  "}), threshold=9.0)


def test_a_threshold_below_ordinary_pixels_is_refused(copy: Path) -> None:
    with pytest.raises(fs.FlawsightError, match="choose a higher one"):
        revised(read_manifest(copy), **WHO, threshold=-1e6)


def test_what_is_not_judged_has_no_part_in_scores_maps_and_regions(
    copy: Path, spoiled: Callable, texture: Callable
) -> None:
    inspector = fs.load(copy)
    mask = np.ones((80, 96), bool)
    mask[32:, 48:] = False  # where the spot is
    replace_manifest(revised(read_manifest(copy), **WHO, judged=png_of(mask)), copy)
    judging = fs.load(copy)
    whole, part = inspector.inspect(spoiled(1)), judging.inspect(spoiled(1))
    assert whole.is_defective and not part.is_defective
    assert (part.anomaly_map[36:, 52:] == 0).all() and part.score <= whole.score
    kept = part.anomaly_map[:24, :40]
    assert np.array_equal(kept, whole.anomaly_map[:24, :40])  # the network saw the same: nothing there has changed
    for seed in range(100, 104):  # a score can only fall, so the stated rate holds
        assert judging.inspect(texture(seed)).score <= inspector.inspect(texture(seed)).score
    with pytest.raises(fs.FlawsightError, match="region of interest is for 96 x 80"):
        judging.inspect(texture(1, (120, 144)))
