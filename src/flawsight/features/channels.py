"""Which channels inside a layer see defects: Anomaly-aware Features Selection (AFS, Sec. 3.2 of paper E)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

import torch
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError
from torch import Tensor
from torch.nn import functional

from flawsight.core import FlawsightError

NORMALISATIONS = ("image", "batch")
RESOLUTIONS = ("mask", "features")
_CHANNELS_AT_ONCE = 8
_EPSILON = 1e-4

Triplet = tuple[Sequence[Tensor], Sequence[Tensor], Tensor]
"""Feature maps of images with a defect, of the same images without it (each (N, C, H, W), one per layer), and the
masks (N, h, w)."""


@dataclass(eq=False, repr=False)
class ChannelSelection(BaseEstimator):
    """The `counts[k]` channels of layer k whose squared difference between with and without a defect is most its mask.

    normalise: differences are stretched to 0..1 over each `image`, or over the `batch` as in the official code.
    resolution: they are compared with the mask at the `mask`'s resolution (paper), or at that of the `features`
    (official code, which takes the nearest of the mask's pixels). Learns `losses_` (C,) and `channels_`, ascending, for
    each layer.

    >>> masks, normal = torch.eye(8)[None], torch.zeros(1, 3, 8, 8)
    >>> anomalous = torch.stack([normal[:, 0], masks, 1 - masks], dim=1)  # the second channel sees it
    >>> ChannelSelection(counts=[1]).fit([([anomalous], [normal], masks)]).channels_
    [tensor([1])]
    """

    counts: Sequence[int]
    normalise: str = "image"
    resolution: str = "mask"

    def fit(self, X: Iterable[Triplet], y: object = None) -> Self:
        """Learn from batches of triplets; `y` is ignored."""
        totals: list[Tensor] | None = None
        images = 0
        for anomalous, normal, masks in X:
            found = [
                len(masks) * channel_losses(one, other, masks, self.normalise, self.resolution).double()
                for one, other in zip(anomalous, normal, strict=True)
            ]
            totals = found if totals is None else [a + b for a, b in zip(totals, found, strict=True)]
            images += len(masks)
        if totals is None:
            raise FlawsightError("no images to choose channels by: pass at least one batch of triplets")
        if len(totals) != len(self.counts):
            raise FlawsightError(f"counts names {len(self.counts)} layers, but {len(totals)} were given")
        self.losses_ = [total / images for total in totals]
        self.channels_ = [best_channels(losses, count) for losses, count in zip(self.losses_, self.counts, strict=True)]
        return self

    def transform(self, features: Sequence[Tensor]) -> list[Tensor]:
        """The chosen channels of feature maps (N, C, H, W), one tensor per layer."""
        if not hasattr(self, "channels_"):
            raise NotFittedError("no channels are chosen yet: call fit first")
        return [values[:, chosen] for values, chosen in zip(features, self.channels_, strict=True)]


@torch.no_grad()
def channel_losses(
    anomalous: Tensor, normal: Tensor, masks: Tensor, normalise: str = "image", resolution: str = "mask"
) -> Tensor:
    """Eq. 4 of paper E for each channel of one layer (C,), as a mean over pixels; see `ChannelSelection`.

    anomalous, normal: feature maps (N, C, H, W) of the same N images. masks: (N, h, w), 1 or True where the defect is.

    >>> masks, normal = torch.eye(8)[None], torch.zeros(1, 3, 8, 8)
    >>> anomalous = torch.stack([normal[:, 0], masks, 1 - masks], dim=1)  # the second channel sees it
    >>> channel_losses(anomalous, normal, masks).argmin()
    tensor(1)
    """
    if normalise not in NORMALISATIONS or resolution not in RESOLUTIONS:
        raise FlawsightError(f"normalise must be one of {NORMALISATIONS}, resolution one of {RESOLUTIONS}")
    if anomalous.shape != normal.shape or anomalous.ndim != 4 or len(masks) != len(normal):
        raise FlawsightError(
            "feature maps with and without the defect must have one shape (N, C, H, W), and N masks (N, h, w) with "
            f"them: got {tuple(anomalous.shape)}, {tuple(normal.shape)} and {tuple(masks.shape)}"
        )
    truth = masks[:, None].to(anomalous)
    if resolution == "features":
        truth = functional.interpolate(truth, anomalous.shape[2:], mode="nearest")
    flat_truth = truth.flatten(2).transpose(1, 2)
    in_defect, pixels = truth.sum((2, 3)), truth[0].numel()
    losses = []
    for one, other in zip(anomalous.split(_CHANNELS_AT_ONCE, 1), normal.split(_CHANNELS_AT_ONCE, 1), strict=True):
        difference = (one - other).square()
        if difference.shape[2:] != truth.shape[2:]:
            difference = functional.interpolate(difference, truth.shape[2:], mode="bilinear")
        flat = difference.flatten(2)
        low, high = flat.amin(2), flat.amax(2)
        if normalise == "batch":
            low, high = low.amin(0), high.amax(0)
        # ||(d - low) / range - M||^2, multiplied out: a few sums of d rather than five more maps of its size.
        spread = high - low + _EPSILON
        total, squares = flat.sum(2), torch.linalg.vector_norm(flat, dim=2).square()
        overlap = (flat @ flat_truth)[..., 0]
        stretched = (squares - 2 * low * total + pixels * low.square()) / spread.square()
        error = stretched - 2 * (overlap - low * in_defect) / spread + in_defect
        losses.append(error.mean(0) / pixels)
    return torch.cat(losses)


def best_channels(losses: Tensor, count: int) -> Tensor:
    """The `count` channels of the smallest losses (C,), ascending; all of them where there are no more.

    >>> best_channels(torch.tensor([0.5, 0.1, 0.3]), count=2)
    tensor([1, 2])
    """
    if count < 1:
        raise FlawsightError(f"{count} channels of a layer cannot be chosen: ask for 1 or more")
    return losses.argsort(stable=True)[:count].sort().values
