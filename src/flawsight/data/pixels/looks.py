"""What pictures are like as a whole, and whether new ones differ from those learned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import cv2
import numpy as np

Looks = dict[str, tuple[float, float]]
MOST_SPREADS = 4.0
FEWEST = 5
"""A lamp is not judged by fewer pictures."""
_LEAST = {"brightness": 0.1, "contrast": 0.2, "sharpness": 0.3}
"""Smaller shares of the usual value are never worth a word."""
_LEAST_TINT = 0.02
_WORDS = {
    "brightness": ("brighter", "darker"),
    "contrast": ("more contrast", "less contrast"),
    "sharpness": ("sharper", "less sharp"),
}
_TINTS = {"warmth": ("redder", "bluer"), "tint": ("greener", "more purple")}


def measured(square: np.ndarray) -> dict[str, float]:
    """Brightness, contrast, sharpness and tints of one RGB picture of the network's size.

    >>> sorted(measured(images[0]))
    ['brightness', 'contrast', 'sharpness', 'tint', 'warmth']
    """
    grey = cv2.cvtColor(square, cv2.COLOR_RGB2GRAY)
    brightness, contrast = (float(value[0, 0]) for value in cv2.meanStdDev(grey))
    edges = cv2.Laplacian(grey, cv2.CV_16S)
    red, green, blue, _ = cv2.mean(square)
    whole = max(red + green + blue, 1.0)
    return {
        "brightness": brightness,
        "contrast": contrast,
        "sharpness": cv2.norm(edges, cv2.NORM_L1) / edges.size / max(contrast, 1.0),
        "warmth": (red - blue) / whole,
        "tint": (green - (red + blue) / 2) / whole,
    }


def usual_looks(rows: Sequence[Mapping[str, float]]) -> Looks:
    """The median and a robust deviation of each measure.

    >>> usual_looks([measured(image) for image in images])["brightness"]
    (..., ...)
    """
    found = {}
    for name in rows[0]:
        values = np.array([row[name] for row in rows])
        median = float(np.median(values))
        found[name] = (median, 1.4826 * float(np.median(np.abs(values - median))))
    return found


def change_as_a_whole(learned: Mapping[str, tuple[float, float]], rows: Sequence[Mapping[str, float]]) -> str | None:
    """A sentence if three quarters of these pictures lie far outside what was learned, else None.

    Far: by more than 4 deviations of the good pictures, and by more than 10 % (brightness), 20 % (contrast) or 30 %
    (sharpness). At least five pictures are needed. What is said is the change of the median.

    >>> rows = [measured(image) for image in images]
    >>> bright = [{**row, "brightness": 1.4 * row["brightness"]} for row in rows]
    >>> change_as_a_whole(usual_looks(rows), rows), change_as_a_whole(usual_looks(rows), bright)
    (None, 'these 12 pictures differ as a whole from those learned: 40 % brighter; ...')
    """
    if len(rows) < FEWEST or not learned:
        return None
    said = []
    for name, (usual, deviation) in learned.items():
        lower, change, upper = np.percentile([row[name] for row in rows], (25, 50, 75)) - usual
        least = _LEAST[name] * abs(usual) if name in _LEAST else _LEAST_TINT
        far = max(MOST_SPREADS * deviation, least)
        if lower <= far and upper >= -far:
            continue
        more, less = (_WORDS | _TINTS)[name]
        share = f"{abs(change) / max(abs(usual), 1e-9):.0%} ".replace("%", " %") if name in _LEAST else ""
        said.append(share + (more if change > 0 else less))
    if not said:
        return None
    return (
        f"these {len(rows)} pictures differ as a whole from those learned: {', '.join(said)}; "
        "has the lamp, the exposure or the camera changed? If it is to stay so, fit again"
    )
