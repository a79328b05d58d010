"""Which verdicts would have been others at another threshold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from flawsight.station.history.answers import Scores

MOST_SHOWN = 12


@dataclass(frozen=True)
class Flips:
    """What another threshold would change: how many pictures, and the ids of the newest of them, newest first."""

    n_stopped: int
    n_passed: int
    stopped: tuple[str, ...]
    passed: tuple[str, ...]


def flips(scores: Scores, now: float, then: float, count: int = MOST_SHOWN) -> Flips:
    """Pictures that `then` stops and `now` does not, and the other way round."""
    newly_stopped = (scores.score > then) & (scores.score <= now)
    newly_passed = (scores.score > now) & (scores.score <= then)
    return Flips(
        int(newly_stopped.sum()),
        int(newly_passed.sum()),
        _newest(scores, newly_stopped, count),
        _newest(scores, newly_passed, count),
    )


def _newest(scores: Scores, which: np.ndarray, count: int) -> tuple[str, ...]:
    return tuple(scores.ids_of(np.flatnonzero(which)[::-1][:count]))
