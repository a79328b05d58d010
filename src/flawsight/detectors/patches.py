"""Locally aware patch descriptors: what PatchCore and its kin read at each position of the feature maps."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from flawsight.detectors.base import FeatureMaps


def patch_descriptors(features: FeatureMaps, neighbourhood: int = 3, embed_dim: int | None = None) -> Tensor:
    """Descriptors (N, H, W, D) on the grid of the finest layer, averaged over a zero-padded neighbourhood.

    Coarser layers are resized bilinearly to the finest grid and concatenated. With `embed_dim`, values are pooled as
    in the official PatchCore code: each layer's unfolded neighbourhood to `embed_dim`, then all layers to `embed_dim`.
    """
    maps = [_aware(values, neighbourhood, embed_dim) for values in features]
    grid = max((values.shape[2:] for values in maps), key=lambda size: size[0] * size[1])
    maps = [
        values if values.shape[2:] == grid else functional.interpolate(values, grid, mode="bilinear") for values in maps
    ]
    if embed_dim is None:
        return torch.cat([values.permute(0, 2, 3, 1) for values in maps], dim=3)
    stacked = torch.stack([values.permute(0, 2, 3, 1) for values in maps], dim=3)
    return _pool_last(stacked.flatten(3), embed_dim)


def _aware(values: Tensor, neighbourhood: int, embed_dim: int | None) -> Tensor:
    padding = neighbourhood // 2
    if embed_dim is None:
        return values if neighbourhood == 1 else functional.avg_pool2d(values, neighbourhood, 1, padding)
    count, _, height, width = values.shape
    unfolded = functional.unfold(values, neighbourhood, padding=padding)
    pooled = _pool_last(unfolded.transpose(1, 2), embed_dim)
    return pooled.reshape(count, height, width, embed_dim).permute(0, 3, 1, 2)


def _pool_last(values: Tensor, size: int) -> Tensor:
    flat = values.reshape(-1, 1, values.shape[-1])
    return functional.adaptive_avg_pool1d(flat, size).reshape(*values.shape[:-1], size)
