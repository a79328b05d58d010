"""Peak memory of whole processes: an exhaustive search of a large network, the default fit, and anomalib's fit."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks._anomalib import fit_folder, import_all, peer_name
from benchmarks._inputs import files, textures, written
from benchmarks._measure import OURS_OVER_PEER, Row, Run, in_child, peak_mib
from flawsight.detectors import PatchCore
from flawsight.features import Extractor
from flawsight.features.networks import IMAGENET_MEAN, IMAGENET_STD
from flawsight.pipeline import fit
from flawsight.selection import LayerSelection
from flawsight.views import ImageCache

NETWORK = "wide_resnet50_2"
PAIR = ["layer2", "layer3"]
RATIO = 0.001  # of its default 0.1, for time: its memory is that of the descriptors, not of the bank
LIMITS = {"exhaustive search": 4096.0, "default fit": 2048.0}
MAX_MEMORY = int(3.5 * (1 << 30))  # what the exhaustive search is told; the default fit is told nothing


def run(run: Run) -> Iterator[Row]:
    """Peak memory against a limit and against anomalib's PatchCore fit of the same images."""
    count, side, layers = run.size((300, 256, "all"), (12, 128, "layer2.*.add,layer3.*.add"))
    with tempfile.TemporaryDirectory() as scratch:
        folder = written(textures(count, side, run.seed), Path(scratch, "good"))
        common = {"folder": str(folder), "image_size": side, "seed": run.seed}
        given: dict[str, Any] = {"images": count, "image_size": side, "data": "synthetic textures"}
        network = {"network": f"{NETWORK}, random weights", "layers": layers}
        found: dict[str, tuple[dict, dict]] = {}
        found["default fit"] = in_child(default_fit, **common), given
        yield against_limit(run, "default fit", *found["default fit"])
        found["exhaustive search"] = in_child(exhaustive, **common, layers=layers), {**given, **network}
        yield against_limit(run, "exhaustive search", *found["exhaustive search"])
        peer = in_child(theirs, **common)
    for name, (ours, settings) in found.items():
        yield against_peer(run, name, ours, settings, peer)


def against_limit(run: Run, name: str, ours: dict, settings: dict) -> Row:
    peer, figures = f"limit of {LIMITS[name] / 1024:.0f} GiB", (ours["peak_mib"], LIMITS[name])
    note = f"{ours['imported_mib']:.0f} MiB before the first image"
    return run.row(
        "memory",
        f"{name}: peak",
        figures,
        "MiB",
        peer,
        OURS_OVER_PEER,
        target="<= 1",
        note=note,
        settings=settings,
        details=ours,
    )


def against_peer(run: Run, name: str, ours: dict, settings: dict, peer: dict) -> Row:
    who = peer_name(f"PatchCore fit of {NETWORK}, {'+'.join(PAIR)}, {RATIO:.0%}")
    figures, details = (ours["peak_mib"], peer["peak_mib"]), {"ours": ours, "peer": peer}
    note = f"the peer {peer['imported_mib']:.0f} MiB before the first image"
    return run.row(
        "memory", f"{name}: peak", figures, "MiB", who, OURS_OVER_PEER, note=note, settings=settings, details=details
    )


def exhaustive(folder: str, image_size: int, layers: str, seed: int) -> dict[str, Any]:
    extractor = Extractor(NETWORK, "random", image_size, device="cpu")
    search = LayerSelection(
        PatchCore(seed=seed), layers, defects="nsa", search="exhaustive", seed=seed, max_memory=MAX_MEMORY
    )
    imported, start = peak_mib(), time.perf_counter()
    search.fit(extractor, ImageCache(files(folder), image_size))
    return {"seconds": time.perf_counter() - start, "layers": len(search.trials_), "imported_mib": imported}


def default_fit(folder: str, image_size: int, seed: int) -> dict[str, Any]:
    imported, start = peak_mib(), time.perf_counter()
    inspector = fit(files(folder), image_size=image_size, seed=seed, device="cpu")
    return {
        "seconds": time.perf_counter() - start,
        "members": len(inspector.manifest.members),
        "imported_mib": imported,
    }


def theirs(folder: str, image_size: int, seed: int) -> dict[str, Any]:
    import_all()
    imported, start = peak_mib(), time.perf_counter()
    with tempfile.TemporaryDirectory() as out:
        bank = fit_folder(
            folder, out, NETWORK, PAIR, RATIO, image_size, list(IMAGENET_MEAN), list(IMAGENET_STD), None, seed
        )
    return {"seconds": time.perf_counter() - start, "bank": bank, "imported_mib": imported}
