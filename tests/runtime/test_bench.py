"""`bench`: rows for every backend, number of threads and batch, each from a process of its own."""

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

import flawsight as fs
from flawsight.bundle import read_manifest, write_bundle
from flawsight.core import FlawsightError
from flawsight.inspection import Inspector
from flawsight.runtime import BACKENDS, run_bench
from flawsight.runtime.bench import _figures
from flawsight.settings import BenchSettings


def settings(bundle: Path, **options: object) -> BenchSettings:
    return BenchSettings.of({"bundle": bundle, "repeat": 3, "batch": (1, 2), **options})


def test_every_backend_threads_and_batch_has_a_row(bundle: Path) -> None:
    report = run_bench(settings(bundle, threads=(1, 2)))
    expected = [(name, threads, batch) for name in BACKENDS for threads in (1, 2) for batch in (1, 2)]
    assert [(row.backend, row.threads, row.batch) for row in report.rows] == expected
    for row in report.rows:
        assert 0 < row.min_ms <= row.median_ms <= row.p95_ms <= row.p99_ms
        assert row.pictures_per_second > 0 and row.startup_s > 0
        assert row.peak_mib is None or row.peak_mib > 10
        assert row.flips == 0 and row.score_difference < 1e-3
    samples = read_manifest(bundle).samples
    assert samples and (report.samples, report.image_size, report.failed) == (len(samples.kinds), 64, {})
    assert report.decode_ms > 0


def test_figures_are_those_of_one_picture() -> None:
    found = _figures([10.0, 20.0, 30.0], 2)
    assert (found["min_ms"], found["median_ms"], found["pictures_per_second"]) == (5.0, 10.0, 100.0)


def test_other_answers_than_torchs_are_counted(bundle: Path, tmp_path: Path) -> None:
    """The recorded scores are moved up: the graph then seems to see less, and the first sample as good."""
    manifest = read_manifest(bundle)
    assert manifest.samples
    scores = [score + 5 for score in manifest.samples.scores]
    samples = manifest.samples.model_copy(update={"scores": tuple(scores)})
    files = {name: (bundle / name).read_bytes() for name in manifest.files}
    folder = write_bundle(manifest.model_copy(update={"samples": samples}), files, tmp_path / "moved")
    row = run_bench(settings(folder, backend="onnxruntime", batch=1)).rows[0]
    assert row.flips >= 1 and row.score_difference > 0.1


def test_what_is_asked_for_and_is_not_there_is_said(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FlawsightError, match=r"unknown backend 'onnx'.*onnxruntime"):
        run_bench(settings(bundle, backend="onnx"))
    monkeypatch.setattr("flawsight.runtime.bench.is_installed", lambda name: False)
    with pytest.raises(FlawsightError, match=r"openvino is not installed.*flawsight\[openvino\]"):
        run_bench(settings(bundle, backend="onnxruntime,openvino"))
    report = run_bench(settings(bundle, batch=1))
    assert {row.backend for row in report.rows} == {"onnxruntime"}
    assert list(report.failed) == ["openvino", "torch"]


def test_bundles_that_cannot_be_measured(bundle: Path, fitted: Inspector, tmp_path: Path) -> None:
    folder = fs.save(fitted, tmp_path / "without")
    with pytest.raises(FlawsightError, match=r"no graph.*flawsight export"):
        run_bench(settings(folder))
    line = tmp_path / "line"
    manifest = read_manifest(bundle)
    kept = {name: (bundle / name).read_bytes() for name in ("model.onnx", "samples.png")}
    write_bundle(manifest, kept, line)
    with pytest.raises(FlawsightError, match="torch cannot run it"):
        run_bench(settings(line, backend="torch"))


def test_a_backend_that_fails_is_named_with_its_reason(bundle: Path, tmp_path: Path) -> None:
    manifest = read_manifest(bundle)
    files = {name: (bundle / name).read_bytes() for name in manifest.files} | {"model.onnx": b"nonsense"}
    folder = write_bundle(manifest, files, tmp_path / "broken")
    with pytest.raises(FlawsightError, match="onnxruntime cannot be measured here: ONNX Runtime"):
        run_bench(settings(folder, backend="onnxruntime"))
    report = run_bench(settings(folder, batch=1))
    assert {row.backend for row in report.rows} == {"torch"} and list(report.failed) == ["onnxruntime", "openvino"]


def test_the_child_does_not_need_torch(bundle: Path) -> None:
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from flawsight.runtime.measure import measure\n"
        f"found = measure({str(bundle)!r}, 'onnxruntime', 1, [1], 1, 0.0)\n"
        "assert len(found['ms'][1]) == 1"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def command(*arguments: object) -> list[str]:
    code = "from flawsight.cli.app import main; main()"
    return [sys.executable, "-c", code, "bench", *map(str, arguments)]


def test_the_command_prints_a_table_or_json(bundle: Path, tmp_path: Path) -> None:
    quick = (bundle, "--backend", "onnxruntime", "--batch", 1, "--repeat", 3)
    shown = subprocess.run(command(*quick), capture_output=True, text=True, check=True).stdout
    assert "onnxruntime" in shown and "ms a picture" in shown and "Mind" not in shown
    document = json.loads(subprocess.run(command(*quick, "--json"), capture_output=True, text=True, check=True).stdout)
    assert document["rows"][0]["flips"] == 0 and document["bundle"] == str(bundle)
    shutil.rmtree(tmp_path)
    done = subprocess.run(command(tmp_path), capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "is no bundle" in done.stderr and len(done.stderr.splitlines()) == 1


def until(found: Callable[[], object], seconds: float = 60) -> bool:
    deadline = time.monotonic() + seconds
    while not found() and time.monotonic() < deadline:
        time.sleep(0.05)
    return bool(found())


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no SIGINT to one process")
def test_an_interrupt_ends_the_children(bundle: Path) -> None:
    long = (bundle, "--backend", "onnxruntime", "--repeat", 10_000_000)
    parent = subprocess.Popen(command(*long), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    seen = psutil.Process(parent.pid)
    assert until(lambda: [one for one in seen.children() if "flawsight.runtime.measure" in one.cmdline()])
    children = seen.children()
    parent.send_signal(signal.SIGINT)
    _, err = parent.communicate(timeout=60)
    assert parent.returncode == 130 and "interrupted" in err and "Traceback" not in err
    assert until(lambda: not any(child.is_running() for child in children))
