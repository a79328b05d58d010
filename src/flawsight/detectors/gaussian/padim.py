"""A normal distribution per position of the feature maps, as PaDiM's (Defard et al. 2021)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from flawsight.detectors.base import FeatureMaps
from flawsight.detectors.bases.grids import finest

_BLOCK = 64
"""Positions whose covariances are computed at once in float64."""


def by_layer(kept: Tensor, widths: Sequence[int]) -> list[Tensor]:
    """Channels that were counted through layers of these widths, counted in each layer."""
    ends = torch.tensor(widths).cumsum(0).tolist()
    firsts = [end - width for end, width in zip(ends, widths, strict=True)]
    return [kept[(kept >= first) & (kept < end)] - first for first, end in zip(firsts, ends, strict=True)]


def grid_maps(features: FeatureMaps, kept: Sequence[Tensor], max_grid: int | None) -> Tensor:
    """The channels `kept` of each layer (N, d, h, w) on the finest grid, pooled to `max_grid` a side."""
    height, width = finest((values.shape[2], values.shape[3]) for values in features)
    step = -(-max(height, width) // max_grid) if max_grid else 1
    grid = (-(-height // step), -(-width // step))
    found = []
    for values, own in zip(features, kept, strict=True):
        if not len(own):  # torch resizes no tensor without channels
            continue
        chosen = values[:, own.to(values.device)].float()
        if chosen.shape[2] >= grid[0] and chosen.shape[3] >= grid[1]:
            found.append(functional.adaptive_avg_pool2d(chosen, grid))
        else:
            found.append(functional.interpolate(chosen, grid, mode="bilinear"))
    return torch.cat(found, dim=1)


def whitened_positions(values: Tensor, ridge: float) -> tuple[Tensor, Tensor]:
    """Means (d, h, w) of maps (N, d, h, w), and matrices (h * w, d, d) by which a row of values becomes white."""
    mean = values.mean(0, dtype=torch.float64)
    rows = values.flatten(2).permute(2, 0, 1)
    identity = torch.eye(values.shape[1], dtype=torch.float64, device=values.device)
    found = []
    for block in rows.split(_BLOCK):
        centred = block.double() - block.mean(1, keepdim=True, dtype=torch.float64)
        covariance = centred.mT @ centred / max(len(values) - 1, 1) + ridge * identity
        lower = torch.linalg.cholesky(covariance)
        found.append(torch.linalg.solve_triangular(lower, identity, upper=False).mT.float())
    return mean.float(), torch.cat(found).contiguous()
