"""Greedy k-center: a few descriptors that cover all of them (Sec. 3.2 of the PatchCore paper)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import torch
from torch import Tensor

from flawsight.core import FlawsightError

_CANDIDATES = 32
_FLOAT = 4


def greedy_k_center(
    descriptors: np.ndarray | Tensor, size: int, seed: int = 0, max_memory: int | None = None
) -> np.ndarray:
    """Indices (size,) of descriptors (N, D) chosen so that each next one is the farthest from those before.

    The first is drawn by `seed`. All of them when `size` >= N. Exact up to rounding; O(N size D) time. Holds at most
    `max_memory` bytes: where a copy of the descriptors is more, they are read in blocks, about once for every 25
    chosen, so that they may be a memory-mapped array larger than memory.

    >>> descriptors = np.array([[0.0], [0.1], [5.0], [9.0], [9.1]])
    >>> sorted(greedy_k_center(descriptors, size=3).tolist())
    [0, 2, 4]
    """
    if descriptors.ndim != 2 or not len(descriptors):
        raise FlawsightError(f"descriptors must have shape (N, D) with N >= 1, not {tuple(descriptors.shape)}")
    if size < 1:
        raise FlawsightError(f"a memory bank of {size} descriptors cannot be built: use 1 or more")
    points = _Points(descriptors, max_memory)
    count = len(descriptors)
    if size >= count:
        return np.arange(count)
    chosen = [int(np.random.default_rng(seed).integers(count))]
    nearest = points.squared_distances(torch.tensor(chosen))[0]
    nearest[chosen[0]] = -1.0
    while len(chosen) < size:
        # The farthest points of this moment hold most of the next choices: their distances to all others come from
        # one matrix product, and serve as long as the farthest point is among them.
        candidates = torch.topk(nearest, min(points.candidates, count - len(chosen))).indices
        rows = points.squared_distances(candidates)
        row_of = {int(index): row for row, index in enumerate(candidates)}
        while len(chosen) < size:
            farthest = int(nearest.argmax())
            if farthest not in row_of:
                farthest = int(candidates[nearest[candidates].argmax()])
                if nearest[farthest] < nearest.max():  # else both are as far, and either will do
                    break
            torch.minimum(nearest, rows[row_of[farthest]], out=nearest)
            nearest[farthest] = -1.0
            chosen.append(farthest)
    return np.array(chosen)


class _Points:
    """The descriptors less their mean, held as one block where they fit, else read block by block each time."""

    def __init__(self, descriptors: np.ndarray | Tensor, max_memory: int | None) -> None:
        count, size = descriptors.shape
        self.source = descriptors
        self.candidates, self.rows = _CANDIDATES, count
        if max_memory is not None and max_memory < _FLOAT * count * (size + _CANDIDATES + 3):
            # Two numbers for each point always, a quarter of the rest for candidates' distances, the rest for blocks.
            left = max_memory - 3 * _FLOAT * count
            self.candidates = min(_CANDIDATES, left // (4 * _FLOAT * count))
            self.rows = (left - self.candidates * _FLOAT * count) // (3 * _FLOAT * size)
            if self.candidates < 1 or self.rows < 1:
                raise FlawsightError(
                    f"{max_memory} bytes of memory are too few for {count:,} descriptors of {size}: "
                    f"use {_FLOAT * (8 * count + 4 * size)} or more"
                )
        self.centre = torch.zeros(size, device=getattr(descriptors, "device", None))
        total = sum(block.sum(0, dtype=torch.float64) for _, block in self._read())
        self.centre = (torch.as_tensor(total) / count).float()
        self.held = list(self._read()) if self.rows == count else None
        self.squares = torch.cat([(block * block).sum(1) for _, block in self.blocks])

    @property
    def blocks(self) -> Iterable[tuple[slice, Tensor]]:
        return self.held if self.held is not None else self._read()

    def _read(self) -> Iterator[tuple[slice, Tensor]]:
        for start in range(0, len(self.source), self.rows):
            part = slice(start, start + self.rows)
            block = _tensor(self.source[part])
            if not torch.isfinite(block).all():
                raise FlawsightError("descriptors hold NaN or infinity: no farthest one can be told")
            yield part, block - self.centre  # without the mean, |a|^2 + |b|^2 - 2ab loses fewer digits

    def squared_distances(self, indices: Tensor) -> Tensor:
        """Squared distances (len(indices), N) from the indexed points to all, not below zero."""
        picked = self.source[indices if isinstance(self.source, Tensor) else indices.numpy()]
        chosen = _tensor(picked) - self.centre
        rows = torch.empty(len(indices), len(self.source), device=chosen.device)
        for part, block in self.blocks:
            torch.addmm(self.squares[indices][:, None], chosen, block.T, alpha=-2, out=rows[:, part])
        return rows.add_(self.squares).clamp_(min=0)


def _tensor(values: np.ndarray | Tensor) -> Tensor:
    """As float32; an array is copied, for one that is mapped from a file may be read-only."""
    return values.float() if isinstance(values, Tensor) else torch.from_numpy(np.array(values, np.float32))
