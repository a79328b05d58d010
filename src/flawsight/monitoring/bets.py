"""The bets: what each multiplies its money by, with a mean of at most 1 while nothing changes."""

from __future__ import annotations

import math
from typing import Literal

TILTS = (-2.0, -1.0, 1.0, 2.0)
LUMPS, ON_A_LUMP = 8, 0.5
SHARES = (*(0.5 / len(TILTS),) * len(TILTS), *(0.5 / LUMPS,) * LUMPS)
"""Of the stake: half for the tilts, half for the lumps."""
STEPS = (1 / 16, 1 / 4, 1 / 2, 7 / 8)
"""Of the way from the share that is allowed to 1: shares of stopped pictures that are bet on."""


def on_rank(rank: float) -> list[float]:
    """Of a rank in 0..1, uniform while nothing changes: tilts to either side, then lumps where ranks crowd.

    A tilt has the density 1 + tilt * (rank - 1/2). A lump puts half of its money on one eighth of the ranks.
    """
    lump = min(LUMPS - 1, int(rank * LUMPS))
    tilts = [1 + tilt * (rank - 0.5) for tilt in TILTS]
    return tilts + [1 - ON_A_LUMP + ON_A_LUMP * LUMPS * (place == lump) for place in range(LUMPS)]


def on_stop(is_stopped: bool, allowed: float) -> list[float]:
    """Of whether a picture is stopped, which happens with a probability of at most `allowed`."""
    return [1 + step * (1 / allowed - 1) if is_stopped else 1 - step for step in STEPS]


def looks_like(bet: int) -> Literal["higher", "lower", "crowded"]:
    """What a bet on ranks of p-values that wins says of the scores; small p-values are high scores."""
    if bet < len(TILTS):
        return "higher" if TILTS[bet] < 0 else "lower"
    place = bet - len(TILTS)
    return "higher" if place == 0 else "lower" if place == LUMPS - 1 else "crowded"


def likely_share(stops: float, size: int, doubt: float) -> float:
    """The share of good pictures that a threshold with the p-value `stops` may really stop, but for a chance `doubt`.

    Of `size` calibration scores the threshold is the r-th highest: what lies above it has a share distributed as
    Beta(r, size + 1 - r), which is above x as often as fewer than r of `size` draws of a probability x succeed.
    """
    rank = math.floor(stops * (size + 1) + 1e-6)
    if rank > size:
        return 1.0
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        chances = (
            math.lgamma(size + 1) - math.lgamma(k + 1) - math.lgamma(size - k + 1)
            + k * math.log(middle) + (size - k) * math.log1p(-middle)
            for k in range(rank)
        )  # fmt: skip
        low, high = (middle, high) if sum(map(math.exp, chances)) > doubt else (low, middle)
    return high
