"""How many good pictures would be expected to score as high, by what the usual ones are like."""

from __future__ import annotations

import numpy as np

_LOW, _MIDDLE = 0.1, 0.5
"""Quantiles that a fifth of defective pictures hardly moves: they score high."""
_OF_FEW = 5
"""Of n pictures the scale is itself uncertain, and counts as 1 + 5/n times as large."""
_LEAST = 0.1
"""The scale is no smaller than this share of the median, so that a very even set does not alarm."""


def expected(scores: np.ndarray) -> np.ndarray:
    """For each score (n,) how many of n good pictures would be expected to reach it.

    A picture's score is the highest of many surprisals, whose tails are exponential: the law of such maxima is
    Gumbel's. Its place and scale come from the lower half of the scores.
    """
    low, middle = np.quantile(scores, (_LOW, _MIDDLE))
    at_low, at_middle = (-np.log(-np.log(share)) for share in (_LOW, _MIDDLE))
    spread = (middle - low) / (at_middle - at_low) * (1 + _OF_FEW / len(scores))
    scale = max(spread, _LEAST * abs(middle), 1e-9)
    place = middle - at_middle * scale
    # Below the lowest exponent all good pictures are expected to reach it.
    return np.asarray(-len(scores) * np.expm1(-np.exp(np.minimum((place - scores) / scale, 50.0))))
