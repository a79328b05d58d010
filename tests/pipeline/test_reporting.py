"""selection.csv and report.html beside a fresh bundle."""

import csv
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import flawsight as fs
from flawsight.core import Silent
from flawsight.generation import GeneratorCard
from flawsight.generation.card import Settings
from flawsight.inspection import Inspector
from flawsight.pipeline import write_report, write_selection
from flawsight.pipeline.defect_sources import DefectRecipe, preview_defects
from flawsight.pipeline.load_images import load_images
from flawsight.settings import FitSettings
from flawsight.views import View


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def run(good: Path, out: Path | None = None, **options: object) -> fs.FitResult:
    return fs.run_fit(FitSettings.of({"good": good, "out": out, **options}))


def test_selection_csv_has_every_layer_and_kind(bundle: Path, fit_result: fs.FitResult) -> None:
    fitted, selection = fit_result.inspector, fit_result.record.selection
    assert selection is not None
    everything = rows(bundle / "selection.csv")
    assert {row["variant"] for row in everything} == {"", "neighbourhood=1"}
    found = [row for row in everything if not row["variant"]]
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


def test_a_report_can_be_written_elsewhere(bundle: Path, fit_result: fs.FitResult, tmp_path: Path) -> None:
    assert write_report(fit_result.inspector, fit_result.record, tmp_path) == tmp_path / "report.html"
    assert {path.name for path in tmp_path.iterdir()} == {"report.html", "selection.csv"}
    assert rows(tmp_path / "selection.csv") == rows(bundle / "selection.csv")


def test_without_a_search_the_report_says_so_and_an_old_table_goes(
    bundle: Path, good_dir: Path, fixed_options: dict, tmp_path: Path
) -> None:
    """A bundle is replaced whole: nothing of the one before is left for people to read."""
    folder = Path(shutil.copytree(bundle, tmp_path / "copy"))
    for name in ("report.html", "selection.csv"):
        (folder / name).write_text("of another inspector")
    fs.fit(good_dir, folder, **fixed_options, fixed_layers=[["blocks.3.0.bn3"]], overwrite=True)
    assert {path.name for path in folder.iterdir()} == {
        "inspector.json", "network.safetensors", "detectors.safetensors", "report.html", "model.onnx", "samples.png",
    }  # fmt: skip
    page = (folder / "report.html").read_text()
    assert "of another inspector" not in page
    assert "nothing to choose from" in page and "blocks.3.0.bn3" in page and "data:image/jpeg;base64," in page


def test_an_earlier_search_is_replaced_by_the_new_one(good_dir: Path, fit_options: dict, tmp_path: Path) -> None:
    options = fit_options | {"layers": "blocks.3.0.bn3", "defects": "simple", "export": "none"}
    tmp_path.joinpath("report.html").write_text("of another inspector")
    tmp_path.joinpath("selection.csv").write_text("of another inspector")
    for layers in ("blocks.3.0.bn3", "blocks.3.0.bn2"):
        fs.fit(good_dir, tmp_path, **options | {"layers": layers}, overwrite=True)
        assert {row["layer"] for row in rows(tmp_path / "selection.csv")} == {layers}
        page = (tmp_path / "report.html").read_text()
        assert layers in page and "of another inspector" not in page


def test_the_generator_behind_the_defects_is_described(good_dir: Path, fixed_options: dict, tmp_path: Path) -> None:
    result = run(good_dir, **fixed_options, fixed_layers=[["blocks.3.0.bn3"]])
    settings = Settings(preset="small", steps=5, batch_size=8, learning_rate=1e-3, seed=0, images_sha256="")
    found = {"side": 64, "grey": False, "images": 24, "held_out": 5, "versions": {}}
    for quality, is_bad in ((1.25, False), (9.5, True)):
        card = GeneratorCard(settings=settings, quality=quality, **found)
        recipe = replace(result.record.recipe, about=card.summary())
        page = write_report(result.inspector, replace(result.record, recipe=recipe), tmp_path).read_text()
        assert f"{quality:.1f}" in page and ("perlin" in page) is is_bad


def test_a_table_without_rows_still_has_its_head(tmp_path: Path) -> None:
    write_selection(tmp_path / "selection.csv", [])
    head = (tmp_path / "selection.csv").read_text().strip().split(",")
    assert {"layer", "detector", "defects", "auroc", "aupro", "p_h", "seconds"} <= set(head)


def test_without_a_search_a_few_artificial_defects_are_shown(
    fit_result: fs.FitResult, good_dir: Path, fixed_options: dict, tmp_path: Path
) -> None:
    """Of the kinds that a search would try, with heat maps, but without figures; layers read together in one row."""
    names = ["blocks.1.0.bn2", "blocks.3.0.bn3"]
    record = run(good_dir, tmp_path, **fixed_options, fixed_layers=[names, names[:1]], export="none", pod=False).record
    assert record.defects.keys() == fit_result.record.defects.keys() == {"nsa", "perlin", "scratch"}
    for images, masks in record.defects.values():
        assert len(images) == len(masks) == 4 and all(mask.any() for mask in masks)
    page = " ".join((tmp_path / "report.html").read_text().split())
    assert "What it reads" in page and "Which layers were chosen" not in page
    assert page.count('alt="outline of the defect"') == 12 and "nothing to choose from" in page
    assert "<td>1</td><td><code>blocks.1.0.bn2</code><br><code>blocks.3.0.bn3</code></td> <td>patchcore</td>" in page


@pytest.mark.parametrize("view", ["squash", "whole", "tiles"])
def test_a_kind_without_a_place_is_not_shown(tmp_path: Path, view: str) -> None:
    for number in range(4):
        Image.fromarray(np.full((64, 80, 3), 90, np.uint8)).save(tmp_path / f"{number}.png")
    settings = FitSettings.of({"good": tmp_path, "out": None, "image_size": 32})
    good = load_images(sorted(tmp_path.iterdir()), settings, Silent()).seen(View(view, 32), None)
    made = preview_defects(good, DefectRecipe(("nsa", "simple")), settings)
    assert "nsa" not in made and "simple" in made
