"""Histogram of the scores of a week, beside those of the good pictures of the fit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

BINS = 60


@dataclass(frozen=True, eq=False)
class Bins:
    """`edges` (BINS + 1,), and counts (BINS,) of the week and of the good pictures; the last bin holds all above."""

    edges: np.ndarray
    week: np.ndarray
    good: np.ndarray

    @property
    def low(self) -> float:
        """Where the axis begins."""
        return float(self.edges[0])

    @property
    def high(self) -> float:
        """Where it ends."""
        return float(self.edges[-1])

    def place(self, score: float) -> float:
        """Where on the axis a score is, from 0 to 1."""
        return float(np.clip((score - self.low) / (self.high - self.low), 0.0, 1.0))


def bins_of(week: np.ndarray, good: np.ndarray, threshold: float) -> Bins:
    """Bins in which the threshold and the good pictures have room; far defects share the last bin."""
    everything = np.concatenate([week, good, [threshold]])
    low = float(everything.min())
    reach = max(threshold, float(good.max())) - low
    high = min(float(everything.max()), low + 2.2 * reach) if reach > 0 else float(everything.max())
    margin = 0.04 * (high - low) or max(1e-6, 0.1 * abs(low))
    edges = np.linspace(low - margin, high + margin, BINS + 1)
    counts = [np.histogram(np.minimum(scores, edges[-1]), edges)[0] for scores in (week, good)]
    return Bins(edges, *counts)
