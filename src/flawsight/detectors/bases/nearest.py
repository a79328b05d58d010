"""Distances to the nearest descriptors of a memory bank, as blocked matrix products."""

from __future__ import annotations

import torch
from torch import Tensor

_BLOCK_VALUES = 2_000_000


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
    if neighbours == 1:
        half = half.amin(1, keepdim=True)
    else:
        half = half.topk(min(neighbours, len(bank)), dim=1, largest=False).values
    squared = half.mul_(2).add_(queries.square().sum(1, keepdim=True))
    return squared.clamp_(min=0).sqrt_().mean(1)
