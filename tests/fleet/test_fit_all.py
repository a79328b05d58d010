"""Every product becomes a bundle; what goes wrong with one is its own affair; what is done is not done again."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from filelock import FileLock
from PIL import Image
from typer.testing import CliRunner

import flawsight as fs
from flawsight.bundle import read_manifest, replace_manifest, revised
from flawsight.cli import app
from flawsight.core import FlawsightError
from flawsight.fleet import Product, ProductRow
from flawsight.fleet import job as of_job
from flawsight.fleet.index import write_index
from flawsight.fleet.kept import product_key
from flawsight.fleet.row import write_summary
from flawsight.metrics import pod_curve


def statuses(result: Any) -> dict[str, str]:
    return {row.name: row.status for row in result.rows}


def tensors(out: Path) -> dict[str, Any]:
    found = {}
    for path in sorted(out.glob("*/inspector.json")):
        manifest = read_manifest(path.parent)
        found[path.parent.name] = (manifest.files, manifest.layers, manifest.operating_point, manifest.calibration)
    return found


def finished_in(out: Path) -> set[str]:
    return {path.stem for path in out.glob(".products/*.json") if json.loads(path.read_text())["key"]}


def times(out: Path) -> dict[str, int]:
    return {path.parent.name: path.stat().st_mtime_ns for path in out.glob("*/inspector.json")}


def test_a_bad_product_is_named_and_stops_nobody(plant: Path, tmp_path: Path, quick: dict[str, Any]) -> None:
    (plant / "bolt").mkdir()
    (plant / "nut" / "train" / "good" / "broken.png").write_bytes(b"no picture")
    out = tmp_path / "bundles"
    result = fs.fit_all(plant, out, **quick)
    assert statuses(result) == {"bolt": "failed", "cap": "fitted", "nut": "failed", "ring": "fitted"}
    reasons = {row.name: row.error for row in result.failed}
    assert "no image" in reasons["bolt"] and "broken.png" in reasons["nut"]
    with (out / "summary.csv").open(newline="") as file:
        rows = {row["name"]: row for row in csv.DictReader(file)}
    assert list(rows) == ["bolt", "cap", "nut", "ring"] and rows["nut"]["error"] == reasons["nut"]
    inspector = fs.load(out / "ring", device="cpu")
    assert float(rows["ring"]["threshold"]) == inspector.threshold and rows["ring"]["images"] == "18"
    assert float(rows["ring"]["p_h"]) == pytest.approx(np.mean(list(inspector.manifest.selection.p_h.values())))
    page = (out / "index.html").read_text()
    assert 'href="ring/report.html"' in page and "broken.png" in page and str(tmp_path) not in page
    assert (out / "ring" / "report.html").exists()


def test_a_finished_product_is_touched_only_for_a_reason(
    plant: Path, tmp_path: Path, quick: dict[str, Any], texture: Callable[..., Any]
) -> None:
    out = tmp_path / "bundles"
    fs.fit_all(plant, out, **quick)
    before = times(out)
    assert set(statuses(fs.fit_all(plant, out, **quick)).values()) == {"unchanged"}
    assert times(out) == before
    Image.fromarray(texture(999)).save(plant / "cap" / "train" / "good" / "more.png")
    assert statuses(fs.fit_all(plant, out, **quick)) == {"cap": "fitted", "nut": "unchanged", "ring": "unchanged"}
    assert fs.load(out / "cap", device="cpu").manifest.data.images == 17
    (out / "nut" / "inspector.json").unlink()
    assert statuses(fs.fit_all(plant, out, **quick)) == {"cap": "unchanged", "nut": "fitted", "ring": "unchanged"}
    assert set(statuses(fs.fit_all(plant, out, **{**quick, "seed": 1})).values()) == {"fitted"}


def test_the_machine_is_no_reason(plant: Path, tmp_path: Path, quick: dict[str, Any]) -> None:
    out = tmp_path / "bundles"
    fs.fit_all(plant, out, **quick)
    assert set(statuses(fs.fit_all(plant, out, **quick, workers=1, max_memory="3G")).values()) == {"unchanged"}


def test_another_weights_file_of_the_same_name_is_a_reason(plant: Path, tmp_path: Path, quick: dict[str, Any]) -> None:
    import torch
    from torchvision.models import squeezenet1_1

    quick = {"fixed_layers": "features.6.cat", "extractor": "torchvision:squeezenet1_1"} | {
        key: quick[key] for key in ("image_size", "device", "export")
    }
    weights, out = tmp_path / "own.pth", tmp_path / "bundles"
    found = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        torch.save(squeezenet1_1(weights=None).state_dict(), weights)
        assert set(statuses(fs.fit_all(plant, out, weights=weights, **quick)).values()) == {"fitted"}
        found.append(read_manifest(out / "cap").extractor.weights_sha256)
    assert found[0] != found[1]


def test_what_else_the_fit_reads_is_a_reason(plant: Path, tmp_path: Path, texture: Callable[..., Any]) -> None:
    def key(**options: Any) -> str:
        settings = {"good": plant / "cap", "out": tmp_path / "bundles" / "cap", "defects": "perlin", **options}
        return product_key(Product("cap", fs.FitSettings.of(settings)))

    textures = tmp_path / "textures" / "of_wood"
    textures.mkdir(parents=True)
    Image.fromarray(texture(1)).save(textures / "a.png")
    plain, first = key(), key(textures=textures.parent)
    Image.fromarray(texture(2)).save(textures / "b.png")
    second = key(textures=textures.parent)
    (tmp_path / "generator").mkdir()
    made, absent = (key(defects="sdas", generator=tmp_path / name) for name in ("generator", "later"))
    assert len({plain, first, second, made, absent, key(detector="gaussian")}) == 6
    assert key(budget=1.0) != plain
    assert key(textures=textures.parent) == second and key(device="cpu", max_memory="3G", overwrite=True) == plain


def test_others_bundles_are_not_replaced(plant: Path, tmp_path: Path, quick: dict[str, Any]) -> None:
    out = tmp_path / "bundles"
    fs.fit(plant / "cap", out / "cap", **quick)
    before = times(out)
    result = fs.fit_all(plant, out, **quick)
    assert statuses(result) == {"cap": "failed", "nut": "fitted", "ring": "fitted"}
    assert "fit-all did not make" in result.failed[0].error and times(out)["cap"] == before["cap"]
    assert set(statuses(fs.fit_all(plant, out, **quick, overwrite=True)).values()) == {"fitted"}


def test_an_approved_threshold_that_goes_is_said(plant: Path, tmp_path: Path, quick: dict[str, Any]) -> None:
    out = tmp_path / "bundles"
    fs.fit_all(plant, out, **quick)
    approved = revised(read_manifest(out / "cap"), "A. Smith", "2026-01-07T09:30:00+00:00", "a test", threshold=99.0)
    replace_manifest(approved, out / "cap")
    assert set(statuses(fs.fit_all(plant, out, **quick)).values()) == {"unchanged"}
    result = fs.fit_all(plant, out, **{**quick, "seed": 1})
    warnings = {row.name: " ".join(row.warnings) for row in result.rows}
    assert "A. Smith approved" in warnings["cap"] and "approved" not in warnings["nut"]


def test_who_does_the_work_changes_nothing(plant: Path, tmp_path: Path, quick: dict[str, Any]) -> None:
    pytest.importorskip("ray", reason="the extra 'scale' is not installed")
    made = []
    for number, how in enumerate(({}, {"workers": 2}, {"workers": 2, "ray": "local"})):
        out = tmp_path / f"bundles-{number}"
        assert set(statuses(fs.fit_all(plant, out, **quick, **how)).values()) == {"fitted"}
        made.append(tensors(out))
    assert made[0] == made[1] == made[2]


def test_a_bug_in_one_product_stops_nobody(
    plant: Path, tmp_path: Path, quick: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted = of_job.run_fit

    def run_fit(settings: Any, *others: Any) -> Any:
        if settings.out.name == "nut":
            raise ZeroDivisionError("no nut")
        return fitted(settings, *others)

    monkeypatch.setattr(of_job, "run_fit", run_fit)
    result = fs.fit_all(plant, tmp_path / "bundles", **quick)
    assert statuses(result) == {"cap": "fitted", "nut": "failed", "ring": "fitted"}
    assert result.failed[0].error == "ZeroDivisionError: no nut"


def test_whoever_is_killed_before_it_is_said_that_he_is_done_was_not(
    plant: Path, tmp_path: Path, quick: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    out, other = tmp_path / "bundles", {**quick, "seed": 1}
    fs.fit_all(plant, out, **quick)
    before = tensors(out)

    def killed(*_: Any) -> Any:
        raise KeyboardInterrupt  # the bundle is there, and nobody has said so

    with monkeypatch.context() as patch:
        patch.setattr(of_job, "pod_curve", killed)
        with pytest.raises(KeyboardInterrupt):
            fs.fit_all(plant, out, **other)
    assert tensors(out) != before
    assert sorted(statuses(fs.fit_all(plant, out, **quick)).values()) == ["fitted", "unchanged", "unchanged"]
    assert tensors(out) == before


def test_one_command_at_a_time(plant: Path, tmp_path: Path, quick: dict[str, Any]) -> None:
    out = tmp_path / "bundles"
    (out / ".products").mkdir(parents=True)
    with (
        FileLock(out / ".products" / "lock"),
        pytest.raises(FlawsightError, match="another fit-all is writing to"),
        ThreadPoolExecutor() as pool,
    ):
        pool.submit(fs.fit_all, plant, out, **quick).result()


@pytest.mark.skipif(sys.platform != "linux", reason="names are bytes there")
def test_a_name_that_is_no_unicode(tmp_path: Path) -> None:
    name = os.fsdecode(b"B\xf6den <b>#1")
    row = ProductRow(name, "fitted", 20, 0.9, None, 0, 0, 5.0, 0.05, picture="data:,")
    page = write_index(tmp_path, [row], 1).read_text()
    assert 'href="B%F6den%20%3Cb%3E%231/report.html"' in page and "<b>#1" not in page
    assert write_summary(tmp_path, [row]).exists()


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_it_goes_on_after_kill_9(
    plant: Path, tmp_path: Path, quick: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr("tempfile.tempdir", None)
    whole, out = tmp_path / "whole", tmp_path / "killed"
    fs.fit_all(plant, whole, **quick)
    options = [f"--{name.replace('_', '-')}={value}" for name, value in quick.items()]
    command = [
        sys.executable,
        "-c",
        "from flawsight.cli import main; main()",
        "fit-all",
        plant,
        "--out",
        out,
        "--workers=1",
        *options,
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    end = time.monotonic() + 90
    while not finished_in(out) and time.monotonic() < end:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    finished = finished_in(out)
    assert finished
    before = times(out)
    result = fs.fit_all(plant, out, **quick)
    assert {name for name, status in statuses(result).items() if status == "unchanged"} >= finished
    assert all(times(out)[name] == before[name] for name in finished) and tensors(out) == tensors(whole)
    assert not list(out.glob("*/.search")) and not list(temporary.iterdir())


def test_the_row_says_from_which_size_nine_in_ten_are_found(plant: Path, tmp_path: Path, quick: dict[str, Any]) -> None:
    rows = fs.fit_all(plant, tmp_path / "bundles", **quick).rows
    for row in rows:
        pod = read_manifest(tmp_path / "bundles" / row.name).pod
        assert pod is not None
        sides, found = pod.together()
        assert (row.found, row.made) == (sum(found), len(found)) and row.smallest == pod_curve(sides, found).found_from
    plain = fs.fit_all(plant, tmp_path / "plain", **quick, pod=False)
    assert [(row.smallest, row.found, row.made) for row in plain.rows] == [(None, None, None)] * len(rows)
    assert "not measured" in (tmp_path / "plain" / "index.html").read_text()


def test_the_command(plant: Path, tmp_path: Path, quick: dict[str, Any]) -> None:
    options = [f"--{name.replace('_', '-')}={value}" for name, value in quick.items()]
    (plant / "bolt").mkdir()
    given = ["fit-all", str(plant), "--out", str(tmp_path / "bundles"), *options]
    done = CliRunner().invoke(app, [*given, "--json"])
    assert done.exit_code == 3
    document = json.loads(done.stdout)
    assert [row["status"] for row in document["products"]] == ["failed", "fitted", "fitted", "fitted"]
    (plant / "bolt").rmdir()
    done = CliRunner().invoke(app, given)
    assert done.exit_code == 0 and "unchanged" in done.stdout and "index.html" in done.stdout
