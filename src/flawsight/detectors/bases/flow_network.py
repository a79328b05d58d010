"""What the networks of the normalising-flow detectors share."""

from __future__ import annotations

import torch
from torch import Tensor, nn

Shape = tuple[int, int, int]
"""Channels, height and width of one layer's maps."""

LEAST_SPREAD = 0.01
"""Channels that hardly vary are taken to vary at least by this share of the average channel's deviation."""


class Standardise(nn.Module):
    """Every channel less its mean, divided by its standard deviation, both over good images."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.mean: Tensor
        self.spread: Tensor
        self.register_buffer("mean", torch.zeros(channels, 1, 1))
        self.register_buffer("spread", torch.ones(channels, 1, 1))

    def learn(self, maps: Tensor) -> None:
        """Measure maps (N, C, H, W)."""
        spread, mean = torch.std_mean(maps, (0, 2, 3), correction=0)
        spread = spread.clamp_min(LEAST_SPREAD * spread.mean())
        self.mean, self.spread = mean[:, None, None], torch.where(spread > 0, spread, 1.0)[:, None, None]

    def forward(self, maps: Tensor) -> Tensor:
        """Maps of mean 0 and deviation 1."""
        return (maps - self.mean) / self.spread


def negative_log_likelihood(z: Tensor, log_det: Tensor) -> Tensor:
    """Negative log-likelihood (N,) of latents z (N, C, H, W) of a standard normal, up to a constant."""
    return 0.5 * z.square().sum((1, 2, 3)) - log_det


def trainable(module: nn.Module) -> list[nn.Parameter]:
    """The parameters that learn: FrEIA keeps its fixed permutations as parameters too."""
    return [values for values in module.parameters() if values.requires_grad]
