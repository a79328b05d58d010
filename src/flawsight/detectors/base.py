"""What every detector is: a scikit-learn style estimator from feature maps to anomaly maps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self, cast

import torch
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import NotFittedError
from torch import Tensor

from flawsight.core import FlawsightError
from flawsight.detectors.synthesis import AnomalySynthesis
from flawsight.training import TrainingContext

FeatureMaps = Sequence[Tensor]
"""One (N, C, H, W) tensor per layer, all of the same N images."""


@dataclass(frozen=True)
class DetectorTags:
    """What those who drive a detector must know of it.

    input: what it is given, the `features` of layers, the `image` (N, 3, S, S) from 0 to 1, or both, `image+features`.
    localizes: whether maps say where the defect is; else they hold one value. image_score: whether images have scores
    of their own scale rather than the maximum of the map. cv_folds: parts of the images that calibration holds out in
    turn; fewer where learning is slow. needs_defects: it learns from synthetic defects, which `attach` gives it.
    has_time_budget: `fit_to_time_budget` makes it cheaper. position_bound: it learns what is usual at each place of the
    image, so that it cannot learn from tiles of many places. exportable: a graph can hold its answers, so that bundles
    run without torch. joined_bonus: how much better layers that are read as one are for it than synthetic defects say,
    in units of a search's criterion. scale_varies: trained on other images, its answers are of another scale, so that
    calibration must align them.

    >>> tags = make_detector("realnet").tags
    >>> tags.input, tags.needs_defects, tags.cv_folds
    ('image+features', True, 2)
    """

    input: Literal["features", "image", "image+features"] = "features"
    localizes: bool = True
    image_score: bool = False
    cv_folds: int = 5
    needs_defects: bool = False
    has_time_budget: bool = False
    position_bound: bool = False
    exportable: bool = False
    joined_bonus: float = 0.0
    scale_varies: bool = False


class Detector(BaseEstimator, ABC):
    """Parameters in `__init__`, stored unchanged; what `fit` learns ends in `_`; higher is more anomalous.

    `fit` takes feature maps, or an iterable of batches of them for images that do not fit in memory at once. A
    search drives the same steps itself, so that one pass over the images feeds many detectors: `reset`, then for
    each batch `embed`, which may run beside others, and `update`, in order; then `finalize`.

    >>> detector = make_detector("patchcore", bank_size=50)
    >>> detector.reset()
    >>> for batch in features[0].split(4):
    ...     detector.partial_fit([batch])
    >>> detector.finalize().anomaly_maps(features).shape
    torch.Size([12, 8, 8])
    """

    images_taken: int = 0

    @property
    def tags(self) -> DetectorTags:
        """What is special about it."""
        return DetectorTags()

    def fit(self, X: FeatureMaps | Iterable[FeatureMaps], y: object = None) -> Self:
        """Learn from the feature maps of good images; `y` is ignored."""
        self.reset()
        for batch in batches_of(X):
            self.partial_fit(batch)
        return self.finalize()

    def partial_fit(self, features: FeatureMaps) -> None:
        """Take in one batch of good images; the result does not depend on how images are batched."""
        self.update(self.embed(features, self.images_taken))

    @abstractmethod
    def reset(self) -> None:
        """Forget everything learned, set `images_taken` to 0 and make ready for `partial_fit`."""

    @abstractmethod
    def embed(self, features: FeatureMaps, first: int) -> Any:
        """What is needed of a batch whose first image has the number `first`; changes nothing."""

    @abstractmethod
    def update(self, embedded: Any) -> None:
        """Keep what was read of the next batch, and count its images in `images_taken`."""

    @abstractmethod
    def leave_out(self, images: Collection[int]) -> Self:
        """A copy, not yet finished, that has taken all these images but those of these numbers."""

    @abstractmethod
    def finalize(self, training: TrainingContext | None = None) -> Self:
        """Learn from what was collected, and let go of it.

        `training` is where a long one reports to and keeps its checkpoints.
        """

    def fit_to_time_budget(self, features: FeatureMaps, seconds: float) -> Self:
        """The detector, or a copy with parameters by which one training on such features takes so many seconds."""
        del features, seconds
        return self

    def attach(self, synthesis: AnomalySynthesis) -> Self:
        """Learn from these defects, seen by this network; copies of the detector do, too."""
        raise FlawsightError(f"{type(self).__name__} learns from good images alone: it has no use for defects")

    def low_fidelity(self) -> Self:
        """A cheaper detector of the same kind, not fitted, that serves to rank layers."""
        return clone(self)

    def variants(self) -> Mapping[str, Self]:
        """Other ways to read a layer, by what differs, whose maps a search averages with its own."""
        return {}

    @abstractmethod
    def anomaly_maps(self, features: FeatureMaps) -> Tensor:
        """Raw anomaly maps (N, h, w) on the detector's own grid."""

    def image_scores(self, features: FeatureMaps) -> Tensor:
        """Raw scores (N,): the maximum of each map unless the method has its own."""
        return self.anomaly_maps(features).flatten(1).amax(1)

    def maps_and_scores(self, features: FeatureMaps) -> tuple[Tensor, Tensor]:
        """Both answers; a method whose own scores come from its maps makes those once."""
        return self.anomaly_maps(features), self.image_scores(features)

    def collected_bytes(self, channels: int, places: int, images: int) -> int:
        """Bytes held between `reset` and `finalize` for maps of so many channels and places; all, unless overridden."""
        return 4 * channels * places * images

    def prepare_export(self) -> None:
        """Derive from what was learned whatever the answers take while they are traced into a graph."""

    @abstractmethod
    def state_dict(self) -> dict[str, Tensor]:
        """Everything `fit` learned, as tensors that can be saved."""

    @abstractmethod
    def load_state_dict(self, state: Mapping[str, Tensor]) -> Self:
        """The inverse of `state_dict`."""

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
    """The same feature maps, or an error that says what is wrong with them.

    >>> checked([torch.zeros(40, 8, 8)])
    Traceback (most recent call last):
        ...
    flawsight.core.errors.FlawsightError: feature maps must be tensors of shape (N, C, H, W), one per layer
    """
    if torch.compiler.is_exporting():  # questions about values have no place in a graph
        return features
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
