"""Real defects found against their size, beside what artificial ones had promised."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from flawsight.bundle import PodInfo
from flawsight.defects import side_of
from flawsight.metrics import Pod, pod_curve

BINS = 6
"""Of real defects, in order of their sizes; as many in each."""


class FoundBySize:
    """Collects the defects of a test set: how large each is, and whether its picture was stopped.

    Its size is the side of a square as large as the largest connected part of its mask, in pixels of the picture.
    """

    def __init__(self, artificial: PodInfo | None) -> None:
        self.artificial = artificial
        self.sides: list[float] = []
        self.found: list[bool] = []

    def add(self, mask: np.ndarray | None, is_found: bool) -> None:
        """Take a picture's mask (H, W), None or empty where there is no marked defect, and whether it was stopped."""
        if mask is not None and mask.any():
            self.sides.append(side_of(mask))
            self.found.append(is_found)

    def figures(self, threshold: float) -> dict[str, Any] | None:
        """Both curves, and by size what was found and what the artificial ones say; None without marked defects.

        Artificial ones were inspected at the threshold of the fit; at another `threshold` they say nothing.
        """
        if not self.sides:
            return None
        known, artificial = self.artificial, None
        if known is not None and known.kinds and known.threshold == threshold:
            artificial = pod_curve(*known.together())
        real = pod_curve(self.sides, self.found)
        return {
            "real": asdict(real),
            "artificial": None if artificial is None else asdict(artificial),
            "contrast": None if known is None else known.contrast,
            "by_size": compared(np.array(self.sides), np.array(self.found), artificial),
        }


def compared(sides: np.ndarray, found: np.ndarray, artificial: Pod | None) -> list[dict[str, Any]]:
    """Real defects in bins by size: how many were found, and how many would be of as large artificial ones."""
    order = np.argsort(sides, kind="stable")
    bins = [part for part in np.array_split(order, min(BINS, len(order))) if len(part)]
    return [
        {
            "from": float(sides[part].min()),
            "to": float(sides[part].max()),
            "defects": len(part),
            "found": int(found[part].sum()),
            "expected": None if artificial is None else float(artificial.at(sides[part]).sum()),
        }
        for part in bins
    ]
