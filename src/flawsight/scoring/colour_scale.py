"""The fixed colours of a bundle's heat maps, as a scale of numbers."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from flawsight.core import FlawsightError


@dataclass(frozen=True)
class ColourScale:
    """The colours of all heat maps of a bundle: `low` and below is 0, `threshold` 0.5, twice as far 1 and stays 1.

    `low` is what an ordinary good pixel scores, in the unit of the anomaly maps; FlawsightError unless below threshold.

    >>> scale = ColourScale(low=0, threshold=2)
    >>> scale(np.array([-1.0, 1.0, 2.0, 9.0]))
    array([0.  , 0.25, 0.5 , 1.  ], dtype=float32)
    """

    low: float
    threshold: float

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    def __post_init__(self) -> None:
        if not (np.isfinite(self.low) and np.isfinite(self.threshold) and self.low < self.threshold):
            raise FlawsightError(
                f"A colour scale needs finite numbers with low < threshold, got low={self.low}, "
                f"threshold={self.threshold}."
            )

    def __call__(self, anomaly_map: NDArray[np.floating]) -> NDArray[np.float32]:
        """Return the map's values on the scale, float32 from 0 to 1, in the map's shape."""
        share = (anomaly_map - np.float32(self.low)) * np.float32(0.5 / (self.threshold - self.low))
        return np.clip(share, 0, 1, dtype=np.float32)
