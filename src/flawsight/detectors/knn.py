"""k nearest neighbours of pooled features: DN2, and the image scores of SPADE."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from flawsight.core import FlawsightError
from flawsight.detectors.bases.pooled import PooledDetector


@dataclass(eq=False, repr=False)
class KNearest(PooledDetector):
    """Mean Euclidean distance of an image's pooled vector to its nearest among the good ones, summed over levels.

    neighbours: how many are averaged, at most all there are. 2 as in DN2, which suits a few dozen images; SPADE, as
    paper C quotes it, takes 50 of some hundreds.

    >>> detector = KNearest(neighbours=2).fit([features[0][:8]])
    >>> detector.image_scores(features).shape
    torch.Size([12])
    """

    neighbours: int = 2

    def _check_parameters(self) -> None:
        if self.neighbours < 1:
            raise FlawsightError(f"neighbours {self.neighbours} must be 1 or more")

    def _learn_level(self, vectors: Tensor) -> dict[str, Tensor]:
        return {"vectors": vectors}

    def _level_scores(self, level: Mapping[str, Tensor], vectors: Tensor) -> Tensor:
        # Differences first: there are few, and products would drown the smallest distances in rounding errors.
        distances = torch.linalg.vector_norm(vectors[:, None] - level["vectors"], dim=2)
        return distances.topk(min(self.neighbours, distances.shape[1]), dim=1, largest=False).values.mean(1)
