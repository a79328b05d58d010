"""One picture among the good ones that looks as if it showed a defect."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from flawsight.bundle import SuspectInfo
from flawsight.core import sha256_of


@dataclass(frozen=True, eq=False)
class Suspect:
    """A picture, its square, what was found in it, and how many of so many good ones would be expected to score so."""

    path: Path
    number: int
    image: np.ndarray
    anomaly_map: np.ndarray
    score: float
    expected: float
    is_left_out: bool

    @property
    def info(self) -> SuspectInfo:
        """What the manifest keeps."""
        return SuspectInfo(
            file=self.path.name,
            sha256=sha256_of(self.path),
            score=self.score,
            expected=self.expected,
            is_left_out=self.is_left_out,
        )
