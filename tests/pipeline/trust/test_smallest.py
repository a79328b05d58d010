"""A size that somebody asks for: what is searched with, and what is said where it cannot be seen."""

from pathlib import Path

import numpy as np
import pytest

import flawsight as fs
from flawsight.core import FlawsightError
from flawsight.defects import SIZED, side_of
from flawsight.pipeline.trust.smallest import smallest_in_pixels
from flawsight.settings import FitSettings


@pytest.mark.parametrize(
    ("said", "scale", "pixels"),
    [("8", None, 8), (8, None, 8), ("2.5px", 0.1, 2.5), (" 0.5MM ", 0.1, 5), (None, 0.1, None)],
)
def test_the_size_in_pixels(said: object, scale: float | None, pixels: float | None) -> None:
    settings = FitSettings.of({"good": "good", "smallest_defect": said, "mm_per_pixel": scale})
    assert smallest_in_pixels(settings) == (None if pixels is None else pytest.approx(pixels))
    assert FitSettings.of(settings.model_dump()) == settings


@pytest.mark.parametrize("said", ["eight", "0", "-3px", "5 inches", "nan", "inf"])
def test_what_is_no_size_is_refused(said: str) -> None:
    with pytest.raises(FlawsightError, match="--smallest-defect"):
        FitSettings.of({"good": "good", "smallest_defect": said})


def test_the_search_is_for_defects_of_that_size(good_dir: Path, fit_options: dict) -> None:
    options = fit_options | {"layers": "blocks.1.0.bn3", "pod": False, "fuse": 1}
    result = fs.run_fit(FitSettings.of({"good": good_dir, **options, "smallest_defect": 6}))
    assert result.record.selection is not None
    assert list(result.record.selection.figures_) == list(SIZED)
    for kind, (images, masks) in result.record.defects.items():
        assert images[0].shape == (80, 96, 3)  # in the pictures' own pixels
        sides = [side_of(mask) for mask in masks]
        if kind != "scratch":
            assert min(sides) >= 4 and max(sides) <= 8 and len(set(sides)) > 1
    assert not any("cannot be seen" in note for note in result.record.notes)
    manifest = result.inspector.manifest
    assert manifest.settings["smallest_defect"] == "6px" and manifest.selection.defects == list(SIZED)


def test_what_cannot_be_seen_is_said_with_what_would_do(
    good_dir: Path, fit_options: dict, caplog: pytest.LogCaptureFixture
) -> None:
    options = fit_options | {"layers": "blocks.3.0.bn3", "fuse": 1}
    result = fs.run_fit(FitSettings.of({"good": good_dir, **options, "smallest_defect": 2}))
    (note,) = [one for one in result.record.notes if "cannot be seen" in one]
    # 96 pixels in 64, and a quarter of the layer's cell of 16: 6 pixels; in 192, two.
    assert "defects of 2 pixels" in note and "about 6 pixels are the least" in note
    assert "--image-size 192 would do, or --view tiles" in note
    assert "about 4.5 pixels" in caplog.text  # before it is known how fine the layers are


def test_what_is_seen_but_not_found_is_said(good_dir: Path, fit_options: dict) -> None:
    options = fit_options | {"layers": "blocks.1.0.bn3", "fuse": 1}
    result = fs.run_fit(FitSettings.of({"good": good_dir, **options, "smallest_defect": 4.6}))
    rates = {one.kind: float(one.curve.at(4.6)) for one in result.inspector.manifest.pod.kinds}
    missed = [kind for kind, rate in rates.items() if rate < 0.9]
    said = [note for note in result.record.notes if "fewer than nine in ten" in note]
    assert bool(missed) == bool(said)
    for kind in missed:
        assert f"{rates[kind]:.0%} of {SIZED[kind].title.lower()}" in said[0]


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"smallest_defect": "0.5mm"}, "--mm-per-pixel"),
        ({"smallest_defect": 5, "defects": "nsa"}, "--defects has no effect here: with --smallest-defect"),
        ({"smallest_defect": 5, "fixed_layers": "blocks.3.0.bn3"}, "--smallest-defect has no effect here"),
    ],
)
def test_what_makes_no_sense_is_refused(good_dir: Path, options: dict, what: str) -> None:
    with pytest.raises(FlawsightError, match=what):
        fs.fit(good_dir, image_size=64, device="cpu", **options)


def test_sizes_of_a_search_vary_a_little(good_dir: Path) -> None:
    from flawsight.defects import Product
    from flawsight.selection.pictures import Planter
    from flawsight.views import Pictures, RegionOfInterest

    pictures = Pictures(sorted(good_dir.iterdir()))
    inside = np.zeros((80, 96), bool)
    inside[20:70, 10:80] = True
    region, boxes = RegionOfInterest(inside), [(10, 20, 70, 50)] * len(pictures)
    planter = Planter(pictures, boxes, Product(), 0, region, {"spot": {"size": 8}})
    planted = planter.plant("spot", range(12))
    sides = [side_of(one.mask) for one in planted]
    assert 6 <= min(sides) < max(sides) <= 10
    for one in planted:
        picture = pictures[one.base]
        mask = one.mask_in((80, 96))
        assert ((one.on(picture) != picture).any(axis=2) == mask).all() and not (mask & ~inside).any()
        assert one.patch.shape[:2] == one.mask.shape == (one.box[3], one.box[2])
        assert one.mask.any(axis=1).all() and one.mask.any(axis=0).all()  # no larger than it must be
