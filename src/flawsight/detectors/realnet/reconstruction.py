"""The U-Net that gives the features of the good picture for those of the same picture with a defect (paper E)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

LEVELS = (1, 2, 4)
"""Multiples of the width, level by level; each level has half the resolution of the one before (facts, 3.4)."""
MOST_GROUPS = 32
HEAD = 64


class ReconstructionUNet(nn.Module):
    """Maps (N, C, H, W) to maps of the same shape; `width` is the number of channels at full resolution.

    Two residual blocks per level, attention at all levels but the finest where `attention` is set. It begins at zero:
    the last convolution does.
    """

    def __init__(self, channels: int, width: int, attention: bool = True) -> None:
        super().__init__()
        widths = [width * multiple for multiple in LEVELS]
        self.first = nn.Conv2d(channels, width, 3, padding=1)
        self.down = nn.ModuleList()
        self.up = nn.ModuleList()
        before = width
        for number, size in enumerate(widths):
            self.down.append(_level(before, size, attention and number > 0))
            before = size
        middle = [_Residual(before, before), *([_Attention(before)] if attention else []), _Residual(before, before)]
        self.middle = nn.Sequential(*middle)
        for number, size in reversed(list(enumerate(widths))):
            self.up.append(_level(before + size, size, attention and number > 0))
            before = size
        self.last = nn.Sequential(_norm(width), nn.SiLU(), nn.Conv2d(width, channels, 3, padding=1))
        for values in self.last[2].parameters():
            nn.init.zeros_(values)

    def forward(self, maps: Tensor) -> Tensor:
        """The reconstructed maps (N, C, H, W)."""
        values = self.first(maps)
        skips = []
        for number, level in enumerate(self.down):
            if number:
                values = functional.avg_pool2d(values, 2, ceil_mode=True)
            values = level(values)
            skips.append(values)
        values = self.middle(values)
        for level, skip in zip(self.up, reversed(skips), strict=True):
            if values.shape[2:] != skip.shape[2:]:
                values = functional.interpolate(values, skip.shape[2:], mode="nearest")
            values = level(torch.cat([values, skip], 1))
        answer: Tensor = self.last(values)
        return answer


class _Residual(nn.Module):
    """x + conv(SiLU(norm(x))), with a 1 x 1 convolution of x where the number of channels changes."""

    def __init__(self, channels_in: int, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(_norm(channels_in), nn.SiLU(), nn.Conv2d(channels_in, channels, 3, padding=1))
        self.skip = nn.Identity() if channels_in == channels else nn.Conv2d(channels_in, channels, 1)

    def forward(self, values: Tensor) -> Tensor:
        answer: Tensor = self.skip(values) + self.body(values)
        return answer


class _Attention(nn.Module):
    """x plus self-attention over all positions, in heads of at most 64 channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.heads = max(count for count in range(1, -(-channels // HEAD) + 1) if channels % count == 0)
        self.norm = _norm(channels)
        self.queries_keys_values = nn.Conv2d(channels, 3 * channels, 1)
        self.out = nn.Conv2d(channels, channels, 1)

    def forward(self, values: Tensor) -> Tensor:
        shape = values.shape
        parts = self.queries_keys_values(self.norm(values)).view(shape[0], 3, self.heads, -1, shape[2] * shape[3])
        queries, keys, contents = parts.transpose(3, 4).unbind(1)
        found = functional.scaled_dot_product_attention(queries, keys, contents)
        answer: Tensor = values + self.out(found.transpose(2, 3).reshape(shape))
        return answer


def _level(channels_in: int, channels: int, attention: bool) -> nn.Sequential:
    first, second = _Residual(channels_in, channels), _Residual(channels, channels)
    return nn.Sequential(first, _Attention(channels), second) if attention else nn.Sequential(first, second)


def _norm(channels: int) -> nn.GroupNorm:
    """Groups of at least 4 channels, at most 32 of them."""
    groups = max(count for count in range(1, min(MOST_GROUPS, max(1, channels // 4)) + 1) if channels % count == 0)
    return nn.GroupNorm(groups, channels)
