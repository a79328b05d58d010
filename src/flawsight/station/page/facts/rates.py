"""A share with how sure one may be of it."""

from __future__ import annotations

import math

_Z = 1.959963984540054  # of 95 %


def wilson(hits: int, of: int) -> tuple[float, float]:
    """The 95 % interval of Wilson (1927) for a share of `hits` of `of`; (0, 1) where nothing was counted."""
    if of == 0:
        return 0.0, 1.0
    share, square = hits / of, _Z * _Z / of
    middle = (share + square / 2) / (1 + square)
    half = _Z * math.sqrt(share * (1 - share) / of + square / (4 * of)) / (1 + square)
    # Rounding must not say that what was seen cannot be.
    return (0.0 if hits == 0 else max(0.0, middle - half)), (1.0 if hits == of else min(1.0, middle + half))
