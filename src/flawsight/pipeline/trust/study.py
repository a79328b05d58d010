"""What was measured with artificial defects of known size, and some of them to look at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from flawsight.bundle import PodInfo


@dataclass(frozen=True, eq=False)
class Shown:
    """A defect that was inspected, to look at: its picture, mask and map."""

    image: np.ndarray
    mask: np.ndarray
    anomaly_map: np.ndarray
    size: int


@dataclass(frozen=True, eq=False)
class PodStudy:
    """What was measured, and of each kind a defect of about the size from which nine in ten are found."""

    info: PodInfo
    shown: Mapping[str, Shown] = field(default_factory=dict)
