"""Wealth: what bets against "nothing has changed" have come to, whenever the change was."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flawsight.core import FlawsightError

HELD_BACK = 0.1
"""Of a stake of 1, t ** -HELD_BACK is left after t steps: a bet begun late still has enough to start with."""


class Wealth:
    """A stake of 1 put on several bets, a little of it at every step: each bet is begun anew all the time.

    What a bet multiplies its money by has a mean of at most 1 while nothing changes, so that the whole is a
    nonnegative supermartingale from 1 on: it ever reaches 1 / a with probability at most a (Ville). A bet that lost all
    in quiet times is worth at least what was put on it last: after t quiet steps about 0.1 / t of the stake.
    """

    def __init__(self, shares: Sequence[float]) -> None:
        self.shares = tuple(shares)
        self.money = [0.0] * len(self.shares)
        self.grown = [1.0] * len(self.shares)
        self.begun = [0] * len(self.shares)
        """Since this picture each bet has grown so many times: about where a change began, as CUSUM tells it."""
        self.steps = 0

    def play(self, factors: Sequence[float], picture: int) -> float:
        """Bet on a picture, given what each bet multiplies its money by; what all is worth then."""
        self.steps += 1
        left = (self.steps + 1) ** -HELD_BACK
        added = self.steps**-HELD_BACK - left
        for bet, (share, factor) in enumerate(zip(self.shares, factors, strict=True)):
            if self.grown[bet] <= 1:
                self.grown[bet], self.begun[bet] = 1.0, picture
            self.grown[bet] *= factor
            self.money[bet] = (self.money[bet] + share * added) * factor
        return left + sum(self.money)

    @property
    def best(self) -> int:
        """The bet that has most."""
        return max(range(len(self.money)), key=self.money.__getitem__)

    def kept(self) -> dict[str, Any]:
        """What it takes to go on."""
        return {"money": self.money, "grown": self.grown, "begun": self.begun, "steps": self.steps}

    def take(self, money: Sequence[float], grown: Sequence[float], begun: Sequence[int], steps: int) -> None:
        """Go on with what was kept; FlawsightError where it is of other bets."""
        if not len(money) == len(grown) == len(begun) == len(self.shares):
            raise FlawsightError(f"there are {len(self.shares)} bets, not {len(money)}: begin anew")
        self.money, self.grown, self.begun, self.steps = list(money), list(grown), list(begun), steps
