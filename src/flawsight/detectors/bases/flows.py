"""What the normalising-flow detectors share: they learn whole maps of one size."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Self

import torch
from torch import Tensor, nn

from flawsight.core import FlawsightError
from flawsight.detectors.base import FeatureMaps, checked
from flawsight.detectors.bases.buffered import BufferedDetector
from flawsight.detectors.bases.flow_network import Shape
from flawsight.detectors.bases.grids import pooled
from flawsight.training import seeded


class FlowDetector(BufferedDetector):
    """Learns a network for maps of the sizes met in `fit`, which are pooled to `max_grid` positions a side.

    >>> issubclass(FastFlow, FlowDetector)
    True
    >>> FastFlow(max_grid=8).collected_bytes(channels=1, places=64 * 64, images=1)
    256
    """

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

    def state_dict(self) -> dict[str, Tensor]:
        """Weights and buffers of the network, and the shapes (layers, 3) of the maps that it reads."""
        state = self._require("network_").state_dict()
        return {"shapes": torch.tensor(self.shapes_), **{name: values.contiguous() for name, values in state.items()}}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> Self:
        """Build the network again and take its tensors back."""
        self.shapes_: list[Shape] = [(channels, high, wide) for channels, high, wide in state["shapes"].tolist()]
        state = {name: values for name, values in state.items() if name != "shapes"}
        network = self._made(self.shapes_).to(next(iter(state.values())).device)
        network.load_state_dict(state)
        self.network_ = network.eval()
        return self
