"""Calibration: one scale for the maps of all layers and for image scores, so that they can be averaged."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from flawsight.core import FlawsightError

_KNOTS = 64
_TAIL = 0.005
_LEVELS = np.linspace(0, -np.log(_TAIL), _KNOTS)


@dataclass(frozen=True)
class MapCalibrator:
    """A raw map value as its surprisal, -log of the empirical p-value: of the share of good pixels that exceed it.

    Distances of different layers have different spreads and tails; their surprisal has none. `knots` are raw values at
    evenly spaced surprisal, in nats, from 0 to -log(0.005); beyond the last the tail is taken as exponential with
    `tail_scale`.

    >>> calibrated = MapCalibrator.of([np.linspace(0, 1, 1001)])
    >>> calibrated(np.array([[0.5, 0.9]])).round(1)
    array([[0.7, 2.3]], dtype=float32)
    """

    knots: tuple[float, ...]
    tail_scale: float

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    def __post_init__(self) -> None:
        if len(self.knots) != _KNOTS or not self.tail_scale > 0:
            raise FlawsightError(f"a map calibrator has {_KNOTS} knots and a positive tail, not {len(self.knots)}")

    @classmethod
    def of(cls, held_out: Iterable[np.ndarray]) -> Self:
        """Measure the scale on raw maps of good images that the detector was not fitted on."""
        values = np.concatenate([np.ravel(grid_map) for grid_map in held_out])
        values.sort()
        ranks = ((1 - np.exp(-_LEVELS)) * (len(values) - 1)).astype(int)
        knots = values[ranks].astype(np.float64)
        beyond = values[np.searchsorted(values, knots[-1], side="right") :] - knots[-1]
        # Where nothing varies, a step as large as the values themselves is a sane unit.
        scale = float(beyond.mean(dtype=np.float64)) if len(beyond) else float(abs(knots[-1]))
        return cls(tuple(knots.tolist()), max(scale, 1e-12))

    @property
    def levels(self) -> np.ndarray:
        """The surprisal of each knot."""
        return _LEVELS

    def __call__(self, grid_map: np.ndarray) -> np.ndarray:
        """The calibrated map (h, w) float32 of a raw map (h, w)."""
        inside = np.interp(grid_map, self.knots, self.levels)
        beyond = np.maximum(grid_map - np.float64(self.knots[-1]), 0) / self.tail_scale
        return (inside + beyond).astype(np.float32)

    def inverse(self, calibrated: np.ndarray) -> np.ndarray:
        """The raw map (h, w) float32 of a calibrated one; below the lowest knot nothing is told apart."""
        inside = np.interp(calibrated, self.levels, self.knots)
        beyond = np.maximum(calibrated - self.levels[-1], 0) * self.tail_scale
        return (inside + beyond).astype(np.float32)


@dataclass(frozen=True)
class ScoreStandardizer:
    """Image scores of different detectors on one scale: in standard deviations from the mean of held-out good ones.

    >>> standardised = ScoreStandardizer.of(np.array([4.0, 6.0]))
    >>> standardised(np.array([5.0, 8.0]))
    array([0., 3.], dtype=float32)
    """

    mean: float
    deviation: float

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    def __post_init__(self) -> None:
        if not self.deviation > 0:
            raise FlawsightError(f"a deviation of scores must be above 0, got {self.deviation}")

    @classmethod
    def of(cls, held_out: np.ndarray) -> Self:
        """Measure the scale on scores (n,) of good images that the detector was not fitted on."""
        deviation = float(np.std(held_out))
        # Where nothing varies, a step as large as the values themselves is a sane unit.
        return cls(float(np.mean(held_out)), max(deviation, 1e-6 * float(np.abs(held_out).max()), 1e-12))

    def __call__(self, scores: np.ndarray) -> np.ndarray:
        """Scores (n,) float32 on the common scale."""
        return ((scores - self.mean) / self.deviation).astype(np.float32)

    def inverse(self, standardised: np.ndarray) -> np.ndarray:
        """Scores (n,) float32 on their own scale again."""
        return (self.mean + standardised * self.deviation).astype(np.float32)
