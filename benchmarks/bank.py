"""Greedy k-center of many descriptors to a memory bank."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from benchmarks._anomalib import peer_name, seed_everything
from benchmarks._exact import nearest
from benchmarks._inputs import CATEGORY, clustered, real_descriptors
from benchmarks._measure import OURS_OVER_PEER, Row, Run, alternate
from flawsight.detectors import greedy_k_center

CHANNELS = 152


def run(run: Run) -> Iterator[Row]:
    """Time and coverage radius, on random clusters and on descriptors of real images."""
    count, size = run.size((200_000, 1000), (6_000, 100))
    yield from compare(run, "random clusters", clustered(count, CHANNELS, run.seed), size)
    if run.data is not None:
        yield from compare(run, CATEGORY, real_descriptors(run.data / CATEGORY, count, run.seed), size)


def compare(run: Run, name: str, descriptors: np.ndarray, size: int) -> Iterator[Row]:
    from anomalib.models.components import KCenterGreedy

    embedding = torch.from_numpy(descriptors)
    projected: list[int] = []

    def theirs() -> list[int]:
        seed_everything(run.seed)
        sampler = KCenterGreedy(embedding, sampling_ratio=(size + 0.5) / len(embedding))
        chosen = sampler.select_coreset_idxs()
        projected.append(sampler.features.shape[1])
        return chosen

    greedy_k_center(descriptors[:1000], 10)  # warm-up
    found = alternate({"ours": lambda: greedy_k_center(descriptors, size, seed=run.seed), "theirs": theirs}, run.repeat)
    ours, peer = found["ours"], found["theirs"]
    settings = {"descriptors": len(descriptors), "channels": descriptors.shape[1], "bank": size}
    details = {"ours_s": ours.seconds, "peer_s": peer.seconds, "peer_projects_to": projected[-1]}
    who = peer_name("KCenterGreedy")
    times = (ours.median, peer.median)
    yield run.row("bank", f"{name}: time", times, "s", who, target=">= 15", settings=settings, details=details)
    radii = (radius(descriptors, ours.result), radius(descriptors, np.array(peer.result)))
    yield run.row("bank", f"{name}: coverage radius", radii, "", who, OURS_OVER_PEER, "<= 1.05", settings=settings)


def radius(descriptors: np.ndarray, chosen: np.ndarray) -> float:
    """The largest distance of any descriptor to its nearest chosen one."""
    return float(nearest(descriptors, descriptors[chosen]).max())
