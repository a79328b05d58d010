"""What the history answers when it is asked of many records at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

_MARKS = np.array(["", "good", "defective"])
# A row for each of many scores would be asked for under Python's lock, again and again; this is one row.
SCORES = """
SELECT group_concat(id, ''), group_concat(CAST(at * 1000000 AS INTEGER), ' '), group_concat(score_bits, ' '),
    group_concat((verdict = 'defective') + 2 * (mark IS 'good') + 4 * (mark IS 'defective'), '')
FROM records WHERE bundle = ? AND at >= ? AND score_bits IS NOT NULL
"""


@dataclass(frozen=True, eq=False)
class Scores:
    """Scores in order of time, as they were given: arrays of one length n.

    `at` is float64, seconds since 1970, to the microsecond; `score` float64, raw; `is_defective` bool, the verdict that
    was given; `mark` is what people said: "", "good" or "defective".
    """

    _ids: np.ndarray
    at: np.ndarray
    score: np.ndarray
    is_defective: np.ndarray
    mark: np.ndarray

    @classmethod
    def of(cls, row: Sequence[str | None]) -> Scores:
        """Those in a row that `SCORES` gives."""
        ids, at, bits, flags = (text or "" for text in row)
        times = np.fromstring(at, np.int64, sep=" ")
        order = np.argsort(times, kind="stable")
        flag = np.frombuffer(flags.encode(), np.uint8)[order] - ord("0")
        return cls(
            _ids=np.frombuffer(ids.encode(), "S32")[order],
            at=times[order] / 1e6,
            score=np.fromstring(bits, np.int64, sep=" ").view(np.float64)[order],
            is_defective=(flag & 1).astype(bool),
            mark=_MARKS[flag >> 1],
        )

    @cached_property
    def ids(self) -> np.ndarray:
        """Ids as text; where only a few are wanted, `ids_of` costs less."""
        return self._ids.astype("U32")

    def ids_of(self, which: np.ndarray) -> list[str]:
        """The ids at these indices, or where a bool array (n,) is true."""
        return [one.decode() for one in self._ids[which].tolist()]

    def __len__(self) -> int:
        return len(self._ids)


@dataclass(frozen=True)
class Rates:
    """Of the marked pictures: how many are good and how many of those were stopped, and the same of the defective."""

    n_good: int
    stopped_good: int
    n_defective: int
    found_defective: int
