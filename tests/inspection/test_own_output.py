"""What Flawsight wrote is never taken for pictures of a product; whatever is left out is named."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import flawsight as fs
from flawsight.core import FlawsightError
from flawsight.data import good_images, left_out, list_images
from flawsight.data.listing import OWN, Skipped
from flawsight.inspection import Inspector, inspect_to_folder


@pytest.fixture
def pictures(tmp_path: Path, texture: Callable) -> Path:
    """Twelve pictures, two of them deeper."""
    for number in range(12):
        path = tmp_path / "D" / ("deep" if number > 9 else "") / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(texture(number)).save(path)
    return tmp_path / "D"


@pytest.mark.parametrize("out", ["results", "a/b/results", ".", "deep", "deep/results"])
def test_an_inspection_never_reads_its_own_output(fitted: Inspector, pictures: Path, out: str) -> None:
    first = inspect_to_folder(fitted, [pictures], pictures / out)
    kept = 10 if out == "deep" else 12  # where the results go is never read
    assert len(first) == kept
    for _ in range(2):
        again = inspect_to_folder(fitted, [pictures], pictures / out)
        assert list(again) == list(first)
    moved = inspect_to_folder(fitted, [pictures], pictures / "elsewhere")
    assert len(moved) == 12 and {one.reason for one in moved.skipped} >= {OWN}


@pytest.mark.parametrize("way", ["relative", "link", "entries", "files"])
def test_however_the_folders_are_named(
    fitted: Inspector, pictures: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    inspect_to_folder(fitted, [pictures], pictures / "results")
    inputs, out = [pictures], pictures / "results"
    if way == "relative":
        monkeypatch.chdir(pictures.parent)
        inputs, out = [Path("D")], Path("D/deep/../results")
    elif way == "link":
        (pictures.parent / "link").symlink_to(pictures)
        inputs = [pictures.parent / "link"]
    elif way == "entries":  # as pictures/* names them
        inputs = sorted(pictures.glob("*"))
    elif way == "files":
        inputs = sorted(pictures.rglob("*.png"))
    assert len(inspect_to_folder(fitted, inputs, out)) == 12


def test_an_inspection_that_failed_leaves_nothing_to_read(
    fitted: Inspector, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(fitted, "inspect_many", lambda images: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            inspect_to_folder(fitted, [pictures], pictures / "results")
    assert not [path for path in (pictures / "results").rglob("*") if path.suffix in {".csv", ".png", ".part"}]
    Image.fromarray(np.zeros((20, 20, 3), np.uint8)).save(pictures / "results" / "heatmaps" / "old.png")
    assert len(inspect_to_folder(fitted, [pictures], pictures / "other")) == 12


def test_results_of_an_earlier_version_are_known_by_their_table(fitted: Inspector, pictures: Path) -> None:
    inspect_to_folder(fitted, [pictures], pictures / "results")
    (pictures / "results" / ".flawsight-output").unlink()
    assert len(inspect_to_folder(fitted, [pictures], pictures.parent / "out")) == 12
    assert len(good_images(pictures)) == 12


def test_a_folder_of_heat_maps_of_ones_own_is_read(fitted: Inspector, pictures: Path, texture: Callable) -> None:
    (pictures / "heatmaps").mkdir()
    Image.fromarray(texture(50)).save(pictures / "heatmaps" / "thermal.png")
    assert len(inspect_to_folder(fitted, [pictures], pictures.parent / "out")) == 13
    with pytest.raises(FlawsightError, match="take the place of a picture"):
        inspect_to_folder(fitted, [pictures], pictures)


def test_only_own_output_is_refused(fitted: Inspector, pictures: Path) -> None:
    inspect_to_folder(fitted, [pictures], pictures / "results")
    with pytest.raises(FlawsightError, match=OWN):
        inspect_to_folder(fitted, [pictures / "results" / "heatmaps"], pictures / "results")


def test_fit_learns_from_none_of_it(fitted: Inspector, pictures: Path, fit_options: dict) -> None:
    inspect_to_folder(fitted, [pictures], pictures / "results")
    fs.synthesize(pictures, pictures / "synthetic", defects="cutpaste", device="cpu")
    options = fit_options | {"layers": "blocks.3.0.bn3", "defects": "simple"}
    result = fs.run_fit(fs.FitSettings.of({"good": pictures, "out": pictures / "bundle", **options}))
    assert result.inspector.manifest.data.images == 12
    (pictures / "bundle" / "shown.png").write_bytes((pictures / "0.png").read_bytes())
    again = fs.run_fit(fs.FitSettings.of({"good": pictures, "out": None, **options}))
    assert again.inspector.manifest.data.images == 12
    left = {one.path.name: one.reason for one in again.record.skipped}
    assert {left[name] for name in ("heatmaps", "synthetic", "bundle")} == {OWN}
    assert any(OWN in concern for concern in again.record.notes)
    rows = inspect_to_folder(fitted, [pictures], pictures / "results")
    assert len(rows) == 12
    # A synthetic data set that is named is what is wanted.
    assert len(inspect_to_folder(fitted, [pictures / "synthetic"], pictures / "results")) > 12
    assert len(good_images(pictures / "synthetic")) == 7


def test_an_unfinished_generator_is_known(pictures: Path) -> None:
    from flawsight.data.own_output import mark_output

    samples = pictures / "generator" / "training" / "abc" / "samples"
    samples.mkdir(parents=True)
    mark_output(pictures / "generator" / "training", "abc")
    Image.fromarray(np.zeros((20, 20, 3), np.uint8)).save(samples / "025_percent.png")
    assert len(list_images(pictures).images) == 12


def test_all_that_was_not_inspected_is_named(fitted: Inspector, pictures: Path) -> None:
    for name in ("a.xyz", "b.DCM", "notes.txt", "no_suffix", ".hidden.png", ".DS_Store"):
        (pictures / name).write_bytes(b"x")
    (pictures / ".thumbnails").mkdir()
    rows = inspect_to_folder(fitted, [pictures], pictures.parent / "out")
    assert len(rows) == 12
    reasons = {one.path.name: one.reason for one in rows.skipped}
    assert set(reasons) == {"a.xyz", "b.DCM", "notes.txt", "no_suffix", ".hidden.png", ".thumbnails"}
    assert ".xyz" in reasons["a.xyz"] and ".dcm" in reasons["b.DCM"]


class TestLinks:
    """Followed once, named where they lead nowhere."""

    def test_folders_and_files(self, pictures: Path, texture: Callable, tmp_path: Path) -> None:
        (tmp_path / "far").mkdir()
        Image.fromarray(texture(20)).save(tmp_path / "far" / "x.png")
        (pictures / "linked").symlink_to(tmp_path / "far")
        (pictures / "one.png").symlink_to(tmp_path / "far" / "x.png")
        assert len(list_images(pictures).images) == len(good_images(pictures)) == 14

    @pytest.mark.parametrize("target", [".", "..", "/", "deep", "loop"])
    def test_no_folder_is_read_twice(self, pictures: Path, target: str) -> None:
        (pictures / "0 first").symlink_to(pictures / "0 first" if target == "loop" else pictures / target)
        listing = list_images(pictures)
        assert len(listing.images) == 12 and pictures / "deep" / "11.png" in listing.images
        assert [one.path.name for one in listing.skipped] == ["0 first"]

    def test_only_links(self, pictures: Path, tmp_path: Path) -> None:
        (tmp_path / "all").mkdir()
        (tmp_path / "all" / "here").symlink_to(pictures)
        assert len(good_images(tmp_path / "all")) == 12


def test_sentences_group_by_reason() -> None:
    skipped = [Skipped(Path(f"d/{number}.dat"), "no picture") for number in range(6)]
    (sentence,) = left_out(skipped)
    assert sentence == "6 left out (no picture): 0.dat, 1.dat, 2.dat, 3.dat, 4.dat and 1 more"
