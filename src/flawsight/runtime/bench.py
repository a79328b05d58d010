"""How fast a bundle is on this machine, and whether it says the same here as in torch."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from flawsight.bundle import Manifest, SampleInfo, check_files, read_manifest
from flawsight.bundle.store import DETECTORS
from flawsight.core import FlawsightError, Progress, default_progress
from flawsight.data import read_image
from flawsight.runtime.graph_backend import is_installed
from flawsight.runtime.load import BACKENDS, graph_for
from flawsight.runtime.samples import Samples
from flawsight.settings import BenchSettings
from flawsight.views import resize_image


@dataclass(frozen=True)
class Measured:
    """One backend with so many threads (None: all cores) and pictures at once.

    Milliseconds are those of one picture, resized already, to its map and score. `startup_s`: from the start of a
    process to its first verdict. `peak_mib`: that process's memory, None where the system does not tell.
    `score_difference`: the largest from torch's recorded scores, as a share where they are above 1; `flips`: verdicts
    that differ. These four are of the whole process, with all its batches.

    >>> settings = fs.settings.BenchSettings(bundle=bundle, backend="onnxruntime", batch=1, repeat=3)
    >>> one = run_bench(settings).rows[0]
    >>> one.backend, one.batch, one.flips, one.min_ms <= one.median_ms <= one.p99_ms
    ('onnxruntime', 1, 0, True)
    """

    backend: str
    threads: int | None
    batch: int
    median_ms: float
    p95_ms: float
    p99_ms: float
    min_ms: float
    pictures_per_second: float
    startup_s: float
    peak_mib: float | None
    score_difference: float
    flips: int


@dataclass(frozen=True)
class BenchReport:
    """What was measured, and `failed`: the backends that could not be, with the reason.

    `decode_ms`: to read and resize one of the samples from a PNG file of `image_size` pixels a side.

    >>> settings = fs.settings.BenchSettings(bundle=bundle, backend="onnxruntime", batch=(1, 2), repeat=3)
    >>> report = run_bench(settings)
    >>> [row.batch for row in report.rows], report.image_size, report.failed
    ([1, 2], 64, {})
    """

    image_size: int
    precision: str
    samples: int
    decode_ms: float
    rows: tuple[Measured, ...]
    failed: dict[str, str]


def run_bench(settings: BenchSettings, progress: Progress | None = None) -> BenchReport:
    """Measure a bundle's backends on this machine, each with each number of threads in a process of its own.

    The pictures are the bundle's samples. FlawsightError where a backend that was named cannot run it, or none can.

    >>> settings = fs.settings.BenchSettings(bundle=bundle, backend="onnxruntime", batch=1, repeat=3)
    >>> run_bench(settings).rows[0].score_difference < 1e-3
    True
    """
    folder = settings.bundle
    manifest = read_manifest(folder)
    check_files(folder, manifest)
    if manifest.samples is None:
        raise FlawsightError(
            f"bundle '{folder}' has no graph and keeps no pictures to measure with: `flawsight export {folder} "
            "--good FOLDER` makes both where torch is installed"
        )
    names, failed = _backends(folder, manifest, settings.backend)
    jobs = [(name, threads) for name in names for threads in settings.threads or (None,)]
    rows: list[Measured] = []
    with (progress or default_progress()).stage("Measuring", len(jobs)) as advance:
        for name, threads in jobs:
            try:
                rows += _measured(settings, name, threads)
            except FlawsightError as error:
                if name in settings.backend:
                    raise
                failed[name] = str(error)
            advance(1)
    if not rows:
        raise FlawsightError("no backend runs this bundle here: " + "; ".join(failed.values()))
    return BenchReport(
        image_size=manifest.extractor.image_size,
        precision=manifest.runtime.precision if manifest.runtime else "fp32",
        samples=len(manifest.samples.kinds),
        decode_ms=_decode_ms(folder, manifest.samples, settings.repeat),
        rows=tuple(rows),
        failed=failed,
    )


def _backends(folder: Path, manifest: Manifest, asked: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Those to measure; and with `auto` those that cannot run this bundle here, with the reason."""
    if asked and "auto" not in asked:
        for name in asked:
            _check(folder, manifest, name)
        return list(dict.fromkeys(asked)), {}
    found, failed = [], {}
    for name in BACKENDS:
        try:
            _check(folder, manifest, name)
            found.append(name)
        except FlawsightError as error:
            failed[name] = str(error)
    return found, failed


def _check(folder: Path, manifest: Manifest, name: str) -> None:
    """FlawsightError where a backend is unknown, not installed, or nothing for this bundle."""
    if name not in BACKENDS:
        BACKENDS[name]
    if name == "torch":
        if DETECTORS not in manifest.files:
            raise FlawsightError(f"bundle '{folder}' was made for the line, without {DETECTORS}: torch cannot run it")
        if not is_installed("torch"):
            raise FlawsightError("the backend torch is not installed: pip install 'flawsight[fit]'")
        return
    graph_for(folder, manifest, name)
    if name == "openvino" and not is_installed("openvino"):
        raise FlawsightError("the backend openvino is not installed: pip install 'flawsight[openvino]'")


def _measured(settings: BenchSettings, name: str, threads: int | None) -> list[Measured]:
    """A row for each batch, from a process of its own, which does not outlive this one's interruption."""
    asked: dict[str, Any] = {
        "bundle": str(settings.bundle.resolve()),
        "backend": name,
        "threads": threads,
        "batches": settings.batch,
        "repeat": settings.repeat,
        "started": time.time(),
    }
    command = [sys.executable, "-m", "flawsight.runtime.measure", json.dumps(asked)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = next(iter(reversed(done.stderr.strip().splitlines())), f"exit code {done.returncode}")
        raise FlawsightError(f"{name} cannot be measured here: {reason}")
    answer = json.loads(done.stdout.splitlines()[-1])
    whole = {key: answer[key] for key in ("startup_s", "peak_mib", "score_difference", "flips")}
    return [
        Measured(name, threads, int(batch), **_figures(ms, int(batch)), **whole) for batch, ms in answer["ms"].items()
    ]


def _figures(ms: Sequence[float], batch: int) -> dict[str, Any]:
    """Of the milliseconds of runs with so many pictures each."""
    low, middle, p95, p99 = (np.percentile(ms, (0, 50, 95, 99)) / batch).tolist()
    return {
        "median_ms": middle,
        "p95_ms": p95,
        "p99_ms": p99,
        "min_ms": low,
        "pictures_per_second": 1000 * batch * len(ms) / sum(ms),
    }


def _decode_ms(folder: Path, about: SampleInfo, repeat: int) -> float:
    """Median milliseconds from a PNG file to the network's input."""
    squares = Samples.of_bundle(folder, about).squares
    found = []
    with tempfile.TemporaryDirectory() as name:
        path = Path(name, "picture.png")
        for number in range(repeat):
            square = squares[number % len(squares)]
            path.write_bytes(cv2.imencode(".png", cv2.cvtColor(square, cv2.COLOR_RGB2BGR))[1].tobytes())
            start = time.perf_counter()
            resize_image(read_image(path), len(square))
            found.append(1000 * (time.perf_counter() - start))
    return statistics.median(found)
