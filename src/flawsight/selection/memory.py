"""Memory: how many candidates are tried together, so that a search stays within its budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from flawsight.core import FlawsightError
from flawsight.detectors import Detector
from flawsight.features import Layer
from flawsight.inference.feature_pass import BATCH, release
from flawsight.selection.race.fidelity import Fidelity
from flawsight.selection.trials import Candidate
from flawsight.training import n_jobs

DEFAULT_LIMIT = 2 << 30
LEAST_WORKING = 256 << 20
MOST_TOGETHER = 128
PICTURE_BYTES = 24
"""A pixel of a picture that is cut: decoded, resized, with a defect, and as floats its map and weights."""
_FLOAT = 4
_USED = 0.85
"""The share of the limit that is planned with: what arrays take is an estimate."""
_SCATTER = 1.2
"""How much more than its arrays a process takes: freed blocks that cannot be used again (measured)."""


def memory_limit(asked: int | None) -> int:
    """Bytes the whole process may take: what was asked, else 2 GiB, or half of what is free where that is less."""
    if asked is not None:
        return asked
    return min(DEFAULT_LIMIT, _taken() + psutil.virtual_memory().available // 2)


def working_memory(limit: int | None) -> int:
    """Bytes left for the search's own arrays; an error where they would be too few to work with."""
    release()
    taken = _taken()
    left = int(_USED * memory_limit(limit)) - taken
    if left >= LEAST_WORKING:
        return left
    if limit is not None:
        raise FlawsightError(
            f"a limit of {limit / 1e9:.1f} GB of memory is too little: {taken / 1e9:.1f} GB are taken already, "
            f"use --max-memory {(taken + LEAST_WORKING) / _USED / 1e9 + 0.1:.1f}G or more"
        )
    return LEAST_WORKING


def check_cut_pictures(sizes: Sequence[tuple[int, int]], paths: Sequence[Path], limit: int | None) -> None:
    """Raise where a picture (height, width) that is cut into tiles takes more than the process may: itself and its map.

    Tiles themselves take the same, however large it is.
    """
    size, path = max(zip(sizes, paths, strict=True), key=lambda one: one[0][0] * one[0][1])
    needed, left = PICTURE_BYTES * size[0] * size[1], memory_limit(limit) - _taken()
    if limit is None:
        left = max(left, LEAST_WORKING)
    if needed > left:
        raise FlawsightError(
            f"{path} has {size[1]} x {size[0]} pixels: to join its map takes {needed / 1e9:.1f} GB, and "
            f"{max(left, 0) / 1e9:.1f} GB are left of the memory that was planned; allow more with --max-memory, cut "
            "the pictures in parts, or use --view whole"
        )


def groups_that_fit(
    candidates: Sequence[Candidate], layers: Mapping[str, Layer], stage: Fidelity, budget: int
) -> list[list[Candidate]]:
    """Cut candidates, in their order, into groups that `budget` bytes suffice for; one alone always makes a group.

    Results do not depend on the cut: only how often the network runs does.
    """
    if not candidates:
        return []
    groups: list[list[Candidate]] = [[]]
    held = most_passing = 0
    # On its way to the layers that are read, a forward pass holds a few maps that nobody asked for.
    largest = max(_values(layers[one.layer]) for one in candidates)
    network = 8 * n_jobs() * BATCH * _FLOAT * largest
    for one in candidates:
        layer, detector = layers[one.layer], one.reader(stage.detectors)
        more, passing = _held(layer, detector, stage), _passing(layer, detector, stage)
        needed = network + _SCATTER * (held + more + max(most_passing, passing))
        if groups[-1] and (needed > budget or len(groups[-1]) >= MOST_TOGETHER):
            groups.append([])
            held = most_passing = 0
        groups[-1].append(one)
        held, most_passing = held + more, max(most_passing, passing)
    return groups


def _values(layer: Layer) -> int:
    return layer.channels * layer.height * layer.width


def _held(layer: Layer, detector: Detector, stage: Fidelity) -> int:
    """Bytes a candidate holds all the while: what its detector collects, its maps, its part of the batches."""
    places = layer.height * layer.width
    collected = detector.collected_bytes(layer.channels, places, len(stage.validation.train))
    read = (n_jobs() + 1) * detector.collected_bytes(layer.channels, places, BATCH)
    batches = n_jobs() * BATCH * _values(layer) * _FLOAT
    grid = getattr(detector, "max_grid", None)  # maps are no finer than what the detector looks at
    mapped = min(places, grid**2) if grid else places
    return collected + read + batches + len(stage.validation.measured) * mapped * _FLOAT


def _passing(layer: Layer, detector: Detector, stage: Fidelity) -> int:
    """Bytes needed while this candidate's descriptors, what it learns or its figures are computed."""
    places = layer.height * layer.width
    collected = detector.collected_bytes(layer.channels, places, len(stage.validation.train))
    descriptors = 2 * BATCH * _values(layer) * _FLOAT
    judged = 3 * len(stage.validation.measured) * stage.evaluator.side**2 * _FLOAT
    return n_jobs() * max(2 * collected, descriptors, judged)


def _taken() -> int:
    return int(psutil.Process().memory_info().rss)
