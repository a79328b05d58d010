"""One backend in a process of its own: python -m flawsight.runtime.measure JSON, which prints JSON."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from flawsight.bundle import read_manifest
from flawsight.core import FlawsightError
from flawsight.runtime.load import load
from flawsight.runtime.parity import largest_difference
from flawsight.runtime.samples import Samples

WARM_UP = 5


def main() -> None:
    """Measure what the first argument asks for; what is wrong is one line on standard error, with exit code 2."""
    try:
        print(json.dumps(measure(**json.loads(sys.argv[1]))))
    except FlawsightError as error:
        print(error, file=sys.stderr)
        sys.exit(2)


def measure(
    bundle: str, backend: str, threads: int | None, batches: list[int], repeat: int, started: float
) -> dict[str, Any]:
    """Milliseconds of every run by batch, seconds since `started` until the first verdict, memory, and sameness."""
    inspector = load(bundle, device="cpu" if backend == "torch" else "auto", backend=backend, threads=threads)
    manifest = read_manifest(Path(bundle))
    if manifest.samples is None:
        raise FlawsightError(f"bundle '{bundle}' keeps no pictures")
    squares = Samples.of_bundle(Path(bundle), manifest.samples).squares
    inspector.backend.predict(squares[:1])
    startup = time.time() - started
    scores, torchs = inspector.backend.predict(squares)[1], np.array(manifest.samples.scores)
    flips = (scores > inspector.threshold) != (torchs > manifest.operating_point.threshold)
    run: Any = getattr(inspector.backend, "predict_batch", inspector.backend.predict)
    return {
        "startup_s": startup,
        "score_difference": largest_difference(scores, torchs),
        "flips": int(flips.sum()),
        "ms": {batch: _milliseconds(run, squares, batch, repeat) for batch in batches},
        "peak_mib": peak_mib(),
    }


def _milliseconds(run: Callable[[np.ndarray], Any], squares: list[np.ndarray], batch: int, repeat: int) -> list[float]:
    """Of each run with so many pictures, after a warm-up."""
    found = []
    for number in range(-WARM_UP, repeat):
        some = np.stack([squares[(number * batch + at) % len(squares)] for at in range(batch)])
        start = time.perf_counter()
        run(some)
        found.append(1000 * (time.perf_counter() - start))
    return found[WARM_UP:]


def peak_mib() -> float | None:
    """Most memory that this process held, in MiB; None where the system does not tell (Windows)."""
    status = Path("/proc/self/status")
    if status.exists():  # Linux's ru_maxrss also counts the process that started this one
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    try:
        import resource
    except ModuleNotFoundError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20) if sys.platform == "darwin" else peak / 1024


if __name__ == "__main__":
    main()
