"""The Mann-Whitney statistic, shared by the image and the pixel AU-ROC."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def mann_whitney(sorted_good: NDArray[Any], defective: NDArray[Any]) -> float:
    """Return P(defective > good) + P(defective = good) / 2 over all pairs; `sorted_good` ascends."""
    below = int(np.searchsorted(sorted_good, defective, side="left").sum())
    below_or_equal = int(np.searchsorted(sorted_good, defective, side="right").sum())
    return (below + below_or_equal) / (2 * sorted_good.size * defective.size)
