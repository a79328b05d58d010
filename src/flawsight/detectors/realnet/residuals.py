"""From the residuals of all layers to one map: Reconstruction Residuals Selection (RRS) and the discriminator.

Section 3.3 of paper E; the discriminator's layers are those of the official code (facts, 3.5).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from flawsight.detectors.bases.grids import finest, resized

MODES = ("max&avg", "max", "avg", "all")


def together(residuals: Sequence[Tensor]) -> Tensor:
    """The residuals of all layers (N, sum of C, H, W) on the finest layer's grid: E(A) of the paper."""
    size = finest((values.shape[2], values.shape[3]) for values in residuals)
    return torch.cat([resized(values, size) for values in residuals], 1)


def selected(residuals: Tensor, mode: str, count: int, ranked: Tensor | None = None) -> Tensor:
    """Each image's `count` channels (N, count, H, W) of the highest spatial maximum or mean, highest first.

    mode: `max`, `avg`, `max&avg` (half each: a channel may come twice) or `all`, which leaves them as they are. With
    `ranked` these values' maxima and means decide instead.
    """
    if mode == "all":
        return residuals
    flat = (residuals if ranked is None else ranked).flatten(2)
    halves = {"max&avg": (count - count // 2, count // 2), "max": (count, 0), "avg": (0, count)}[mode]
    by_maximum = flat.amax(2).topk(halves[0], 1).indices
    by_mean = flat.mean(2).topk(halves[1], 1).indices
    chosen = torch.cat([by_maximum, by_mean], 1)[:, :, None, None]
    return residuals.gather(1, chosen.expand(-1, -1, *residuals.shape[2:]))


class ResidualDiscriminator(nn.Module):
    """Residuals (N, C, H, W) to logits (N, 2, 2 H, 2 W) of good and defective."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        wide, narrow = max(16, channels // 4), max(8, channels // 16)
        self.units = nn.ModuleList([_unit(channels) for _ in range(2)])
        self.narrow = nn.Sequential(
            nn.ReLU(),
            nn.Conv2d(channels, wide, 3, padding=1),
            nn.BatchNorm2d(wide),
            nn.ReLU(),
            nn.Conv2d(wide, narrow, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(narrow, 8, 3, padding=1),
            nn.ReLU(),
        )
        self.fine = nn.Sequential(nn.Conv2d(8, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 2, 3, padding=1))

    def forward(self, residuals: Tensor) -> Tensor:
        """The logits."""
        values = residuals
        for unit in self.units:
            values = values + unit(values)
        values = self.narrow(values)
        logits: Tensor = self.fine(resized(values, (2 * values.shape[2], 2 * values.shape[3])))
        return logits


def _unit(channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.ReLU(),
        nn.Conv2d(channels, channels, 3, padding=1, bias=False),
        nn.ReLU(),
        nn.Conv2d(channels, channels, 1, bias=False),
    )
