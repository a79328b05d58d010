"""Distances to the nearest descriptors of a memory bank, as blocked matrix products."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

_BLOCK_VALUES = 2_000_000
_NOTHING = 1e-5
"""Directions in which a bank reaches no further than this share of its longest are rounding errors."""


def nearest_distances(queries: Tensor, bank: Tensor, neighbours: int = 1) -> Tensor:
    """Mean Euclidean distance (M,) from each query (M, D) to its nearest neighbours in the bank (B, D).

    Never holds more than a block of about two million distances.
    """
    centre = bank.mean(0)
    bank = bank - centre
    half_squares = bank.square().sum(1).div_(2)
    rows = max(1, _BLOCK_VALUES // len(bank))
    found = [_block(block - centre, bank, half_squares, neighbours) for block in queries.split(rows)]
    return torch.cat(found) if found else queries.new_zeros(0)


def _block(queries: Tensor, bank: Tensor, half_squares: Tensor, neighbours: int) -> Tensor:
    half = torch.addmm(half_squares, queries, bank.T, alpha=-1)
    squared = _smallest(half, neighbours).mul_(2).add_(queries.square().sum(1, keepdim=True))
    return squared.clamp_(min=0).sqrt_().mean(1)


def _smallest(half: Tensor, neighbours: int) -> Tensor:
    if neighbours == 1:
        return half.amin(1, keepdim=True)
    return half.topk(min(neighbours, half.shape[1]), dim=1, largest=False).values


class CompactBank(NamedTuple):
    """The same distances for a graph, in one piece and with fewer products.

    Behind a 1 x 1 convolution to more channels a bank spans few directions, `axes` (D, r) with r <= D / 2, else None.
    Distances are measured along these; what a query has in the others is as far from every row.
    """

    centre: Tensor
    axes: Tensor | None
    minus_rows: Tensor
    half_squares: Tensor

    @classmethod
    def of(cls, bank: Tensor) -> CompactBank:
        """From a bank (B, D)."""
        rows = bank.detach().double().cpu()
        centre = rows.mean(0)
        rows = rows - centre
        _, extents, axes = torch.linalg.svd(rows, full_matrices=False)
        found = axes[extents > _NOTHING * extents[0]].T
        compact = 0 < 2 * found.shape[1] <= rows.shape[1]
        along = rows @ found if compact else rows
        return cls(
            centre.float(),
            found.float().contiguous() if compact else None,
            along.T.neg().float().contiguous(),
            rows.square().sum(1).div(2).float(),
        )

    def distances(self, queries: Tensor, neighbours: int) -> Tensor:
        """As `nearest_distances`."""
        centred = queries - self.centre
        along = centred if self.axes is None else centred @ self.axes
        half = torch.addmm(self.half_squares, along, self.minus_rows)
        squared = 2 * _smallest(half, neighbours) + centred.square().sum(1, keepdim=True)
        return squared.clamp(min=0).sqrt().mean(1)
