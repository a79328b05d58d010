"""Distances to the nearest descriptors of a memory bank, as blocked matrix products."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

_BLOCK_VALUES = 2_000_000
_LEFT_OUT = 2e-3
"""Share of a bank's variance that the search for the nearest row may leave out."""


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

    Descriptors vary in few directions. Where so few as half of them hold nearly all of the bank's variance, `axes`
    (D, r), the nearest rows are looked for along these alone; the distances to them are then the whole ones. Who is
    taken for the nearest may be the second nearest where both are about as near.
    """

    centre: Tensor
    rows: Tensor
    axes: Tensor | None
    minus_along: Tensor
    half_squares: Tensor

    @classmethod
    def of(cls, bank: Tensor) -> CompactBank:
        """From a bank (B, D)."""
        rows = bank.detach().double().cpu()
        centre = rows.mean(0)
        rows = rows - centre
        _, extents, axes = torch.linalg.svd(rows, full_matrices=False)
        left = extents.square().flip(0).cumsum(0).flip(0)
        found = axes[left > _LEFT_OUT * left[0]].T
        compact = 0 < 2 * found.shape[1] <= rows.shape[1]
        along = rows @ found if compact else rows
        return cls(
            centre.float(),
            rows.float(),
            found.float().contiguous() if compact else None,
            along.T.neg().float().contiguous(),
            rows.square().sum(1).div(2).float(),
        )

    def distances(self, queries: Tensor, neighbours: int) -> Tensor:
        """As `nearest_distances`."""
        centred = queries - self.centre
        if self.axes is None:
            half = torch.addmm(self.half_squares, centred, self.minus_along)
            squared = 2 * _smallest(half, neighbours) + centred.square().sum(1, keepdim=True)
            return squared.clamp(min=0).sqrt().mean(1)
        half = torch.addmm(self.half_squares, centred @ self.axes, self.minus_along)
        nearest = half.topk(min(neighbours, half.shape[1]), dim=1, largest=False, sorted=False).indices
        found = self.rows.index_select(0, nearest.flatten()).unflatten(0, nearest.shape)
        return torch.linalg.vector_norm(found - centred[:, None], dim=2).mean(1)
