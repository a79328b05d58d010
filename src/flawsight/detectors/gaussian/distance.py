"""Normal distributions of feature vectors, and how far a vector is from one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Self

import torch
from sklearn.covariance import ledoit_wolf_shrinkage
from torch import Tensor

DISTANCES = ("mahalanobis", "standardised", "euclidean")
COVARIANCES = ("ledoit_wolf", "empirical")
REDUCTIONS = ("none", "pca", "npca")
_ROUNDING = 1e-6
"""Standard deviations below this share of the values themselves are rounding errors of a network in float32."""


@dataclass(frozen=True, eq=False)
class GaussianDistance:
    """A distance from `mean` (D,): the norm of a vector after scaling, channel by channel and along axes.

    A vector less the mean is multiplied by `scale` (D,). Its coordinates along `axes` (D, k) are multiplied by
    `weights` (k,), and what is left of it by `rest` (), which is 0 where only the axes count.
    """

    mean: Tensor
    scale: Tensor
    axes: Tensor
    weights: Tensor
    rest: Tensor

    def distances(self, vectors: Tensor) -> Tensor:
        """Distances (N,) float64 of vectors (N, D)."""
        centred = (vectors.double() - self.mean) * self.scale
        along = centred @ self.axes.double()
        # What is left is computed and not just its norm, which would be the small difference of large numbers.
        left = self.rest * (centred - along @ self.axes.double().T)
        return torch.linalg.vector_norm(torch.cat([along * self.weights, left], dim=1), dim=1)

    @property
    def dimensions(self) -> int:
        """The degrees of freedom of the squared distance: what `chi_square_threshold` asks for."""
        return len(self.mean) if self.rest > 0 else len(self.weights)

    def tensors(self) -> dict[str, Tensor]:
        """All there is to save, by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def of(cls, tensors: Mapping[str, Tensor], prefix: str = "") -> Self:
        """The inverse of `tensors`, whose names may have had a prefix."""
        return cls(**{field.name: tensors[prefix + field.name] for field in fields(cls)})


def fit_gaussian(
    vectors: Tensor,
    distance: str = "mahalanobis",
    covariance: str = "ledoit_wolf",
    reduction: str = "none",
    variance: float = 0.99,
) -> GaussianDistance:
    """The distance learned from vectors (N, D) of good images; for the parameters see `Gaussian`.

    Principal axes make every covariance diagonal. Shrinkage (Eq. 6 of paper C) moves the variances along them and not
    the axes themselves, so that a distance needs N axes rather than D x D numbers. One vector, equal vectors and
    constant channels have a variance of 0, which is taken as the rounding error of the features.
    """
    device, vectors = vectors.device, vectors.double().cpu()
    count, channels = vectors.shape
    mean = vectors.mean(0)
    centred = vectors - mean
    floor = _ROUNDING**2 * float(vectors.square().mean()) or _ROUNDING**2
    if distance != "mahalanobis" and reduction == "none":
        spread = centred.square().sum(0) / max(count - 1, 1)
        scale = spread.clamp_min(floor).rsqrt() if distance == "standardised" else torch.ones_like(mean)
        return _placed(device, mean, scale, mean.new_zeros(channels, 0), mean.new_zeros(0), mean.new_ones(()))
    axes, scatter = _principal(centred)
    if reduction != "none" and len(scatter):
        kept = kept_components(scatter / scatter.sum().clamp_min(floor**2), reduction, variance)
        axes, scatter = axes[:, kept], scatter[kept]
    everything = axes.shape[1] == channels or (reduction != "none" and len(scatter) > 0)
    if distance == "mahalanobis":
        along, other = _variances(centred if reduction == "none" else centred @ axes, scatter, covariance)
    else:
        along, other = scatter / max(count - 1, 1), 0.0
        along = along if distance == "standardised" else torch.ones_like(along)
    rest = mean.new_tensor(0.0 if everything else max(other, floor) ** -0.5)
    return _placed(device, mean, torch.ones_like(mean), axes, along.clamp_min(floor).rsqrt(), rest)


def kept_components(ratios: Tensor, reduction: str, variance: float) -> slice:
    """Which principal components stay, given their shares of the variance in falling order (Sec. IV-A of paper C).

    With c the first component at which the cumulative share exceeds `variance`, "pca" keeps those up to and with c,
    "npca" those from c - 1 on: both keep the crossing, as the paper's code does.
    """
    exceeding = (ratios.cumsum(0) > variance).nonzero()
    crossing = int(exceeding[0]) if len(exceeding) else len(ratios) - 1
    return slice(0, crossing + 1) if reduction == "pca" else slice(max(crossing - 1, 0), len(ratios))


def _principal(centred: Tensor) -> tuple[Tensor, Tensor]:
    """Principal axes (D, k) and the sums of squares along them (k,), falling.

    N vectors vary in at most N - 1 directions; any further axis would be one of chance.
    """
    count = min(len(centred) - 1, centred.shape[1])
    _, singular, axes = torch.linalg.svd(centred, full_matrices=False)
    return axes[:count].T, singular[:count].square()


def _variances(centred: Tensor, scatter: Tensor, covariance: str) -> tuple[Tensor, float]:
    """Variances along the principal axes (k,), and in every other direction of the vectors (N, D)."""
    count = len(centred)
    if covariance == "empirical" or count == 1:
        return scatter / max(count - 1, 1), 0.0
    shrinkage = float(ledoit_wolf_shrinkage(centred.numpy()))
    average = float(scatter.sum()) / count / centred.shape[1]
    return (1 - shrinkage) * scatter / count + shrinkage * average, shrinkage * average


def _placed(device: torch.device, *tensors: Tensor) -> GaussianDistance:
    return GaussianDistance(*(tensor.float().to(device).contiguous().clone() for tensor in tensors))
