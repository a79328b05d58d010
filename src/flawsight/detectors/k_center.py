"""Greedy k-center: a few descriptors that cover all of them (Sec. 3.2 of the PatchCore paper)."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from flawsight.errors import FlawsightError

_CANDIDATES = 32


def greedy_k_center(descriptors: np.ndarray | Tensor, size: int, seed: int = 0) -> np.ndarray:
    """Indices (size,) of descriptors (N, D) chosen so that each next one is the farthest from those before.

    The first is drawn by `seed`. All of them when `size` >= N. Exact up to rounding; O(N size D) time, O(32 N) memory.
    """
    points = torch.as_tensor(descriptors, dtype=torch.float32)
    if points.ndim != 2 or not len(points):
        raise FlawsightError(f"descriptors must have shape (N, D) with N >= 1, not {tuple(points.shape)}")
    if not torch.isfinite(points).all():
        raise FlawsightError("descriptors hold NaN or infinity: no farthest one can be told")
    if size < 1:
        raise FlawsightError(f"a memory bank of {size} descriptors cannot be built: use 1 or more")
    count = len(points)
    if size >= count:
        return np.arange(count)
    # Without the mean, |a|^2 + |b|^2 - 2ab loses fewer digits.
    points = points - points.mean(0)
    squares = (points * points).sum(1)
    chosen = [int(np.random.default_rng(seed).integers(count))]
    nearest = _squared_distances(points, squares, torch.tensor(chosen))[0]
    nearest[chosen[0]] = -1.0
    while len(chosen) < size:
        # The farthest points of this moment hold most of the next choices: their distances to all others come from
        # one matrix product, and serve as long as the farthest point is among them.
        candidates = torch.topk(nearest, min(_CANDIDATES, count - len(chosen))).indices
        rows = _squared_distances(points, squares, candidates)
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


def _squared_distances(points: Tensor, squares: Tensor, indices: Tensor) -> Tensor:
    """Squared distances (len(indices), N) from the indexed points to all, not below zero."""
    rows = torch.addmm(squares[indices][:, None], points[indices], points.T, alpha=-2)
    return rows.add_(squares).clamp_(min=0)
