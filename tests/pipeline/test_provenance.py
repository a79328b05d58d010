"""A bundle travels: nothing in it says where on which machine it was made, or by whom."""

import getpass
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

import flawsight as fs

TINY = {"side": 16, "patch": 4, "widths": (16,), "attention": 0, "norm_groups": 4, "head": 8, "sampling_steps": 4}


def told(folder: Path, *secrets: str) -> list[str]:
    """Which files hold one of these."""
    found = []
    for path in sorted(folder.rglob("*")):
        data = path.read_bytes() if path.is_file() else b""
        found += [f"{path.name}: {secret}" for secret in secrets if secret.encode() in data]
    return found


@pytest.fixture
def good(tmp_path: Path, texture: Callable) -> Path:
    """Good pictures with much beside them that is worth a word."""
    folder = tmp_path / "secret place" / "good"
    (folder / "deep").mkdir(parents=True)
    for number in range(10):
        Image.fromarray(texture(number, (300, 300))).save(folder / "deep" / f"{number}.png")
    (folder / "deep" / "notes.xyz").write_text("x")
    (folder / "gone.png").symlink_to(folder / "nowhere.png")
    (folder / "again").symlink_to(folder / "deep")
    return folder


def test_a_bundle_holds_no_place_of_the_machine(good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = (str(tmp_path), "secret place", str(Path.home()) + "/", f"/home/{getpass.getuser()}", str(Path.cwd()))
    options = {"image_size": 64, "view": "squash", "layers": "blocks.1.0.*", "device": "cpu", "defects": "simple"}
    out = tmp_path / "secret place" / "out"
    result = fs.run_fit(fs.FitSettings.of({"good": good, "out": out, **options}))
    assert len(result.record.notes) == 4
    assert told(out, *secrets) == []
    report = (out / "report.html").read_text(encoding="utf-8")
    assert "flawsight inspect out folder" in report and "notes.xyz" in report
    monkeypatch.chdir(out.parent)
    fs.fit(Path("good"), Path(), **options, export="none")
    report = Path("report.html").read_text(encoding="utf-8")
    assert "Inspector secret place" in report and told(Path("report.html").parent, str(tmp_path)) == []


def test_nor_does_a_generator(good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("diffusers")
    from flawsight.generation import PRESETS

    monkeypatch.setitem(PRESETS, "small", replace(PRESETS["small"], **TINY))
    # Takes longer than the rest.
    monkeypatch.setattr("flawsight.generation.generator.relative_frechet_distance", lambda *_: 99.0)
    out, generator = tmp_path / "bundle", tmp_path / "generator"
    options = {"image_size": 64, "layers": "blocks.1.0.bn3", "device": "cpu", "generator_steps": 1}
    fs.fit(good, out, defects="sdas", generator=generator, **options)
    other = tmp_path / "other"
    other.mkdir()
    for path in sorted((good / "deep").glob("*.png"))[:9]:
        (other / path.name).write_bytes(path.read_bytes())
    options |= {"good": other, "out": tmp_path / "b2", "defects": "sdas", "generator": generator, "export": "none"}
    result = fs.run_fit(fs.FitSettings.of(options))
    assert any("learned from other images" in concern for concern in result.record.notes)
    for folder in (out, generator, tmp_path / "b2"):
        assert told(folder, str(tmp_path), str(Path.home()) + "/") == []
