"""How well maps tell synthetic defects from good images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import cv2
import numpy as np

from flawsight.metrics import Metrics, PixelTruth, auroc
from flawsight.scoring import upsample

GOOD = "good"
Maps = Mapping[str, Sequence[np.ndarray] | np.ndarray]
"""Maps (h, w) of the validation images, the good ones' under "good", the others' by kind."""


class Marked(Protocol):
    """What is asked of a validation set: its good images, and by kind defective ones with their masks."""

    @property
    def good(self) -> Sequence[np.ndarray]:
        """The good ones."""

    @property
    def bad(self) -> Mapping[str, tuple[Sequence[np.ndarray], Sequence[np.ndarray]]]:
        """The others, and their masks, by kind."""


class Evaluator(Protocol):
    """Whoever measures maps of a validation set."""

    side: int

    def upsampled(self, maps: dict[str, np.ndarray]) -> Maps:
        """Smoothed maps of the images from grid maps of the network's inputs."""

    def image_scores(self, scores: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Scores of the images from those of the network's inputs."""

    def figures(self, maps: Maps, scores: dict[str, np.ndarray] | None = None) -> dict[str, Metrics]:
        """Figures of each kind of defect; without `scores` of the images these are the maxima of their maps."""


class LayerEvaluator:
    """Measures maps of the validation images against the synthetic masks, at `side` x `side` pixels."""

    def __init__(self, validation: Marked, side: int) -> None:
        self.side = side
        self.kinds = tuple(validation.bad)
        self._good = len(validation.good)
        clean = [np.zeros((side, side), bool)] * self._good
        self._truth = {
            kind: PixelTruth([*clean, *(shrunk_mask(mask, (side, side)) for mask in masks)])
            for kind, (_, masks) in validation.bad.items()
        }

    def upsampled(self, maps: dict[str, np.ndarray]) -> Maps:
        """Grid maps as smoothed square maps."""
        return {name: np.stack([upsample(one, self.side) for one in stack]) for name, stack in maps.items()}

    def image_scores(self, scores: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Scores of the images from those of the network's inputs: here, the same."""
        return scores

    def figures(self, maps: Maps, scores: dict[str, np.ndarray] | None = None) -> dict[str, Metrics]:
        """Figures of each kind of defect; without `scores` of the images these are the maxima of their maps."""
        return figures_of(self._truth, maps, scores or maxima(maps))


def figures_of(truth: Mapping[str, PixelTruth], maps: Maps, scores: Mapping[str, np.ndarray]) -> dict[str, Metrics]:
    """Figures of each kind of defect from maps and scores of the images."""
    found = {}
    for kind, masks in truth.items():
        both = [*maps[GOOD], *maps[kind]]
        labels = np.arange(len(both)) >= len(maps[GOOD])
        image_scores = np.concatenate([scores[GOOD], scores[kind]])
        found[kind] = Metrics(auroc(image_scores, labels), masks.aupro(both, 0.3))
    return found


def maxima(maps: Maps) -> dict[str, np.ndarray]:
    """The maximum of every map."""
    return {name: np.array([one.max() for one in stack]) for name, stack in maps.items()}


def shrunk_mask(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A mask at a size (h, w): a cell is defective if at least half of it is, and the defect never vanishes."""
    share = cv2.resize(mask.astype(np.float32), size[::-1], interpolation=cv2.INTER_AREA)
    found: np.ndarray = share >= min(0.5, float(share.max()))
    return found
