"""What every detector is: a scikit-learn style estimator from feature maps to anomaly maps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Self, cast

import torch
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import NotFittedError
from torch import Tensor

from flawsight.detectors.engine.training import Training
from flawsight.errors import FlawsightError

FeatureMaps = Sequence[Tensor]
"""One (N, C, H, W) tensor per layer, all of the same N images."""


class Detector(BaseEstimator, ABC):
    """Parameters in `__init__`, stored unchanged; what `fit` learns ends in `_`; higher is more anomalous.

    `fit` takes feature maps, or an iterable of batches of them for images that do not fit in memory at once. A
    search drives the same steps itself, so that one pass over the images feeds many detectors: `start`, then for
    each batch `read`, which may run beside others, and `take`, in order; then `finish`.
    """

    images_taken: int = 0
    folds: ClassVar[int] = 5
    """Parts of the images that calibration holds out in turn; fewer where learning is slow."""
    reads: ClassVar[str] = "layers"
    """`layers`: feature maps of a network's layers; `images`: the pictures (N, 3, S, S) themselves, from 0 to 1;
    `both`: the pictures, and then the maps of several layers; `attach` then gives them defects to learn from."""
    localises: ClassVar[bool] = True
    """Whether maps say where the defect is; else they hold one value."""

    def fit(self, X: FeatureMaps | Iterable[FeatureMaps], y: object = None) -> Self:
        """Learn from the feature maps of good images; `y` is ignored."""
        self.start()
        for batch in batches_of(X):
            self.collect(batch)
        return self.finish()

    def collect(self, features: FeatureMaps) -> None:
        """Take in one batch of good images; the result does not depend on how images are batched."""
        self.take(self.read(features, self.images_taken))

    @abstractmethod
    def start(self) -> None:
        """Forget everything learned, set `images_taken` to 0 and make ready for `collect`."""

    @abstractmethod
    def read(self, features: FeatureMaps, first: int) -> Any:
        """What is needed of a batch whose first image has the number `first`; changes nothing."""

    @abstractmethod
    def take(self, read: Any) -> None:
        """Keep what was read of the next batch, and count its images in `images_taken`."""

    @abstractmethod
    def without(self, images: Collection[int]) -> Self:
        """A copy, not yet finished, that has taken all these images but those of these numbers."""

    @abstractmethod
    def finish(self, training: Training | None = None) -> Self:
        """Learn from what was collected, and let go of it.

        `training` is where a long one reports to and keeps its checkpoints.
        """

    def coarse(self) -> Self:
        """A cheaper detector of the same kind, not fitted, that serves to rank layers."""
        return clone(self)

    @abstractmethod
    def anomaly_maps(self, features: FeatureMaps) -> Tensor:
        """Raw anomaly maps (N, h, w) on the detector's own grid."""

    @property
    def scores_images(self) -> bool:
        """Whether images have scores of their own scale rather than the maximum of a map of places."""
        return not self.localises

    def image_scores(self, features: FeatureMaps) -> Tensor:
        """Raw scores (N,): the maximum of each map unless the method has its own."""
        return self.anomaly_maps(features).flatten(1).amax(1)

    def maps_and_scores(self, features: FeatureMaps) -> tuple[Tensor, Tensor]:
        """Both answers; a method whose own scores come from its maps makes those once."""
        return self.anomaly_maps(features), self.image_scores(features)

    def collected_bytes(self, channels: int, places: int, images: int) -> int:
        """Bytes held between `start` and `finish` for maps of so many channels and places; all, unless overridden."""
        return 4 * channels * places * images

    @abstractmethod
    def learned(self) -> dict[str, Tensor]:
        """Everything `fit` learned, as tensors that can be saved."""

    @abstractmethod
    def restore(self, learned: Mapping[str, Tensor]) -> Self:
        """The inverse of `learned`."""

    def _forget(self) -> None:
        """Drop everything learned."""
        for name in [name for name in vars(self) if name.endswith("_")]:
            delattr(self, name)

    def _require_images(self) -> None:
        """Raise where there is nothing to learn from."""
        if not self.images_taken:
            raise FlawsightError("no images to learn from: pass the feature maps of at least one good image")

    def _require(self, attribute: str) -> Any:
        if not hasattr(self, attribute):
            raise NotFittedError(f"this {type(self).__name__} has learned nothing yet: call fit first")
        return getattr(self, attribute)


def batches_of(X: FeatureMaps | Iterable[FeatureMaps]) -> Iterator[FeatureMaps]:
    """Iterate over batches whether `X` is one batch or many."""
    one_batch = isinstance(X, Sequence) and len(X) and isinstance(X[0], Tensor)
    yield from cast(Iterable[FeatureMaps], [X] if one_batch else X)


def checked(features: FeatureMaps) -> FeatureMaps:
    """The same feature maps, or an error that says what is wrong with them."""
    if not len(features):
        raise FlawsightError("no feature maps: pass one (N, C, H, W) tensor per layer")
    for values in features:
        if not isinstance(values, Tensor) or values.ndim != 4:
            raise FlawsightError("feature maps must be tensors of shape (N, C, H, W), one per layer")
        if len(values) != len(features[0]):
            raise FlawsightError(f"feature maps disagree on the number of images: {len(values)}, {len(features[0])}")
        # The sum is finite unless a value is not (or the values are absurd), and is far cheaper to ask.
        if not torch.isfinite(values.sum()) and not torch.isfinite(values).all():
            raise FlawsightError("feature maps hold NaN or infinity: check the weights and the image scaling")
    return features
