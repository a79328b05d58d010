"""The example package: installed for real, found by its name, and missed where it is not there."""

import csv
import os
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

import flawsight as fs
from flawsight.data.layouts import LAYOUTS
from flawsight.defects import KINDS
from flawsight.detectors import DETECTORS, Detector, DetectorTags
from flawsight.features import EXTRACTORS

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "flawsight-channel-distance"
SOURCE = EXAMPLE / "src" / "flawsight_channel_distance" / "__init__.py"
FLAWSIGHT = ("-c", "from flawsight.cli import main; main()")
QUICK = ("--image-size", "64", "--layers", "blocks.3.0.*", "--defects", "simple", "--false-alarm-rate", "0.1")
QUICK += ("--export", "none")


def run(*arguments: object, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Python with these arguments, and this folder on its path."""
    found = [str(path)] if path else []
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([*found, *os.environ.get("PYTHONPATH", "").split(os.pathsep)])
    }
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=ROOT)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that the package is installed to, as pip does it."""
    target = tmp_path_factory.mktemp("installed")
    offline = ("--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check", "--quiet")
    done = run("-m", "pip", "install", *offline, "--target", target, EXAMPLE)
    assert done.returncode == 0, done.stderr
    assert {"flawsight_channel_distance", "flawsight_channel_distance-0.1.0.dist-info"} <= {
        entry.name for entry in target.iterdir()
    }
    return target


@pytest.fixture(scope="module")
def made(installed: Path, good_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of that detector."""
    bundle = tmp_path_factory.mktemp("made") / "bundle"
    options = ("--detector", "channel-distance", "--device", "cpu", "--out", bundle)
    done = run(*FLAWSIGHT, "fit", good_dir, *QUICK, *options, path=installed)
    assert done.returncode == 0, done.stderr
    return bundle


def test_its_bundle_inspects_as_it_was_fitted(
    made: Path,
    installed: Path,
    good_dir: Path,
    fit_options: dict,
    channel_distance: type[Detector],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done = run(*FLAWSIGHT, "inspect", made, good_dir, "--out", tmp_path, "--device", "cpu", path=installed)
    assert done.returncode == 0, done.stderr
    with (tmp_path / "results.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 24 and sum(row["verdict"] == "good" for row in rows) > 18
    monkeypatch.setitem(DETECTORS, "channel-distance", channel_distance)
    options = {**fit_options, "layers": "blocks.3.0.*", "defects": "simple", "detector": "channel-distance"}
    inspector = fs.fit(good_dir, **options)
    assert {member.detector.name for member in inspector.manifest.members} == {"channel-distance"}
    for row in rows[:3]:
        found = inspector.inspect(good_dir / Path(row["path"]).name)
        assert found.score == pytest.approx(float(row["score"]), rel=1e-4)


def test_a_bundle_says_which_package_is_missing(made: Path, good_dir: Path, tmp_path: Path) -> None:
    done = run(*FLAWSIGHT, "inspect", made, good_dir, "--out", tmp_path, "--device", "cpu")
    assert done.returncode == 2
    assert (
        "needs the detector 'channel-distance' of the package flawsight-channel-distance 0.1.0: install it"
        in done.stderr
    )
    assert "Traceback" not in done.stderr


def test_its_own_tests_pass(installed: Path) -> None:
    done = run("-m", "pytest", EXAMPLE, "-p", "no:cacheprovider", "-n", "0", path=installed)
    assert done.returncode == 0, done.stdout


def test_the_documentation_shows_it() -> None:
    page = (ROOT / "docs" / "adding-a-detector.md").read_text(encoding="utf-8")
    assert f"```python\n{SOURCE.read_text(encoding='utf-8')}```" in page
    entry = (EXAMPLE / "pyproject.toml").read_text(encoding="utf-8").split("\n\n")[2]
    assert entry.startswith('[project.entry-points."flawsight.detectors"]') and f"```toml\n{entry}\n```" in page
    assert len(SOURCE.read_text(encoding="utf-8").splitlines()) <= 50


def test_the_documentation_knows_every_tag_and_group() -> None:
    page = (ROOT / "docs" / "adding-a-detector.md").read_text(encoding="utf-8")
    for field in fields(DetectorTags):
        default = f'"{field.default}"' if isinstance(field.default, str) else str(field.default)
        assert re.search(rf"\| `{field.name}` \| `?{default}`? \|", page), field.name
    for registry in (DETECTORS, KINDS, LAYOUTS, EXTRACTORS):
        assert f"| `{registry.group}` |" in page
