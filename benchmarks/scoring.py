"""Distances of patches to their nearest descriptors of a memory bank."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from benchmarks._anomalib import peer_name
from benchmarks._exact import nearest
from benchmarks._inputs import clustered
from benchmarks._measure import Row, Run, alternate
from flawsight.detectors.bases.nearest import nearest_distances

CHANNELS, PLACES = 152, 32 * 32


@torch.inference_mode()
def run(run: Run) -> Iterator[Row]:
    """Time for a batch of images, and how far the distances differ."""
    from anomalib.models.image.patchcore.torch_model import PatchcoreModel

    images, bank_size, times = run.size((32, 1000, 10), (4, 200, 3))
    values = torch.from_numpy(clustered(images * PLACES + bank_size, CHANNELS, run.seed))
    bank, queries = values[:bank_size].clone(), values[bank_size:]
    model = PatchcoreModel(layers=["layer1"], backbone="resnet18", pre_trained=False).eval()
    model.memory_bank = bank
    calls = {
        "ours": lambda: nearest_distances(queries, bank),
        "theirs": lambda: model.nearest_neighbors(queries, n_neighbors=1)[0],
    }
    alternate(calls, 1)  # warm-up
    found = alternate(calls, times)
    ours, peer = found["ours"], found["theirs"]
    exact = nearest(queries.numpy(), bank.numpy())
    difference = float((ours.result - peer.result).abs().max())
    details = {
        "largest_difference": difference,
        "largest_error_of_ours": float(np.abs(ours.result.numpy() - exact).max()),
        "largest_error_of_peer": float(np.abs(peer.result.numpy() - exact).max()),
        "ours_s": ours.seconds,
        "peer_s": peer.seconds,
    }
    yield run.row(
        "scoring",
        "nearest distances: time",
        (ours.median, peer.median),
        "s",
        peer_name("PatchcoreModel.nearest_neighbors"),
        note=f"largest difference {difference:.1e}",
        settings={"images": images, "channels": CHANNELS, "bank": bank_size, "times": times},
        details=details,
    )
