"""A fit looks at what it learns from: in its notes and its report, without decoding anything again."""

import shutil
from pathlib import Path

import pytest

import flawsight as fs
from flawsight.settings import FitSettings
from flawsight.views import cache


@pytest.fixture
def result(folder: Path, tmp_path: Path, fit_options: dict) -> fs.FitResult:
    shutil.copy(folder / "003.png", folder / "again.png")
    return fs.run_fit(FitSettings.of({"good": folder, "out": tmp_path / "bundle", **quick(fit_options)}))


def quick(options: dict) -> dict:
    return {"fixed_layers": "blocks.2.1.add", **{name: one for name, one in options.items() if name != "layers"}}


def test_findings_are_notes_and_in_the_report(result: fs.FitResult, tmp_path: Path) -> None:
    assert [note for note in result.record.notes if "003.png = again.png" in note or "again.png = 003.png" in note]
    page = (tmp_path / "bundle" / "report.html").read_text(encoding="utf-8")
    assert 'id="health"' in page and "The same picture twice" in page and str(tmp_path) not in page


def test_a_clean_fit_says_so(fit_result: fs.FitResult, bundle: Path) -> None:
    assert fit_result.record.health is not None and fit_result.record.health.findings == ()
    assert "no copies" in (bundle / "report.html").read_text(encoding="utf-8")


def test_nothing_is_decoded_for_it(folder: Path, fit_options: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    read, decoded = cache.read_image, []

    def counted(path: Path, *options: object) -> object:
        decoded.append(path)
        return read(path, *options)

    monkeypatch.setattr(cache, "read_image", counted)
    fs.run_fit(FitSettings.of({"good": folder, **quick(fit_options)}))
    assert sorted(decoded) == sorted(folder.iterdir())
