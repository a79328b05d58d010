"""The whole of our default fit against one fit of anomalib's PatchCore, each in a process of its own."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from benchmarks._anomalib import fit_folder, import_all, pair_blocks, peer_name
from benchmarks._inputs import CATEGORY, copied, files, good_paths
from benchmarks._measure import OURS_OVER_PEER, Row, Run, in_child, peak_mib
from flawsight.features import DEFAULT_EXTRACTOR, Extractor
from flawsight.pipeline import run_fit
from flawsight.settings import FitSettings

BANK = 1000


def run(run: Run) -> Iterator[Row]:
    """Time of the fit alone, without imports, and the peak memory of each process."""
    assert run.data is not None
    count, side = run.size((140, 256), (12, 128))
    extractor = Extractor(image_size=side, device="cpu")
    grid = extractor.layer(extractor.default_pair[0])
    ratio = (BANK + 0.5) / (count * grid.height * grid.width)
    found: dict[str, list[dict]] = {"ours": [], "theirs": []}
    with tempfile.TemporaryDirectory() as scratch:
        weights = Path(scratch, "weights.pth")
        torch.save(extractor.network.module.state_dict(), weights)
        folder = copied(good_paths(run.data / CATEGORY, count, run.seed), Path(scratch, "good"))
        peer = {
            "layers": pair_blocks(extractor),
            "ratio": ratio,
            "mean": extractor.network.mean,
            "std": extractor.network.std,
            "weights": str(weights),
        }
        common = {"folder": str(folder), "image_size": side, "seed": run.seed}
        for _ in range(run.repeat):
            found["ours"].append(in_child(ours, **common))
            found["theirs"].append(in_child(theirs, **common, **peer))
    settings = {"images": count, "image_size": side, "data": CATEGORY, "peer_layers": peer["layers"], "bank": BANK}
    yield from rows(run, found, settings)


def rows(run: Run, found: dict[str, list[dict]], settings: dict[str, Any]) -> Iterator[Row]:
    who, last = peer_name("PatchCore, one fit"), found["ours"][-1]
    note = f"ours tries {last['layers_tried']} layers and fits {last['members']} members with all folds"
    seconds, memory = (
        (statistics.median(one[key] for one in found["ours"]), statistics.median(one[key] for one in found["theirs"]))
        for key in ("seconds", "peak_mib")
    )
    yield run.row("fit", "time", seconds, "s", who, OURS_OVER_PEER, note=note, settings=settings, details=found)
    imported = [found[key][-1]["imported_mib"] for key in ("ours", "theirs")]
    note = f"after imports, ours {imported[0]:.0f} and the peer {imported[1]:.0f} MiB"
    yield run.row("fit", "peak memory", memory, "MiB", who, OURS_OVER_PEER, note=note, settings=settings, details=found)


def ours(folder: str, image_size: int, seed: int) -> dict[str, Any]:
    paths, imported = files(folder), peak_mib()
    start = time.perf_counter()
    done = run_fit(
        FitSettings.of({"good": paths, "out": None, "image_size": image_size, "seed": seed, "device": "cpu"})
    )
    seconds = time.perf_counter() - start
    manifest = done.inspector.manifest
    assert manifest.selection is not None
    return {
        "seconds": seconds,
        "stages": done.record.timings,
        "layers_tried": manifest.selection.layers_tried,
        "members": len(manifest.members),
        "imported_mib": imported,
    }


def theirs(folder: str, image_size: int, seed: int, weights: str, **settings: Any) -> dict[str, Any]:
    import_all()
    state, imported = torch.load(weights, weights_only=True), peak_mib()
    with tempfile.TemporaryDirectory() as out:
        start = time.perf_counter()
        bank = fit_folder(folder, out, DEFAULT_EXTRACTOR, image_size=image_size, seed=seed, weights=state, **settings)
        return {"seconds": time.perf_counter() - start, "bank": bank, "imported_mib": imported}
