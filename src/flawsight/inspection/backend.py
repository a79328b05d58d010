"""Backend: whatever computes the answers of a bundle's members."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np


class Backend(Protocol):
    """From the network's inputs, squares (S, S, 3) uint8 RGB, to maps and scores.

    >>> class Blind:
    ...     name = "blind"
    ...     def predict(self, squares):
    ...         return np.zeros((len(squares), 64, 64), np.float32), np.zeros(len(squares), np.float32)
    >>> Inspector(Blind(), inspector.manifest).inspect(dataset / "test" / "spot" / "000.png").verdict
    'good'
    """

    name: str

    def predict(self, squares: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Anomaly maps (N, S, S) and scores (N,), calibrated and fused as the manifest says."""
