"""Gaussian-AD (paper C): normal distributions of pretrained features, and PaDiM's per position to localise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import torch
from sklearn.base import clone
from torch import Tensor

from flawsight.core import FlawsightError
from flawsight.detectors.base import DetectorTags, FeatureMaps, checked
from flawsight.detectors.bases.buffered import BufferedDetector
from flawsight.detectors.gaussian.distance import COVARIANCES, DISTANCES, REDUCTIONS, GaussianDistance, fit_gaussian
from flawsight.detectors.gaussian.padim import by_layer, grid_maps, whitened_positions
from flawsight.training import TrainingContext

COARSE_GRID = 16
COARSE_DIMS = 32
_CHOICES = {
    "distance": DISTANCES,
    "covariance": COVARIANCES,
    "reduction": REDUCTIONS,
    "score": ("pooled", "map"),
    "maps": ("positions", "none"),
}


@dataclass(eq=False, repr=False)
class Gaussian(BufferedDetector):
    """Distance to normal distributions of good features: one per level for the score, one per position for the map.

    The score (paper C) is of each level's global average: `distance` "mahalanobis" (Eq. 2), "standardised" (Eq. 9) or
    "euclidean", summed over levels; give the layers that `flawsight.features.levels` names. covariance: "ledoit_wolf"
    (Eq. 6) or "empirical" (Eq. 5). reduction: fit it on the principal components of most ("pca") or least ("npca")
    variance; variance: the share at which they part: 0.95 or 0.99 for PCA, 0.99, 0.999 or 0.9999 for NPCA.

    The map (PaDiM, Defard et al. 2021) is the Mahalanobis distance at each position of all layers side by side on the
    finest grid. dims: channels drawn by the seed (PaDiM: 100 or 550; None: all); max_grid: positions a side at most,
    by average pooling (None: all); ridge: added to the variances, PaDiM's 0.01. What is learned takes
    4 * max_grid^2 * dims^2 bytes: 17 MB. maps="none" leaves it out: maps are then the score, (N, 1, 1).

    score="map" scores images by the maximum of the map instead; the first paragraph's parameters then do nothing.

    >>> detector = Gaussian().fit(features)
    >>> detector.anomaly_maps(features).shape, detector.image_scores(features).shape
    (torch.Size([12, 8, 8]), torch.Size([12]))
    """

    distance: str = "mahalanobis"
    covariance: str = "ledoit_wolf"
    reduction: str = "none"
    variance: float = 0.99
    score: str = "pooled"
    maps: str = "positions"
    dims: int | None = 64
    max_grid: int | None = 32
    ridge: float = 0.01
    seed: int = 0

    @property
    def tags(self) -> DetectorTags:
        """Images are scored by their pooled features or by the map; maps need distributions of positions."""
        by_place = self.maps == "positions"
        return DetectorTags(
            localizes=by_place,
            position_bound=by_place,
            image_score=self.score == "pooled",
            exportable=True,
            joined_bonus=1.0,
        )

    def low_fidelity(self) -> Self:
        """At most 32 channels on at most 16 x 16 positions."""
        dims, grid = min(COARSE_DIMS, self.dims or COARSE_DIMS), min(COARSE_GRID, self.max_grid or COARSE_GRID)
        return clone(self).set_params(dims=dims, max_grid=grid)

    def anomaly_maps(self, features: FeatureMaps) -> Tensor:
        """Distances (N, h, w) on the grid of the finest layer, at most `max_grid` a side."""
        self._check_layers(features)
        if not self.tags.localizes:
            return self.image_scores(features)[:, None, None]
        mean, whitening = self.position_mean_, self.whitening_
        values = grid_maps(features, self._kept, self.max_grid)
        if values.shape[2:] != mean.shape[1:]:
            raise FlawsightError(
                f"the grid is {tuple(values.shape[2:])}, the one learned from {tuple(mean.shape[1:])}: "
                "positions must correspond, so use images of the same size"
            )
        centred = (values - mean).flatten(2).permute(2, 0, 1)
        distances = torch.linalg.vector_norm(centred @ whitening, dim=2)
        return distances.T.reshape(values.shape[0], *mean.shape[1:])

    def image_scores(self, features: FeatureMaps) -> Tensor:
        """Scores (N,): the sum of the levels' distances, or the maximum of the map."""
        if not self.tags.image_score:
            return super().image_scores(features)
        self._check_layers(features)
        levels = zip(self.levels_, _pooled(features), strict=True)
        return torch.stack([level.distances(vectors) for level, vectors in levels]).sum(0).float()

    def collected_bytes(self, channels: int, places: int, images: int) -> int:
        """Bytes of the pooled features, and of the drawn channels of the pooled maps."""
        vectors = 8 * channels if self.tags.image_score else 0
        channels = min(channels, self.dims) if self.dims else channels
        places = min(places, self.max_grid**2) if self.max_grid else places
        return images * (vectors + (4 * channels * places if self.tags.localizes else 0))

    def state_dict(self) -> dict[str, Tensor]:
        """The distribution of each level, and the means and whitening matrices of the positions."""
        found = {"channels": self._require("channels_")}
        if self.tags.image_score:
            for number, level in enumerate(self.levels_):
                found.update({f"level{number}.{name}": values for name, values in level.tensors().items()})
        if self.tags.localizes:
            found.update(kept=self.kept_, position_mean=self.position_mean_, whitening=self.whitening_)
        return found

    def load_state_dict(self, state: Mapping[str, Tensor]) -> Self:
        """Take them back."""
        self.channels_ = state["channels"]
        if self.tags.image_score:
            self.levels_ = [GaussianDistance.of(state, f"level{number}.") for number in range(len(self.channels_))]
        if self.tags.localizes:
            self.kept_ = state["kept"]
            self._kept = by_layer(self.kept_, self.channels_.tolist())
            self.position_mean_, self.whitening_ = state["position_mean"], state["whitening"]
        return self

    def _check_parameters(self) -> None:
        for name, known in _CHOICES.items():
            if getattr(self, name) not in known:
                raise FlawsightError(f"{name} '{getattr(self, name)}' is unknown: use one of {', '.join(known)}")
        if self.score == "map" and not self.tags.localizes:
            raise FlawsightError('score="map" needs maps="positions"')
        if not 0 < self.variance < 1:
            raise FlawsightError(f"variance {self.variance} must lie between 0 and 1: it is a share")
        if (self.dims is not None and self.dims < 1) or (self.max_grid is not None and self.max_grid < 1):
            raise FlawsightError("dims and max_grid must be 1 or more, or None for all")
        if self.ridge <= 0:
            raise FlawsightError(f"ridge {self.ridge} must be above 0, or covariances of few images have no inverse")

    def _reduced(self, features: FeatureMaps) -> Sequence[Tensor]:
        """Pooled vectors of every level, the chosen channels' maps, and a row of the numbers of channels."""
        counts = torch.tensor([values.shape[1] for values in features])
        found = [counts.expand(len(features[0]), -1)]
        if self.tags.image_score:
            found += _pooled(features)
        if self.tags.localizes:
            found.append(grid_maps(features, by_layer(self._drawn(counts), counts.tolist()), self.max_grid))
        return found

    def _learn(self, collected: Sequence[Tensor], training: TrainingContext | None) -> None:
        del training
        self.channels_ = collected[0][0].clone()
        if self.tags.image_score:
            self.levels_ = [
                fit_gaussian(vectors, self.distance, self.covariance, self.reduction, self.variance)
                for vectors in collected[1 : 1 + len(self.channels_)]
            ]
        if self.tags.localizes:
            self.kept_ = self._drawn(self.channels_)
            self._kept = by_layer(self.kept_, self.channels_.tolist())
            self.position_mean_, self.whitening_ = whitened_positions(collected[-1], self.ridge)

    def _drawn(self, counts: Tensor) -> Tensor:
        """The channels that maps are made of, counted through all layers."""
        channels = int(counts.sum())
        order = torch.randperm(channels, generator=torch.Generator().manual_seed(self.seed))
        return order[: self.dims].sort().values

    def _check_layers(self, features: FeatureMaps) -> None:
        if torch.compiler.is_exporting():
            return
        learned = self._require("channels_").tolist()
        given = [values.shape[1] for values in checked(features)]
        if given != learned:
            raise FlawsightError(f"feature maps have {given} channels, those learned from {learned}: pass those layers")


def _pooled(features: FeatureMaps) -> list[Tensor]:
    """Global averages (N, C) of each layer, in float64: the smallest variances are what tells defects apart."""
    return [values.mean((2, 3), dtype=torch.float64) for values in features]
