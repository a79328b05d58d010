"""Locally aware patch descriptors: what PatchCore and its kin read at each position of the feature maps."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from flawsight.detectors.base import FeatureMaps
from flawsight.detectors.bases.grids import finest, resized


def patch_descriptors(
    features: FeatureMaps, neighbourhood: int = 3, embed_dim: int | None = None, max_grid: int | None = None
) -> Tensor:
    """Descriptors (N, H, W, D) on the grid of the finest layer, averaged over a zero-padded neighbourhood.

    Coarser layers are resized bilinearly to the finest grid and concatenated. With `embed_dim`, values are pooled as
    in the official PatchCore code: each layer's unfolded neighbourhood to `embed_dim`, then all layers to `embed_dim`.
    With `max_grid`, only every second (third, ...) position is read, so that the grid has at most so many a side.
    """
    maps = [_aware(values, neighbourhood, embed_dim, max_grid) for values in features]
    grid = finest((values.shape[2], values.shape[3]) for values in maps)
    maps = [resized(values, grid) for values in maps]
    if embed_dim is None:
        return torch.cat([values.permute(0, 2, 3, 1) for values in maps], dim=3)
    stacked = torch.stack([values.permute(0, 2, 3, 1) for values in maps], dim=3)
    return _pool_last(stacked.flatten(3), embed_dim)


def _aware(values: Tensor, neighbourhood: int, embed_dim: int | None, max_grid: int | None) -> Tensor:
    padding = neighbourhood // 2
    step = -(-max(values.shape[2:]) // max_grid) if max_grid else 1
    if step > 1:
        # Read the middle position of every cell of step x step, so that the coarse grid is not shifted.
        before = padding - (step - 1) // 2
        values, padding = functional.pad(values, (before, padding, before, padding)), 0
    if embed_dim is None:
        return functional.avg_pool2d(values, neighbourhood, step, padding) if neighbourhood * step > 1 else values
    unfolded = functional.unfold(values, neighbourhood, padding=padding, stride=step)
    pooled = _pool_last(unfolded.transpose(1, 2), embed_dim)
    height, width = ((extent + 2 * padding - neighbourhood) // step + 1 for extent in values.shape[2:])
    return pooled.reshape(values.shape[0], height, width, embed_dim).permute(0, 3, 1, 2)


def _pool_last(values: Tensor, size: int) -> Tensor:
    flat = values.reshape(-1, 1, values.shape[-1])
    return functional.adaptive_avg_pool1d(flat, size).reshape(*values.shape[:-1], size)
