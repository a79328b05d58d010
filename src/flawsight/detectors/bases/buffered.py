"""Detectors that keep something of every image until they learn."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Sequence
from typing import Self

import torch
from sklearn.base import clone
from torch import Tensor

from flawsight.detectors.base import Detector, FeatureMaps, checked
from flawsight.training import TrainingContext


class BufferedDetector(Detector):
    """Collects `_reduced` feature maps of all images; a subclass learns from them in `_learn`.

    >>> detector = Gaussian()
    >>> detector.reset()
    >>> detector.partial_fit(features)
    >>> detector.images_taken, detector.leave_out([0, 1]).images_taken
    (12, 10)
    """

    def reset(self) -> None:
        """Forget everything learned."""
        self._check_parameters()
        self._forget()
        self._collected: list[Sequence[Tensor]] = []
        self.images_taken = 0

    def embed(self, features: FeatureMaps, first: int) -> Sequence[Tensor]:
        """What is kept of the batch."""
        del first
        return [values.clone() for values in self._reduced(checked(features))]

    def update(self, embedded: Sequence[Tensor]) -> None:
        """Keep it."""
        if len(embedded[0]):
            self._collected.append(embedded)
            self.images_taken += len(embedded[0])

    def leave_out(self, images: Collection[int]) -> Self:
        """Everything of all images but these."""
        other = clone(self)
        other.reset()
        left_out = set(images)
        kept = [number for number in range(self.images_taken) if number not in left_out]
        if kept:
            self._collected = [self._joined()]  # joined once, however many copies are made
            other.update([values[kept] for values in self._collected[0]])
        return other

    def finalize(self, training: TrainingContext | None = None) -> Self:
        """Learn from what was collected, and let go of it."""
        self._require_images()
        collected = self._joined()
        self._collected = []
        # Tensors of an inference pass cannot take part in training.
        with torch.inference_mode(False):
            self._learn([values.clone() if values.is_inference() else values for values in collected], training)
        return self

    def _joined(self) -> Sequence[Tensor]:
        parts = self._collected
        return parts[0] if len(parts) == 1 else [torch.cat(values) for values in zip(*parts, strict=True)]

    def _check_parameters(self) -> None:
        """Raise where a parameter makes no sense."""

    def _reduced(self, features: FeatureMaps) -> Sequence[Tensor]:
        """What to keep of a batch: tensors whose first axis is the image."""
        return features

    @abstractmethod
    def _learn(self, collected: Sequence[Tensor], training: TrainingContext | None) -> None:
        """Learn from what `_reduced` gave of all images, joined."""
