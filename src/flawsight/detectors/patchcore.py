"""PatchCore (Roth et al. 2022), with the settings of papers A and B as defaults."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
import torch
from sklearn.base import clone
from torch import Tensor

from flawsight.detectors.base import Detector, FeatureMaps, checked
from flawsight.detectors.k_center import greedy_k_center
from flawsight.detectors.nearest import nearest_distances
from flawsight.detectors.patches import patch_descriptors
from flawsight.errors import FlawsightError

_KEPT = 1.5
"""How many times `max_descriptors` are kept until the end: without a fold's images there are then still enough."""
_MOST = 1.65
"""How many times `max_descriptors` the sample may grow to before it is cut back."""


class PatchCore(Detector):
    """Distance of each patch descriptor to a memory bank of good ones.

    bank_size: descriptors kept by greedy k-center, fixed as in paper A. neighbourhood: side of the averaged window.
    neighbours: k of the nearest-neighbour mean. embed_dim: pool descriptors as the official code does (1024 there).
    squared: report squared distances, as the official code does. projection_dim: choose the bank in a seeded random
    projection (128 in the official code). max_descriptors: a seeded uniform sample of at most so many is collected
    before the bank is chosen; None keeps all. max_grid: read at most so many positions a side, evenly spaced; None
    reads all.
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
        max_grid: int | None = None,
        seed: int = 0,
    ) -> None:
        self.bank_size = bank_size
        self.neighbourhood = neighbourhood
        self.neighbours = neighbours
        self.embed_dim = embed_dim
        self.squared = squared
        self.projection_dim = projection_dim
        self.max_descriptors = max_descriptors
        self.max_grid = max_grid
        self.seed = seed

    def start(self) -> None:
        """Forget the bank."""
        if self.bank_size < 1 or self.neighbours < 1:
            raise FlawsightError("bank_size and neighbours must be 1 or more")
        if self.neighbourhood < 1 or self.neighbourhood % 2 == 0:
            raise FlawsightError(f"neighbourhood {self.neighbourhood} must be odd: 1, 3 or 5")
        if self.max_descriptors is not None and self.max_descriptors < self.bank_size:
            raise FlawsightError(f"max_descriptors {self.max_descriptors} is below bank_size {self.bank_size}")
        if self.max_grid is not None and self.max_grid < 1:
            raise FlawsightError(f"max_grid {self.max_grid} must be 1 or more: leave it out to read every position")
        self._sample: list[_Rows] = []
        self.images_taken = 0
        self._cut = np.inf
        if hasattr(self, "bank_"):
            del self.bank_

    def read(self, features: FeatureMaps, first: int) -> _Batch:
        """A uniform sample of the batch's descriptors."""
        # The smallest of random keys, one per descriptor and seeded per image, are a uniform sample without knowing
        # how many images will come, and the same one however images are batched.
        descriptors = self._descriptors(checked(features)).flatten(1, 2)
        count, places, size = descriptors.shape
        numbers = range(first, first + count)
        keys = np.array([np.random.default_rng([self.seed, number]).random(places) for number in numbers]).ravel()
        below = np.flatnonzero(keys < self._cut)
        if self.max_descriptors and len(below) > self.max_descriptors:
            below = _smallest(keys, self.max_descriptors)
        rows = descriptors.reshape(-1, size)
        return _Batch(count, _Rows(keys[below], first + below // places, _chosen(rows, below)))

    def take(self, read: _Batch) -> None:
        """Keep the sample, cut back where it has grown too large."""
        self.images_taken += read.images
        # What was read ahead was cut less: without this the sample would depend on how far ahead.
        kept = read.rows.keys < self._cut
        self._sample.append(read.rows if kept.all() else read.rows.where(kept))
        if self.max_descriptors and sum(len(rows.keys) for rows in self._sample) > _MOST * self.max_descriptors:
            self._sample = [_joined(self._sample).first(int(_KEPT * self.max_descriptors))]
            self._cut = self._sample[0].keys.max()

    def without(self, images: Collection[int]) -> Self:
        """The same sample, less what it holds of these images."""
        other = clone(self)
        other.start()
        other.images_taken = self.images_taken - len(images)
        rows = _joined(self._sample)
        self._sample = [rows]  # joined once, however many copies are made
        other._sample = [rows.where(np.isin(rows.images, list(images), invert=True))]
        return other

    def collected_bytes(self, channels: int, places: int, images: int) -> int:
        """Bytes of the sampled descriptors when they are most."""
        count = images * (min(places, self.max_grid**2) if self.max_grid else places)
        kept = min(count, int(_MOST * self.max_descriptors)) if self.max_descriptors else count
        return 4 * kept * (self.embed_dim or channels)

    def finish(self) -> Self:
        """Choose the memory bank."""
        if not self.images_taken:
            raise FlawsightError("no images to learn from: pass the feature maps of at least one good image")
        rows = _joined(self._sample)
        self._sample = []
        descriptors = (rows.first(self.max_descriptors) if self.max_descriptors else rows).descriptors
        chosen = greedy_k_center(self._projected(descriptors), self.bank_size, self.seed)
        self.bank_ = _chosen(descriptors, chosen)
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
        return patch_descriptors(features, self.neighbourhood, self.embed_dim, self.max_grid)

    def learned(self) -> dict[str, Tensor]:
        """The memory bank (bank_size, D)."""
        return {"bank": self._require("bank_")}

    def restore(self, learned: Mapping[str, Tensor]) -> Self:
        """Take a memory bank back."""
        self.bank_ = learned["bank"]
        return self


@dataclass(frozen=True, eq=False)
class _Rows:
    """Sampled descriptors (n, D) with their random keys and the numbers of their images."""

    keys: np.ndarray
    images: np.ndarray
    descriptors: Tensor

    def where(self, kept: np.ndarray) -> _Rows:
        return _Rows(self.keys[kept], self.images[kept], _chosen(self.descriptors, kept))

    def first(self, count: int) -> _Rows:
        """The rows of the smallest keys, in order of place."""
        return self.where(_smallest(self.keys, count)) if len(self.keys) > count else self


class _Batch(NamedTuple):
    images: int
    rows: _Rows


def _joined(parts: Sequence[_Rows]) -> _Rows:
    if len(parts) == 1:
        return parts[0]
    return _Rows(
        np.concatenate([part.keys for part in parts]),
        np.concatenate([part.images for part in parts]),
        torch.cat([part.descriptors for part in parts]),
    )


def _smallest(keys: np.ndarray, count: int) -> np.ndarray:
    """Indices of the `count` smallest keys, in order of place."""
    return np.sort(np.argpartition(keys, count)[:count])


def _chosen(values: Tensor, rows: np.ndarray) -> Tensor:
    return values[torch.from_numpy(rows).to(values.device)]
