"""The bundle on this machine: is it whole, does it say here what it said where it was made, and how fast."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from flawsight.bundle import Manifest, check_files, read_manifest
from flawsight.core import FlawsightError
from flawsight.inspection import Inspector
from flawsight.runtime import Samples
from flawsight.runtime.parity import SCORE_TOLERANCE, largest_difference
from flawsight.station.doctor.check import Check

SECONDS, LEAST_RUNS, WARM_UP = 0.5, 20, 3


def whole(folder: Path) -> tuple[Check, Manifest | None]:
    """Whether the bundle is all there and unchanged; its manifest, if that can be read."""
    try:
        manifest = read_manifest(folder)
    except FlawsightError as error:
        return Check("bundle", "failed", str(error), "copy it again from where it was made"), None
    try:
        check_files(folder, manifest)
    except (FlawsightError, OSError) as error:
        return Check("bundle", "failed", str(error), "copy it again from where it was made"), manifest
    text = f"'{folder}': format {manifest.format}, {len(manifest.files)} files as they were written"
    if manifest.runtime is None:
        remedy = f"`flawsight export {folder}` makes one where torch is installed"
        return Check("bundle", "failed", f"{text}, but no graph: it needs torch, a station has none", remedy), manifest
    return Check("bundle", "ok", f"{text}; graph {manifest.runtime.file} ({manifest.runtime.precision})"), manifest


def self_test(manifest: Manifest, inspector: Inspector, squares: list[np.ndarray]) -> Check:
    """Whether the bundle's own pictures get the scores and verdicts that torch gave them."""
    about, runtime, name = manifest.samples, manifest.runtime, inspector.backend.name
    assert about is not None
    torchs, scores = np.array(about.scores), inspector.backend.predict(squares)[1]
    flips = int(((scores > inspector.threshold) != (torchs > manifest.operating_point.threshold)).sum())
    off = largest_difference(scores, torchs)
    # What a graph of less precision was allowed where it was made, it is allowed here.
    known = runtime.parity.get(name) if runtime and runtime.precision != "fp32" else None
    allowed, allowed_flips = (known.score_difference, known.flips) if known else (0.0, 0)
    text = f"{len(squares)} pictures of the bundle in {name}: scores off by {off:.1g}, {flips} other verdicts"
    if off > allowed + SCORE_TOLERANCE or flips > allowed_flips:
        remedy = "try the other --backend, and update onnxruntime and openvino; do not trust its verdicts here"
        return Check(
            "self-test", "failed", f"{text} (allowed {allowed + SCORE_TOLERANCE:.1g}, {allowed_flips})", remedy
        )
    return Check("self-test", "ok", text)


def speed(manifest: Manifest, inspector: Inspector, squares: list[np.ndarray]) -> Check:
    """Pictures a second, by the bundle's own pictures, for half a second or twenty runs."""
    tiles = _tiles(manifest, inspector)
    times: list[float] = []
    for run in range(WARM_UP):
        inspector.backend.predict([squares[run % len(squares)]])
    end = time.perf_counter() + SECONDS
    while time.perf_counter() < end or len(times) < LEAST_RUNS:
        start = time.perf_counter()
        inspector.backend.predict([squares[len(times) % len(squares)]])
        times.append(1000 * (time.perf_counter() - start))
    middle, p99 = np.percentile(times, (50, 99)).tolist()
    a_second = 1000 * len(times) / sum(times) / tiles
    text = f"{a_second:.1f} pictures a second, {middle * tiles:.1f} ms each, p99 {p99 * tiles:.1f} ms"
    text += f" (of {tiles} tiles)" if tiles > 1 else ""
    text += f", in {inspector.backend.name}, without reading files"
    if p99 > 5 * middle:
        remedy = "other programs take the processor, or it is throttled: stop them, see its cooling and power plan"
        return Check("speed", "warning", text, remedy)
    return Check("speed", "ok", text)


def samples(folder: Path, manifest: Manifest) -> list[np.ndarray]:
    """The squares of the bundle's own pictures; none where it keeps none."""
    return Samples.of_bundle(folder, manifest.samples).squares if manifest.samples else []


def _tiles(manifest: Manifest, inspector: Inspector) -> int:
    """Squares of the largest picture that was learned from."""
    pixels = manifest.data.pixels
    if inspector.region is not None:
        return inspector.view.frame(inspector.region.size, inspector.region).tiles
    return inspector.view.frame(pixels.sizes[1]).tiles if pixels and pixels.sizes else 1
