"""Detectors of single patches: they learn from a uniform sample of all good patch descriptors."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
import torch
from sklearn.base import clone
from torch import Tensor

from flawsight.core import FlawsightError
from flawsight.detectors.base import Detector, FeatureMaps, checked
from flawsight.detectors.bases.descriptors import patch_descriptors
from flawsight.training import TrainingContext

_KEPT = 1.5
"""How many times `max_descriptors` are kept until the end: without a fold's images there are then still enough."""
_MOST = 1.65
"""How many times `max_descriptors` the sample may grow to before it is cut back."""


class PatchDetector(Detector):
    """Collects a seeded uniform sample of locally aware patch descriptors; a subclass learns from it in `_learn`.

    Subclasses have the parameters `neighbourhood`, `embed_dim`, `max_descriptors`, `max_grid` and `seed`.

    >>> detector = PatchCore(bank_size=10, max_descriptors=100)
    >>> isinstance(detector, PatchDetector), detector.fit(features).bank_.shape
    (True, torch.Size([10, 40]))
    """

    neighbourhood: int
    embed_dim: int | None
    max_descriptors: int | None
    max_grid: int | None
    seed: int

    def reset(self) -> None:
        """Forget everything learned."""
        if self.neighbourhood < 1 or self.neighbourhood % 2 == 0:
            raise FlawsightError(f"neighbourhood {self.neighbourhood} must be odd: 1, 3 or 5")
        if self.max_descriptors is not None and self.max_descriptors < 1:
            raise FlawsightError(f"max_descriptors {self.max_descriptors} must be 1 or more")
        if self.max_grid is not None and self.max_grid < 1:
            raise FlawsightError(f"max_grid {self.max_grid} must be 1 or more: leave it out to read every position")
        self._forget()
        self._sample: list[_Rows] = []
        self.images_taken = 0
        self._cut = np.inf

    def embed(self, features: FeatureMaps, first: int) -> _Batch:
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
        return _Batch(count, _Rows(keys[below], first + below // places, chosen(rows, below)))

    def update(self, embedded: _Batch) -> None:
        """Keep the sample, cut back where it has grown too large."""
        self.images_taken += embedded.images
        # What was read ahead was cut less: without this the sample would depend on how far ahead.
        kept = embedded.rows.keys < self._cut
        self._sample.append(embedded.rows if kept.all() else embedded.rows.where(kept))
        if self.max_descriptors and sum(len(rows.keys) for rows in self._sample) > _MOST * self.max_descriptors:
            self._sample = [_joined(self._sample).first(int(_KEPT * self.max_descriptors))]
            self._cut = self._sample[0].keys.max()

    def leave_out(self, images: Collection[int]) -> Self:
        """The same sample, less what it holds of these images."""
        other = clone(self)
        other.reset()
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

    def finalize(self, training: TrainingContext | None = None) -> Self:
        """Learn from the sample, and let go of it."""
        self._require_images()
        rows = _joined(self._sample)
        self._sample = []
        self._learn((rows.first(self.max_descriptors) if self.max_descriptors else rows).descriptors, training)
        return self

    @abstractmethod
    def _learn(self, descriptors: Tensor, training: TrainingContext | None) -> None:
        """Learn from the sampled descriptors (M, D)."""

    def _descriptors(self, features: FeatureMaps) -> Tensor:
        return patch_descriptors(features, self.neighbourhood, self.embed_dim, self.max_grid)


@dataclass(frozen=True, eq=False)
class _Rows:
    """Sampled descriptors (n, D) with their random keys and the numbers of their images."""

    keys: np.ndarray
    images: np.ndarray
    descriptors: Tensor

    def where(self, kept: np.ndarray) -> _Rows:
        return _Rows(self.keys[kept], self.images[kept], chosen(self.descriptors, kept))

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


def chosen(values: Tensor, rows: np.ndarray) -> Tensor:
    """These rows, by index or by mask."""
    return values[torch.from_numpy(rows).to(values.device)]
