"""Probability of detection against size: hit/miss data, a logistic curve in log size, likelihood-ratio bounds.

The model and the figures are those of MIL-HDBK-1823A for hit/miss inspections: log odds linear in log size, fitted by
maximum likelihood; the bounds of every point are the extremes of the curves whose likelihood is not too far below the
best (2 log ratio up to 2.706, the 90 % point of chi-square with one degree of freedom: 95 % on each side).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flawsight.core import FlawsightError

Outcome = Literal["fitted", "separated", "all found", "all missed", "no trend"]
Floats = NDArray[np.float64]
LOGIT_90 = math.log(9)
CRITICAL = 2.705543
_RAYS = 360
_STEPS = 60


@dataclass(frozen=True)
class Pod:
    """How many defects of each size were found, and the curve through them.

    `a90`: the size of which nine in ten are found; `a90_95`: that of which it is so with 95 % confidence. Both are None
    beyond the sizes that were tried. Where no curve fits because all smaller ones are missed and all larger ones
    found (`separated`), `between` says where the change lies. `no trend`: larger ones are not found more often.

    >>> found = [0, 0, 0, 0] + [1, 0, 0, 0] + [1, 0, 1, 1] + [1] * 20
    >>> pod = pod_curve([2] * 4 + [3] * 4 + [4] * 4 + [6] * 20, found)
    >>> pod.outcome, round(pod.a90, 1), round(pod.a90_95, 1), pod.at([2, 4]).round(2)
    ('fitted', 4.3, 5.4, array([0.  , 0.81]))
    """

    sizes: tuple[float, ...]
    hits: tuple[int, ...]
    trials: tuple[int, ...]
    outcome: Outcome
    intercept: float | None = None
    slope: float | None = None
    a90: float | None = None
    a90_95: float | None = None
    between: tuple[float, float] | None = None

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    def __post_init__(self) -> None:
        if not (self.sizes and len(self.sizes) == len(self.hits) == len(self.trials)):
            raise FlawsightError("a probability of detection needs as many hits and trials as sizes, and at least one")

    @property
    def found_from(self) -> float | None:
        """The size from which nine in ten are found, as far as the trials say; None where they do not reach that."""
        if self.intercept is None and not self.between and self.outcome != "separated":
            return self.sizes[0] if self.rate >= 0.9 else None
        if self.mixed is not None and self.mixed[1] >= 0.9:
            return self.mixed[0]
        return self.between[1] if self.between else self.a90

    @property
    def mixed(self) -> tuple[float, float] | None:
        """Of `separated` trials the one size of which some were found and some missed, if any, and the share."""
        rows = zip(self.sizes, self.hits, self.trials, strict=True)
        some = [(size, hits / trials) for size, hits, trials in rows if 0 < hits < trials]
        return some[0] if some and self.outcome == "separated" else None

    @property
    def rate(self) -> float:
        """The share of all that was found."""
        return sum(self.hits) / sum(self.trials)

    def at(self, sizes: ArrayLike) -> Floats:
        """The probability of detection at these sizes: by the curve, or what stands in where none fits.

        That is a step within `between`, or the rate of all.
        """
        logs = np.log(np.asarray(sizes, np.float64))
        if self.intercept is not None and self.slope is not None:
            return _probability(self.intercept + self.slope * logs)
        if self.outcome != "separated":
            return np.full(logs.shape, self.rate)
        # Without `between` all but the largest are missed.
        low, high = self.between or (self.sizes[-1], self.sizes[-1])
        top = 1.0 if self.between else self.hits[-1] / self.trials[-1]
        return np.where(logs >= (math.log(low) + math.log(high)) / 2, top, 0.0)

    def band(self, sizes: ArrayLike) -> tuple[Floats, Floats]:
        """Lower and upper 95 % bounds of the curve at these sizes, each on its own."""
        if self.intercept is None or self.slope is None:
            raise FlawsightError(f"no curve fits these trials ({self.outcome})")
        data = _Data.of(self.sizes, self.hits, self.trials)
        contour = data.contour(np.array([self.intercept, self.slope]))
        odds = contour[:, :1] + contour[:, 1:] * np.log(np.asarray(sizes, np.float64))
        return _probability(odds.min(axis=0)), _probability(odds.max(axis=0))


def pod_curve(sizes: ArrayLike, found: ArrayLike) -> Pod:
    """The probability of detection from trials: each one's size (n,), and whether it was found (n,).

    >>> pod_curve([1, 2, 4, 8], [False, False, True, True]).between
    (2.0, 4.0)
    """
    each, hit = np.asarray(sizes, np.float64), np.asarray(found)
    if each.ndim != 1 or each.shape != hit.shape or not each.size:
        raise FlawsightError(f"sizes and found must be of one length, at least 1, not {each.shape} and {hit.shape}")
    if not (np.isfinite(each).all() and (each > 0).all()):
        raise FlawsightError("sizes of defects must be finite and above 0")
    if not np.isin(hit, (0, 1)).all():
        raise FlawsightError("found must say True or False of each defect")
    different, where = np.unique(each, return_inverse=True)
    trials = np.bincount(where)
    hits = np.bincount(where, weights=hit.astype(np.float64)).astype(int)
    counted = tuple(different.tolist()), tuple(hits.tolist()), tuple(trials.tolist())
    if hits.sum() in (0, trials.sum()):
        return Pod(*counted, "all found" if hits.sum() else "all missed")
    largest_missed, smallest_found = different[hits < trials][-1], different[hits > 0][0]
    if largest_missed <= smallest_found:
        return Pod(*counted, "separated", between=_between(different, largest_missed, smallest_found))
    data = _Data.of(*counted)
    if different[hits > 0][-1] <= different[hits < trials][0]:
        return Pod(*counted, "no trend")  # all larger ones are missed
    intercept, slope = best = data.fitted()
    if slope <= 0:
        return Pod(*counted, "no trend")
    contour, largest = data.contour(best), float(different[-1])
    a90 = _size((LOGIT_90 - intercept) / slope, different)
    surely = contour[:, 1] > 0
    a90_95 = float("inf")
    if surely.all():
        a90_95 = _size(float(((LOGIT_90 - contour[:, 0]) / contour[:, 1]).max()), different)
    return Pod(
        *counted,
        "fitted",
        float(intercept),
        float(slope),
        a90 if a90 <= largest else None,
        a90_95 if a90_95 <= largest else None,
    )


def _size(log_size: float, tried: Floats) -> float:
    """The size of this logarithm, no smaller than the smallest that was tried."""
    return max(math.exp(min(log_size, 700.0)), float(tried[0]))


def _between(sizes: Floats, largest_missed: float, smallest_found: float) -> tuple[float, float] | None:
    """The sizes around the change from all missed to all found; None where it may lie beyond the largest."""
    if largest_missed < smallest_found:
        return float(largest_missed), float(smallest_found)
    above, below = sizes[sizes > largest_missed], sizes[sizes < smallest_found]
    if not len(above):
        return None
    return float(below[-1] if len(below) else smallest_found), float(above[0])


def _probability(odds: Floats) -> Floats:
    return np.asarray(np.exp(-np.logaddexp(0, -odds)))


@dataclass(frozen=True, eq=False)
class _Data:
    """The likelihood of (intercept, slope), by the logarithms of sizes."""

    logs: Floats
    hits: Floats
    trials: Floats

    @classmethod
    def of(cls, sizes: ArrayLike, hits: ArrayLike, trials: ArrayLike) -> _Data:
        return cls(np.log(np.asarray(sizes, float)), np.asarray(hits, float), np.asarray(trials, float))

    def likelihood(self, curves: Floats) -> Floats:
        """Its logarithm for curves (n, 2)."""
        odds = curves[:, :1] + curves[:, 1:] * self.logs
        return np.asarray((self.hits * odds - self.trials * np.logaddexp(0, odds)).sum(axis=1))

    def information(self, curve: Floats) -> Floats:
        """Fisher's, (2, 2)."""
        p = _probability(curve[0] + curve[1] * self.logs)
        weight, design = self.trials * p * (1 - p), np.stack([np.ones_like(self.logs), self.logs], axis=1)
        return np.asarray(design.T @ (weight[:, None] * design))

    def fitted(self) -> Floats:
        """The most likely curve, by Newton's method; steps are halved where they would lead down."""
        rate = self.hits.sum() / self.trials.sum()
        curve = np.array([math.log(rate / (1 - rate)), 0.0])
        design = np.stack([np.ones_like(self.logs), self.logs], axis=1)
        for _ in range(200):
            misfit = self.hits - self.trials * _probability(design @ curve)
            step = np.linalg.solve(self.information(curve), design.T @ misfit)
            now = self.likelihood(curve[None])[0]
            while self.likelihood((curve + step)[None])[0] < now - 1e-12 and np.abs(step).max() > 1e-12:
                step = step / 2
            curve = curve + step
            if np.abs(step).max() < 1e-10 * (1 + np.abs(curve).max()):
                break
        return curve

    def contour(self, best: Floats) -> Floats:
        """Curves (n, 2) around the best whose likelihood is just what the bounds allow."""
        angles = np.linspace(0, 2 * np.pi, _RAYS, endpoint=False)
        circle = np.stack([np.cos(angles), np.sin(angles)])
        # In units in which the likelihood falls about alike on all sides.
        rays = np.linalg.solve(np.linalg.cholesky(self.information(best)).T, circle).T
        lowest = self.likelihood(best[None])[0] - CRITICAL / 2
        inner, outer = np.zeros(_RAYS), np.ones(_RAYS)
        while (inside := self.likelihood(best + outer[:, None] * rays) > lowest).any():
            outer[inside] *= 2
        for _ in range(_STEPS):
            middle = (inner + outer) / 2
            inside = self.likelihood(best + middle[:, None] * rays) > lowest
            inner, outer = np.where(inside, middle, inner), np.where(inside, outer, middle)
        return np.asarray(best + inner[:, None] * rays)
