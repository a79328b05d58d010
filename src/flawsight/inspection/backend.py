"""Backend: whatever computes the raw maps of a bundle's members."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from flawsight.scoring import RawPrediction


class Backend(Protocol):
    """From the network's inputs, squares (S, S, 3) uint8 RGB, to what each member finds in them.

    >>> class Blind:
    ...     def predict_raw(self, squares):
    ...         maps = np.zeros((len(squares), 8, 8), np.float32)
    ...         return [fs.scoring.RawPrediction(maps, None) for member in inspector.manifest.members]
    >>> Inspector(Blind(), inspector.manifest).inspect(dataset / "test" / "spot" / "000.png").verdict
    'good'
    """

    def predict_raw(self, squares: Sequence[np.ndarray]) -> list[RawPrediction]:
        """One prediction of all squares for each member, in the manifest's order."""
