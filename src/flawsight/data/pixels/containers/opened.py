"""A picture that is opened: what its header says, and how its values are got."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from flawsight.data.decode import Source

Samples = Literal["byte", "word", "float"]
"""How values are stored: 8 bits, whole numbers of more bits, or floating point."""


@dataclass(frozen=True, eq=False)
class Opened:
    """`decode` gives the values (H, W, channels) as they are stored, upright; the last of 2 or 4 channels is alpha.

    `bits` is how many of the stored ones the file declares as used. Where `is_inverted`, 0 is white.
    """

    path: Source
    size: tuple[int, int]
    dtype: str
    channels: int
    decode: Callable[[], np.ndarray]
    bits: int | None = None
    is_inverted: bool = False

    @property
    def samples(self) -> Samples:
        """How its values are stored."""
        return "byte" if self.dtype == "uint8" else "float" if self.dtype.startswith("float") else "word"

    @property
    def has_alpha(self) -> bool:
        """Whether the last channel is transparency."""
        return self.channels in (2, 4)

    def values(self) -> np.ndarray:
        """The values, decoded, always (H, W, channels)."""
        values = self.decode()
        return values.reshape(*values.shape[:2], -1)


def turned(values: np.ndarray, orientation: int) -> np.ndarray:
    """Values (H, W, ...) turned as EXIF's orientation says."""
    if orientation >= 5:
        values = values.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        values = values[:, ::-1]
    if orientation in (3, 4, 7, 8):
        values = values[::-1]
    return values


def nominal_bits(peak: float) -> int | None:
    """The smallest usual depth that holds this value."""
    return next((bits for bits in (8, 10, 12, 14, 16) if peak < 1 << bits), None)
