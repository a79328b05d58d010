"""What paper C learns from: global averages of a network's levels, in folds of the good images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np
import torch
from sklearn.model_selection import KFold

from flawsight.core import FlawsightError
from flawsight.data import augmented, folds
from flawsight.detectors.gaussian.distance import GaussianDistance, fit_gaussian
from flawsight.features import Extractor
from flawsight.metrics import auroc
from flawsight.studies.papers.c.units import DISTANCES, FOLDS, Part
from flawsight.studies.products import Product

Levels = dict[str, torch.Tensor]
"""Pooled vectors (N, C) float64 by the name of the level."""
AT_ONCE = 4
"""Pictures in a pass of the network."""


class Pooled:
    """A product's pooled vectors by one network at some levels; changed copies and fits are made when asked for."""

    def __init__(self, product: Product, network: Extractor, names: tuple[str, ...], seed: int) -> None:
        self.product, self.network, self.names, self.seed = product, network, names, seed
        self.good, self.test = self._of(product.good), self._of(product.test)
        self.labels = np.array(product.labels)
        # Kept with this object, not beyond it.
        self.fitted = lru_cache(maxsize=64)(self._fitted)
        self.held_out = lru_cache(maxsize=8)(self._held_out)
        self.copies = lru_cache(maxsize=1)(self._copies)

    def _of(self, images: Sequence[np.ndarray]) -> Levels:
        parts = [
            {name: maps[name].mean((2, 3), dtype=torch.float64).cpu().clone() for name in self.names}
            for maps in self.network.batches(images, self.names, batch_size=AT_ONCE)
        ]
        return {name: torch.cat([part[name] for part in parts]) for name in self.names}

    def _copies(self, count: int, changes: tuple[str, ...]) -> Levels:
        return self._of(augmented(self.product.good, count, changes, self.seed))

    def vectors(self, name: str, images: np.ndarray, part: Part) -> torch.Tensor:
        """Of these good images, or of all changed copies of them, at one level."""
        if not part.copies:
            return self.good[name][images]
        rows = np.arange(part.copies)[:, None] * len(self.good[name]) + images
        return self.copies(part.copies, part.changes)[name][rows.ravel()]

    def fit(self, name: str, images: np.ndarray, method: str, part: Part) -> GaussianDistance:
        """The distribution of a level's vectors of these good images."""
        return fit_gaussian(self.vectors(name, images, part), **DISTANCES[method])

    def _fitted(self, name: str, method: str, part: Part) -> tuple[GaussianDistance, np.ndarray]:
        """The distribution that a fold leaves, and the scores (N,) of the test images."""
        normal = self.fit(name, kept_images(len(self.product.good), part.fold, self.seed), method, part)
        return normal, normal.distances(self.test[name]).numpy()

    def _held_out(self, name: str, method: str, part: Part) -> np.ndarray:
        """Scores of a fold's good images, as they are, by distributions that have not seen them."""
        images = kept_images(len(self.product.good), part.fold, self.seed)
        scores = np.empty(len(images))
        for inner in folds(len(images), FOLDS, self.seed):
            normal = self.fit(name, np.delete(images, inner), method, part)
            scores[inner] = normal.distances(self.good[name][images[inner]]).numpy()
        return scores


@lru_cache(maxsize=2)
def pooled(product: Product, network: Extractor, names: tuple[str, ...], seed: int) -> Pooled:
    """The last two are kept."""
    return Pooled(product, network, names, seed)


def kept_images(count: int, fold: int, seed: int) -> np.ndarray:
    """The numbers of the good images that are learned from when this fold is left out, as the paper's code cuts."""
    if count < FOLDS:
        raise FlawsightError(f"{count} good images cannot be cut into {FOLDS} folds: this study needs {FOLDS} or more")
    cut = KFold(FOLDS, shuffle=True, random_state=seed).split(np.arange(count))
    return [learned for learned, _ in cut][fold - 1]


def learned_pictures(product: Product, part: Part, seed: int, without: str = "") -> Sequence[np.ndarray]:
    """The pictures themselves of a fold, or the changed copies of them; without one kind of change."""
    images = kept_images(len(product.good), part.fold, seed)
    if not part.copies:
        return [product.good[number] for number in images]
    part = replace(part, changes=tuple(name for name in part.changes if name != without))
    copies, count = augmented(product.good, part.copies, part.changes, seed), len(product.good)
    return [copies[turn * count + number] for turn in range(part.copies) for number in images]


def auroc_of(scores: np.ndarray, labels: np.ndarray) -> float | None:
    """AU-ROC; None where there are no good or no defective images."""
    return auroc(scores, labels) if len(set(labels.tolist())) == 2 else None
