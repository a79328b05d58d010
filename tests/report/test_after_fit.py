"""selection.csv and report.html beside a fresh bundle."""

import csv
import re
from pathlib import Path

import pytest

import flawsight as fs
from flawsight.inspection import Inspector
from flawsight.report import write_report, write_selection


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_selection_csv_has_every_layer_and_kind(bundle: Path, fitted: Inspector) -> None:
    assert fitted.fitting is not None and fitted.fitting.selection is not None
    selection = fitted.fitting.selection
    found = rows(bundle / "selection.csv")
    kinds = ("nsa", "perlin", "scratch")
    expected = [(layer.name, kind) for layer in selection.layers_ for kind in kinds]
    assert [(row["layer"], row["defects"]) for row in found] == expected
    assert {row["detector"] for row in found} == {"patchcore"}
    for row in found:
        auroc, aupro, p_h = (float(row[name]) for name in ("auroc", "aupro", "p_h"))
        assert p_h == pytest.approx(2 * auroc * aupro / (auroc + aupro) if auroc + aupro else 0)
        assert float(row["seconds"]) > 0
    full = {row["layer"] for row in found if row["stage"] == "full"}
    assert {name for layers in fitted.layers for name in layers} <= full


def test_the_report_is_one_file_that_opens_offline(bundle: Path, fitted: Inspector) -> None:
    page = (bundle / "report.html").read_text(encoding="utf-8")
    assert page.lstrip().lower().startswith("<!doctype html>")
    for layers in fitted.layers:
        assert all(name in page for name in layers)
    assert "data:image/jpeg;base64," in page
    outside = re.findall(r"""(?:src|href)\s*=\s*["'](?!data:|#)([^"']+)""", page)
    assert not outside
    assert "@import" not in page and "<link" not in page
    assert str(fitted.manifest.data.images) in page


def test_nothing_to_report_without_a_search(bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="fresh from a fit"):
        write_report(fs.load(bundle, device="cpu"), tmp_path)


def test_without_a_search_there_is_no_report_and_an_old_one_goes(
    good_dir: Path, fit_options: dict, tmp_path: Path
) -> None:
    inspector = fs.fit(good_dir, **fit_options, fixed_layers=[["blocks.3.0.bn3"]])
    for name in ("report.html", "selection.csv"):
        (tmp_path / name).write_text("of another inspector")
    assert write_report(inspector, tmp_path) is None
    assert list(tmp_path.iterdir()) == []
    assert write_report(inspector, tmp_path) is None


def test_a_table_without_rows_still_has_its_head(tmp_path: Path) -> None:
    write_selection(tmp_path / "selection.csv", [])
    head = (tmp_path / "selection.csv").read_text().strip().split(",")
    assert {"layer", "detector", "defects", "auroc", "aupro", "p_h", "seconds"} <= set(head)
