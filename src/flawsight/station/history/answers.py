"""What the history answers when it is asked of many records at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

ROW = np.dtype([("id", "S32"), ("at", "f8"), ("score", "f8"), ("is_defective", "?"), ("good", "?"), ("defective", "?")])


@dataclass(frozen=True, eq=False)
class Scores:
    """Scores by time, as they were given; arrays of one length n. `rows` has the fields of `ROW`."""

    rows: np.ndarray

    @property
    def at(self) -> np.ndarray:
        """Seconds since 1970, float64."""
        return self.rows["at"]

    @property
    def score(self) -> np.ndarray:
        """Raw scores, float64."""
        return self.rows["score"]

    @property
    def is_defective(self) -> np.ndarray:
        """The verdicts that were given, bool."""
        return self.rows["is_defective"]

    @cached_property
    def ids(self) -> np.ndarray:
        """Ids as text; where only a few are wanted, `ids_of` costs less."""
        return self.rows["id"].astype("U32")

    @cached_property
    def mark(self) -> np.ndarray:
        """What people said: "", "good" or "defective"."""
        return np.where(self.rows["good"], "good", np.where(self.rows["defective"], "defective", ""))

    def ids_of(self, which: np.ndarray | Iterable[int]) -> list[str]:
        """The ids at these indices, or where a bool array (n,) is true."""
        chosen = which if isinstance(which, np.ndarray) else np.array(list(which), int)
        return [one.decode() for one in self.rows["id"][chosen].tolist()]

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True)
class Rates:
    """Of the marked pictures: how many are good and how many of those were stopped, and the same of the defective."""

    n_good: int
    stopped_good: int
    n_defective: int
    found_defective: int
