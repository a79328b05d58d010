"""What was left out or taken for granted is printed, and in the JSON document."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import flawsight as fs

QUICK = ("--image-size", "64", "--layers", "blocks.3.0.bn3", "--defects", "simple", "--device", "cpu")
QUICK += ("--export", "none")


@pytest.fixture
def mixed(good_dir: Path, tmp_path: Path) -> Path:
    """10 good pictures, 4 that are not, and what nobody reads."""
    for name, first, count in (("normal", 0, 10), ("abnormal", 10, 4)):
        (tmp_path / "set" / name).mkdir(parents=True)
        for path in sorted(good_dir.iterdir())[first : first + count]:
            shutil.copy(path, tmp_path / "set" / name)
    (tmp_path / "set/normal/scan.xyz").touch()
    (tmp_path / "set/normal/gone.png").symlink_to(tmp_path / "gone.png")
    return tmp_path / "set"


SAID = ("only the 10 good images (normal)", "4 others (abnormal) left out", "scan.xyz", "gone.png")


def test_fit_says_what_it_learned_from(flawsight: Callable, mixed: Path, tmp_path: Path) -> None:
    done = flawsight("fit", mixed, "--out", tmp_path / "b", *QUICK, "--json")
    document = json.loads(done.out)
    assert done.code == 0 and document["images"] == 10
    assert all(any(part in warning for warning in document["warnings"]) for part in SAID)
    shown = flawsight("fit", mixed, "--out", tmp_path / "c", *QUICK)
    assert all(part in shown.out for part in SAID) and shown.out.count("Mind: ") >= 3


def test_fit_says_so_in_python_too(mixed: Path) -> None:
    with pytest.warns(UserWarning, match="only the 10 good images"):
        fs.fit(mixed, image_size=64, layers="blocks.3.0.bn3", defects="simple", device="cpu")


def test_synthesize_says_so(flawsight: Callable, mixed: Path, tmp_path: Path) -> None:
    done = flawsight("synthesize", mixed, "--out", tmp_path / "s", "--defects", "simple", "--json")
    warnings = json.loads(done.out)["warnings"]
    assert all(any(part in warning for warning in warnings) for part in SAID)


def test_evaluate_says_what_the_masks_mean(
    flawsight: Callable, bundle: Path, labelled_set: Path, tmp_path: Path
) -> None:
    shown = flawsight("evaluate", bundle, labelled_set, "--out", tmp_path / "out")
    assert "Masks: 3 files: 0 is ground, all else marks a defect (values: 0, 255)" in shown.out
    figures = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert figures["masks"]["ground"] == "dark" and figures["warnings"] == []
