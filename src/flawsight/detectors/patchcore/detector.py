"""PatchCore (Roth et al. 2022), with the settings of papers A and B as defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import torch
from sklearn.base import clone
from torch import Tensor

from flawsight.core import FlawsightError
from flawsight.detectors.base import DetectorTags, FeatureMaps, checked
from flawsight.detectors.bases.nearest import CompactBank, nearest_distances
from flawsight.detectors.bases.patches import PatchDetector, chosen
from flawsight.detectors.patchcore.k_center import greedy_k_center
from flawsight.training import TrainingContext

COARSE_GRID = 32
COARSE_BANK = 4


@dataclass(eq=False, repr=False)
class PatchCore(PatchDetector):
    """Distance of each patch descriptor to a memory bank of good ones.

    bank_size: descriptors kept by greedy k-center, fixed as in paper A. neighbourhood: side of the averaged window.
    neighbours: k of the nearest-neighbour mean. embed_dim: pool descriptors as the official code does (1024 there).
    squared: report squared distances, as the official code does. projection_dim: choose the bank in a seeded random
    projection (128 in the official code). max_descriptors: a seeded uniform sample of at most so many is collected
    before the bank is chosen; None keeps all. max_grid: read at most so many positions a side, evenly spaced; None
    reads all.

    >>> detector = PatchCore(bank_size=100).fit([features[0][:8]])
    >>> detector.anomaly_maps(features).shape, detector.image_scores(features).shape
    (torch.Size([12, 8, 8]), torch.Size([12]))
    """

    bank_size: int = 1000
    neighbourhood: int = 3
    neighbours: int = 1
    embed_dim: int | None = None
    squared: bool = False
    projection_dim: int | None = None
    max_descriptors: int | None = 16_384
    max_grid: int | None = None
    seed: int = 0

    @property
    def tags(self) -> DetectorTags:
        """Nothing is special."""
        return DetectorTags(exportable=True)

    def reset(self) -> None:
        """Forget the bank."""
        if self.bank_size < 1 or self.neighbours < 1:
            raise FlawsightError("bank_size and neighbours must be 1 or more")
        if self.max_descriptors is not None and self.max_descriptors < self.bank_size:
            raise FlawsightError(f"max_descriptors {self.max_descriptors} is below bank_size {self.bank_size}")
        super().reset()

    def low_fidelity(self) -> Self:
        """A quarter of the bank, a sample eight times as large, at most 32 x 32 positions."""
        bank = max(1, self.bank_size // COARSE_BANK)
        grid = min(COARSE_GRID, self.max_grid or COARSE_GRID)
        return clone(self).set_params(bank_size=bank, max_descriptors=8 * bank, max_grid=grid)

    def variants(self) -> Mapping[str, Self]:
        """Single positions, beside neighbourhoods."""
        return {} if self.neighbourhood == 1 else {"neighbourhood=1": clone(self).set_params(neighbourhood=1)}

    def _learn(self, descriptors: Tensor, training: TrainingContext | None) -> None:
        """Choose the memory bank."""
        del training
        bank = greedy_k_center(self._projected(descriptors), self.bank_size, self.seed)
        self.bank_ = chosen(descriptors, bank)

    def _projected(self, descriptors: Tensor) -> Tensor:
        size = descriptors.shape[1]
        if self.projection_dim is None or self.projection_dim >= size:
            return descriptors
        generator = torch.Generator().manual_seed(self.seed)
        bound = size**-0.5
        matrix = torch.empty(size, self.projection_dim).uniform_(-bound, bound, generator=generator)
        return descriptors @ matrix.to(descriptors.device)

    def anomaly_maps(self, features: FeatureMaps) -> Tensor:
        """Distances (N, h, w) on the grid of the finest layer."""
        bank = self._require("bank_")
        descriptors = self._descriptors(checked(features))
        if descriptors.shape[3] != bank.shape[1]:
            raise FlawsightError(f"descriptors have {descriptors.shape[3]} values, the memory bank {bank.shape[1]}")
        queries = descriptors.flatten(0, 2)
        if torch.compiler.is_exporting():
            distances = self._compact.distances(queries, self.neighbours)
        else:
            distances = nearest_distances(queries, bank, self.neighbours)
        maps = distances.reshape(descriptors.shape[:3])
        return maps.square() if self.squared else maps

    def prepare_export(self) -> None:
        """Find the directions that the bank spans."""
        self._compact = CompactBank.of(self._require("bank_"))

    def state_dict(self) -> dict[str, Tensor]:
        """The memory bank (bank_size, D)."""
        return {"bank": self._require("bank_")}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> Self:
        """Take a memory bank back."""
        self.bank_ = state["bank"]
        return self
