"""What a detector says of images before anything is calibrated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class RawPrediction(NamedTuple):
    """Grid maps (N, h, w) float32, and scores (N,) where the detector has its own way to score an image.

    >>> found = RawPrediction(np.zeros((5, 8, 8), np.float32), np.arange(5.0))
    >>> found.of_image(2).maps.shape, float(found.of_image(2).scores)
    ((8, 8), 2.0)
    """

    maps: np.ndarray
    scores: np.ndarray | None

    @classmethod
    def joined(cls, parts: Sequence[RawPrediction]) -> RawPrediction:
        """The same for the images of all parts together."""
        scores = [part.scores for part in parts if part.scores is not None]
        return cls(np.concatenate([part.maps for part in parts]), np.concatenate(scores) if scores else None)

    def of_image(self, index: int) -> RawPrediction:
        """What was found in one of the images: its map (h, w) and its score."""
        return RawPrediction(self.maps[index], None if self.scores is None else self.scores[index])
