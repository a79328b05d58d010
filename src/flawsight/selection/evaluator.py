"""How well maps tell synthetic defects from good images."""

from __future__ import annotations

import cv2
import numpy as np

from flawsight.metrics import Metrics, PixelTruth, auroc
from flawsight.scoring import upsample
from flawsight.selection.validation import GOOD, ValidationSet


class LayerEvaluator:
    """Measures maps of the validation images against the synthetic masks, at `side` x `side` pixels."""

    def __init__(self, validation: ValidationSet, side: int) -> None:
        self.side = side
        self.kinds = tuple(validation.bad)
        self._good = len(validation.good)
        clean = [np.zeros((side, side), bool)] * self._good
        self._truth = {
            kind: PixelTruth([*clean, *(_shrunk(mask, side) for mask in masks)])
            for kind, (_, masks) in validation.bad.items()
        }

    def upsampled(self, maps: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Grid maps as smoothed square maps."""
        return {name: np.stack([upsample(one, self.side) for one in stack]) for name, stack in maps.items()}

    def figures(
        self, square_maps: dict[str, np.ndarray], scores: dict[str, np.ndarray] | None = None
    ) -> dict[str, Metrics]:
        """Figures of each kind of defect; without `scores` of the images these are the maxima of their maps."""
        scores = scores or maxima(square_maps)
        found = {}
        for kind in self.kinds:
            both = np.concatenate([square_maps[GOOD], square_maps[kind]])
            labels = np.arange(len(both)) >= len(square_maps[GOOD])
            image_scores = np.concatenate([scores[GOOD], scores[kind]])
            found[kind] = Metrics(auroc(image_scores, labels), self._truth[kind].aupro(both, 0.3))
        return found


def maxima(square_maps: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The maximum of every map."""
    return {name: stack.max(axis=(1, 2)) for name, stack in square_maps.items()}


def _shrunk(mask: np.ndarray, side: int) -> np.ndarray:
    """A mask at `side` pixels: a cell is defective if at least half of it is, and the defect never vanishes."""
    share = cv2.resize(mask.astype(np.float32), (side, side), interpolation=cv2.INTER_AREA)
    return share >= min(0.5, float(share.max()))
