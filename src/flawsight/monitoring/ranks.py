"""Ranks among all that came before: exactly uniform and independent while nothing changes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np

from flawsight.core import FlawsightError


class Ranks:
    """Values are numbers of cells, 1 to `cells`; how often each came is all that is kept.

    `edges`: with them it begins, where it may: one between each cell and the next, from that above `first` on, as the
    scores of the calibration lie between the p-values that they make. The first rank is then among those already.
    """

    def __init__(self, cells: int, seed: int, edges: bool = False, first: int = 0) -> None:
        self.counts = np.zeros(cells + 1, np.int64)
        self.seen = 0
        self._seed, self._first = seed, first
        self._edges = max(0, cells - 1 - first) if edges else 0

    def rank(self, cell: int) -> float:
        """The share of what came before that is smaller; among equals the place is drawn. Then it has come, too."""
        smaller = int(self.counts[:cell].sum()) + min(self._edges, max(0, cell - 1 - self._first))
        equal = int(self.counts[cell])
        found = (smaller + self._drawn() * (equal + 1)) / (self._edges + self.seen + 1)
        self.counts[cell] += 1
        self.seen += 1
        return found

    def _drawn(self) -> float:
        """Between 0 and 1, by the seed and how many came: the same on every machine, with no generator to keep."""
        digest = hashlib.blake2b(f"{self._seed} {self.seen}".encode(), digest_size=8).digest()
        return (int.from_bytes(digest) + 0.5) / 2**64

    def take(self, counts: Mapping[int, int]) -> None:
        """Go on after these; FlawsightError where a cell is none of ours."""
        for cell, count in counts.items():
            if not (0 < cell < len(self.counts) and count > 0):
                raise FlawsightError(f"there is no cell {cell} of {len(self.counts) - 1} that {count} values lie in")
            self.counts[cell] = count
        self.seen = int(self.counts.sum())
