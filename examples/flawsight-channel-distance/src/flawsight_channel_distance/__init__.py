"""A detector for Flawsight: each channel's distance from its mean, in standard deviations."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from torch import Tensor

from flawsight.core import FlawsightError
from flawsight.detectors import BufferedDetector, FeatureMaps, TrainingContext, checked
from flawsight.detectors.bases.descriptors import patch_descriptors


@dataclass(eq=False, repr=False)
class ChannelDistance(BufferedDetector):
    """Mean squared distance of each position from the channels' means, on the grid of the finest layer.

    floor: the least standard deviation, as a share of the largest.
    """

    floor: float = 0.01

    def _reduced(self, features: FeatureMaps) -> Sequence[Tensor]:
        return [patch_descriptors(features, neighbourhood=1)]  # all layers side by side: (N, H, W, C)

    def _learn(self, collected: Sequence[Tensor], training: TrainingContext | None) -> None:
        values = collected[0].flatten(0, 2)
        deviation = values.std(0, correction=0)
        self.mean_ = values.mean(0)
        self.deviation_ = deviation.clamp(min=max(self.floor * float(deviation.max()), 1e-6))

    def anomaly_maps(self, features: FeatureMaps) -> Tensor:
        """Distances (N, H, W)."""
        mean, values = self._require("mean_"), self._reduced(checked(features))[0]
        if values.shape[-1] != len(mean):
            raise FlawsightError(f"layers of {len(mean)} channels were learned: give the same layers again")
        return ((values - mean) / self.deviation_).square().mean(-1)

    def state_dict(self) -> dict[str, Tensor]:
        """The mean and standard deviation (C,) of each channel."""
        return {"mean": self._require("mean_"), "deviation": self.deviation_}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> Self:
        """The inverse of `state_dict`."""
        self.mean_, self.deviation_ = state["mean"], state["deviation"]
        return self
