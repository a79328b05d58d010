"""Grids: feature maps brought to the size of others, or to fewer positions."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor
from torch.nn import functional


def pooled(values: Tensor, max_grid: int | None) -> Tensor:
    """Maps averaged to at most `max_grid` positions on the longer side, in the same proportions."""
    longest = max(values.shape[2:])
    if max_grid is None or longest <= max_grid:
        return values.contiguous()
    height, width = (max(1, round(side * max_grid / longest)) for side in values.shape[2:])
    return functional.adaptive_avg_pool2d(values, (height, width)).contiguous()


def finest(sizes: Iterable[tuple[int, int]]) -> tuple[int, int]:
    """The largest of these grids (h, w)."""
    return max(sizes, key=lambda size: size[0] * size[1])


def resized(values: Tensor, size: tuple[int, int]) -> Tensor:
    """Maps resized bilinearly to the grid `size`."""
    return values if values.shape[2:] == size else functional.interpolate(values, size, mode="bilinear")
