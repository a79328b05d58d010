"""PatchCore (Roth et al. 2022), with the settings of papers A and B as defaults."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

import numpy as np
import torch
from torch import Tensor

from flawsight.detectors.base import Detector, FeatureMaps, checked
from flawsight.detectors.k_center import greedy_k_center
from flawsight.detectors.nearest import nearest_distances
from flawsight.detectors.patches import patch_descriptors
from flawsight.errors import FlawsightError


class PatchCore(Detector):
    """Distance of each patch descriptor to a memory bank of good ones.

    bank_size: descriptors kept by greedy k-center, fixed as in paper A. neighbourhood: side of the averaged window.
    neighbours: k of the nearest-neighbour mean. embed_dim: pool descriptors as the official code does (1024 there).
    squared: report squared distances, as the official code does. projection_dim: choose the bank in a seeded random
    projection (128 in the official code). max_descriptors: a seeded uniform sample of at most so many is collected
    before the bank is chosen; None keeps all.
    """

    def __init__(
        self,
        bank_size: int = 1000,
        neighbourhood: int = 3,
        neighbours: int = 1,
        embed_dim: int | None = None,
        squared: bool = False,
        projection_dim: int | None = None,
        max_descriptors: int | None = 16_384,
        seed: int = 0,
    ) -> None:
        self.bank_size = bank_size
        self.neighbourhood = neighbourhood
        self.neighbours = neighbours
        self.embed_dim = embed_dim
        self.squared = squared
        self.projection_dim = projection_dim
        self.max_descriptors = max_descriptors
        self.seed = seed

    def start(self) -> None:
        """Forget the bank."""
        if self.bank_size < 1 or self.neighbours < 1:
            raise FlawsightError("bank_size and neighbours must be 1 or more")
        if self.neighbourhood < 1 or self.neighbourhood % 2 == 0:
            raise FlawsightError(f"neighbourhood {self.neighbourhood} must be odd: 1, 3 or 5")
        if self.max_descriptors is not None and self.max_descriptors < self.bank_size:
            raise FlawsightError(f"max_descriptors {self.max_descriptors} is below bank_size {self.bank_size}")
        self._kept: list[tuple[np.ndarray, Tensor]] = []
        self._images = 0
        self._cut = np.inf
        if hasattr(self, "bank_"):
            del self.bank_

    def collect(self, features: FeatureMaps) -> None:
        """Keep a uniform sample of the batch's descriptors."""
        # The smallest of random keys, one per descriptor and seeded per image, are a uniform sample without knowing
        # how many images will come, and the same one however images are batched.
        descriptors = self._descriptors(checked(features)).flatten(1, 2)
        count, places, size = descriptors.shape
        images = range(self._images, self._images + count)
        keys = np.array([np.random.default_rng([self.seed, image]).random(places) for image in images]).ravel()
        self._images += count
        below = np.flatnonzero(keys < self._cut)
        if self.max_descriptors and len(below) > self.max_descriptors:
            below = _smallest(keys, self.max_descriptors)
        self._kept.append((keys[below], _rows(descriptors.reshape(-1, size), below)))
        if self.max_descriptors and sum(len(keys) for keys, _ in self._kept) > 1.25 * self.max_descriptors:
            self._prune()

    def _prune(self) -> None:
        keys = np.concatenate([keys for keys, _ in self._kept])
        descriptors = torch.cat([values for _, values in self._kept])
        if self.max_descriptors and len(keys) > self.max_descriptors:
            smallest = _smallest(keys, self.max_descriptors)
            keys, descriptors = keys[smallest], _rows(descriptors, smallest)
            self._cut = keys.max()
        self._kept = [(keys, descriptors)]

    def finish(self) -> Self:
        """Choose the memory bank."""
        if not self._images:
            raise FlawsightError("no images to learn from: pass the feature maps of at least one good image")
        self._prune()
        _, descriptors = self._kept[0]
        self._kept = []
        chosen = greedy_k_center(self._projected(descriptors), self.bank_size, self.seed)
        self.bank_ = _rows(descriptors, chosen)
        return self

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
        distances = nearest_distances(descriptors.flatten(0, 2), bank, self.neighbours)
        maps = distances.reshape(descriptors.shape[:3])
        return maps.square() if self.squared else maps

    def _descriptors(self, features: FeatureMaps) -> Tensor:
        return patch_descriptors(features, self.neighbourhood, self.embed_dim)

    def learned(self) -> dict[str, Tensor]:
        """The memory bank (bank_size, D)."""
        return {"bank": self._require("bank_")}

    def restore(self, learned: Mapping[str, Tensor]) -> Self:
        """Take a memory bank back."""
        self.bank_ = learned["bank"]
        return self


def _smallest(keys: np.ndarray, count: int) -> np.ndarray:
    """Indices of the `count` smallest keys, in order of place."""
    return np.sort(np.argpartition(keys, count)[:count])


def _rows(values: Tensor, indices: np.ndarray) -> Tensor:
    return values[torch.from_numpy(indices).to(values.device)]
