"""Detectors that look at one vector per image and level: the global average of each feature map (paper C)."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Self

import torch
from torch import Tensor

from flawsight.core import FlawsightError
from flawsight.detectors.base import DetectorTags, FeatureMaps, checked
from flawsight.detectors.bases.buffered import BufferedDetector
from flawsight.training import TrainingContext


class PooledDetector(BufferedDetector):
    """Scores each level by itself and sums the scores, as the sum predictor of paper C does.

    A subclass says in `_learn_level` what is learned of a level, as named tensors of which `vectors` (M, C) is one,
    and in `_level_scores` how they score other vectors.

    >>> issubclass(KNearest, PooledDetector), issubclass(OneClassSVM, PooledDetector)
    (True, True)
    >>> KNearest().fit(features).anomaly_maps(features).shape
    torch.Size([12, 1, 1])
    """

    @property
    def tags(self) -> DetectorTags:
        """One value for the whole image."""
        return DetectorTags(localizes=False, image_score=True, exportable=True)

    def anomaly_maps(self, features: FeatureMaps) -> Tensor:
        """The scores of the images as maps (N, 1, 1)."""
        levels: list[dict[str, Tensor]] = self._require("levels_")
        pooled = self._reduced(checked(features))
        widths, learned = ([values.shape[1] for values in group] for group in (pooled, _vectors(levels)))
        if widths != learned:
            raise FlawsightError(f"feature maps have {widths} channels, not {learned} as those learned from")
        scores = [self._level_scores(level, values) for level, values in zip(levels, pooled, strict=True)]
        return torch.stack(scores).sum(0)[:, None, None]

    def maps_and_scores(self, features: FeatureMaps) -> tuple[Tensor, Tensor]:
        """Maps (N, 1, 1), and the values (N,) in them."""
        maps = self.anomaly_maps(features)
        return maps, maps.flatten()

    def collected_bytes(self, channels: int, places: int, images: int) -> int:
        """Bytes of one vector per image."""
        del places
        return 4 * channels * images

    def state_dict(self) -> dict[str, Tensor]:
        """What each level learned, under names such as `level0.vectors`."""
        levels: list[dict[str, Tensor]] = self._require("levels_")
        return {f"level{at}.{name}": values for at, level in enumerate(levels) for name, values in level.items()}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> Self:
        """Take the levels back."""
        count = len({name.partition(".")[0] for name in state})
        self.levels_: list[dict[str, Tensor]] = [{} for _ in range(count)]
        for name, values in state.items():
            level, _, key = name.partition(".")
            self.levels_[int(level.removeprefix("level"))][key] = values
        return self

    def _reduced(self, features: FeatureMaps) -> Sequence[Tensor]:
        return [values.mean((2, 3)) for values in features]

    def _learn(self, collected: Sequence[Tensor], training: TrainingContext | None) -> None:
        del training
        self.levels_ = [self._learn_level(vectors) for vectors in collected]

    @abstractmethod
    def _learn_level(self, vectors: Tensor) -> dict[str, Tensor]:
        """What is learned from the pooled vectors (N, C) of one level; `vectors` (M, C) is part of it."""

    @abstractmethod
    def _level_scores(self, level: Mapping[str, Tensor], vectors: Tensor) -> Tensor:
        """Scores (N,) of pooled vectors (N, C), higher for stranger ones."""


def _vectors(levels: Sequence[Mapping[str, Tensor]]) -> list[Tensor]:
    return [level["vectors"] for level in levels]
