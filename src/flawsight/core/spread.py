"""Some of many, evenly spread from the first to the last."""

import numpy as np


def spread(count: int, most: int) -> list[int]:
    """At most so many of the numbers below `count`, evenly spread and in order: from the first to the last, or the
    first alone.

    >>> spread(9, 3), spread(2, 3), spread(0, 3)
    ([0, 4, 8], [0, 1], [])
    """
    return np.linspace(0, count - 1, min(count, most)).round().astype(int).tolist() if count else []
