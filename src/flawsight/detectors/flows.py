"""What the normalising-flow detectors share: networks that train on whole maps of one size."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Self

import torch
from torch import Tensor, nn

from flawsight.detectors.base import FeatureMaps, checked
from flawsight.detectors.collecting import CollectingDetector
from flawsight.detectors.grids import pooled
from flawsight.detectors.training import seeded
from flawsight.errors import FlawsightError

Shape = tuple[int, int, int]
"""Channels, height and width of one layer's maps."""

LEAST_SPREAD = 0.01
"""Channels that hardly vary are taken to vary at least by this share of the average channel's deviation."""


class FlowDetector(CollectingDetector):
    """Learns a network for maps of the sizes met in `fit`, which are pooled to `max_grid` positions a side."""

    max_grid: int | None
    seed: int

    def collected_bytes(self, channels: int, places: int, images: int) -> int:
        """Bytes of the pooled maps of all images."""
        return super().collected_bytes(channels, min(places, self.max_grid**2) if self.max_grid else places, images)

    def _check_parameters(self) -> None:
        if self.max_grid is not None and self.max_grid < 1:
            raise FlawsightError(f"max_grid {self.max_grid} must be 1 or more, or None to keep every position")

    def _reduced(self, features: FeatureMaps) -> Sequence[Tensor]:
        return [pooled(values, self.max_grid) for values in features]

    def _made(self, shapes: Sequence[Shape]) -> nn.Module:
        """The untrained network for maps of these shapes."""
        if any(channels < 2 for channels, _, _ in shapes):
            raise FlawsightError("a coupling flow splits the channels in two: choose layers of at least 2 channels")
        with seeded(self.seed):
            return self._network(shapes)

    @abstractmethod
    def _network(self, shapes: Sequence[Shape]) -> nn.Module:
        """Build it; parameters and buffers hold all that is learned."""

    def _ready(self, features: FeatureMaps) -> Sequence[Tensor]:
        """The pooled maps, or an error where they are not like those of `fit`."""
        known = self._require("shapes_")
        maps = self._reduced(checked(features))
        given = [tuple(values.shape[1:]) for values in maps]
        if given != known:
            raise FlawsightError(f"feature maps of shapes {given}, but fit saw {known}: use its layers and image size")
        return maps

    def learned(self) -> dict[str, Tensor]:
        """Weights and buffers of the network, and the shapes (layers, 3) of the maps that it reads."""
        state = self._require("network_").state_dict()
        return {"shapes": torch.tensor(self.shapes_), **{name: values.contiguous() for name, values in state.items()}}

    def restore(self, learned: Mapping[str, Tensor]) -> Self:
        """Build the network again and take its tensors back."""
        self.shapes_: list[Shape] = [(channels, high, wide) for channels, high, wide in learned["shapes"].tolist()]
        state = {name: values for name, values in learned.items() if name != "shapes"}
        network = self._made(self.shapes_).to(next(iter(state.values())).device)
        network.load_state_dict(state)
        self.network_ = network.eval()
        return self


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
