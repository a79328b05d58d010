"""Backend: whatever computes the raw maps of a bundle's members."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from flawsight.scoring import RawPrediction


class Backend(Protocol):
    """From the network's inputs, squares (S, S, 3) uint8 RGB, to what each member finds in them."""

    def predict_raw(self, squares: Sequence[np.ndarray]) -> list[RawPrediction]:
        """One prediction of all squares for each member, in the manifest's order."""
