"""How good are a generator's pictures? As near to good images that it never saw as other good images are, at best."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from flawsight.features import Extractor

WORST = 7.0
"""A higher figure is worth a warning: noise scores 8 and more, and `docs/synthesis.md` has the measurements."""

FEWEST = 20
"""Fewer good images are worth a warning, whatever the figure: there are too few to measure it with."""

_REPEATS = 20
_SIDE = 128  # of the images that the network is shown: it sees little in smaller ones


def relative_frechet_distance(
    pictures: Sequence[np.ndarray], seen: Sequence[np.ndarray], unseen: Sequence[np.ndarray], seed: int = 0
) -> float:
    """How far `pictures` are from `unseen` good images, relative to how far `seen` good images are; 1 is perfect.

    The distance is Frechet's, for channels that are normal and independent, between the features that the default
    network gives at strides 8 and 16, averaged over positions. Few images make any two sets differ, so equal numbers of
    pictures and of seen images, drawn many times, are compared with the unseen. All are (H, W, 3) uint8 RGB.
    """
    extractor = Extractor(image_size=_SIDE, device="cpu")
    made, known, fresh = (_features(extractor, images) for images in (pictures, seen, unseen))
    scale = np.concatenate([known, fresh]).std(axis=0) + 1e-6
    made, known, fresh = made / scale, known / scale, fresh / scale
    rng, count = np.random.default_rng(seed), max(1, (min(len(made), len(known)) + 1) // 2)

    def mean_square(features: NDArray[np.float64]) -> float:
        draws = (rng.choice(len(features), count, replace=False) for _ in range(_REPEATS))
        return float(np.mean([_distance(features[rows], fresh) for rows in draws]))

    return float(np.sqrt(mean_square(made) / max(mean_square(known), 1e-9)))


def _features(extractor: Extractor, images: Sequence[np.ndarray]) -> NDArray[np.float64]:
    names = extractor.default_pair
    rows = [
        np.concatenate([maps[name].mean((2, 3)).cpu().numpy() for name in names], axis=1)
        for maps in extractor.batches(images, names)
    ]
    return np.concatenate(rows).astype(np.float64)


def _distance(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Squared Frechet distance between two sets of features, taken for normal and independent in each channel."""
    means, deviations = one.mean(0) - other.mean(0), one.std(0) - other.std(0)
    return float(np.mean(means**2 + deviations**2))
