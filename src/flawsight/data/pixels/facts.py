"""What can be seen in the values of one picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from flawsight.data.pixels.containers.opened import Opened

Transparency = Literal["opaque", "meaningless", "meaningful"]
MOSAIC = 0.05
"""From here on the four places of a 2 x 2 pattern differ as those of raw colours do."""
_FULL = (1.0, 255.0, 1023.0, 4095.0, 16383.0, 65535.0)


@dataclass(frozen=True, eq=False)
class Facts:
    """The picture it is of, whether it has colour, its transparency, and its values' range, mean and deviation."""

    picture: Opened
    is_colour: bool
    transparency: Transparency
    low: float
    high: float
    mean: float
    deviation: float
    mosaic: float


def facts_of(picture: Opened, values: np.ndarray) -> Facts:
    """Look at all of a picture's values."""
    colours, alpha = split(values)
    kept = colours if colours.dtype.kind != "f" else colours[np.isfinite(colours)]
    kept = kept if kept.size else np.zeros(1)
    mean, deviation = cv2.meanStdDev(kept.reshape(-1, 1) if kept.dtype == np.uint16 else kept.astype(float).ravel())
    return Facts(
        picture,
        has_colour(colours),
        "opaque" if alpha is None else transparency(colours, alpha),
        float(kept.min()),
        float(kept.max()),
        float(mean[0, 0]),
        float(deviation[0, 0]),
        mosaic(colours),
    )


def split(values: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Colours and transparency."""
    if values.shape[2] in (2, 4):
        return values[..., :-1], values[..., -1]
    return values, None


def has_colour(colours: np.ndarray, slack: float = 0) -> bool:
    """Whether channels differ anywhere; those of a grey picture stored as RGB are the same.

    `slack` is how much they may differ all the same.

    >>> has_colour(images[0]), has_colour(images[0][..., :1])
    (True, False)
    """

    def differ(part: np.ndarray) -> bool:
        others = (part[..., channel] for channel in range(1, part.shape[2]))
        is_equal = all(np.array_equal(part[..., 0], one) for one in others)
        return not is_equal and (slack == 0 or float((part.max(axis=2) - part.min(axis=2)).max()) > slack)

    return differ(colours[::16]) or differ(colours)  # most pictures with colours show them at once


def is_opaque(alpha: np.ndarray) -> bool:
    """Whether nothing is transparent: one value, the largest of some usual depth."""
    low, high = float(alpha.min()), float(alpha.max())
    return low == high and high in ((255.0,) if alpha.dtype == np.uint8 else _FULL)


def transparency(colours: np.ndarray, alpha: np.ndarray) -> Transparency:
    """Cut-out parts have meaning; one value, noise, or what has nothing to do with the content has none."""
    low, high = float(alpha.min()), float(alpha.max())
    if low == high:
        return "opaque" if is_opaque(alpha) else "meaningless"
    share = ((alpha.astype(np.float32) - low) / (high - low)).clip(0, 1)
    is_cut = np.mean((share < 0.1) | (share > 0.9)) > 0.8
    if not is_cut or min(_likeness(share), _likeness(share.T)) < 0.5:
        return "meaningless"
    grey, outside = colours.mean(axis=2, dtype=np.float32), share < 0.5
    inner, outer = grey[~outside], grey[outside]
    apart = abs(inner.mean() - outer.mean()) > 0.1 * grey.std()
    spread = sorted((float(inner.std()) + 1e-6, float(outer.std()) + 1e-6))
    return "meaningful" if apart or spread[1] > 1.25 * spread[0] else "meaningless"


def _likeness(values: np.ndarray) -> float:
    """Correlation of neighbours."""
    here, next_ = values[:, :-1] - values.mean(), values[:, 1:] - values.mean()
    return float((here * next_).mean() / max(values.var(), 1e-12))


def mosaic(colours: np.ndarray) -> float:
    """How much the means of the four places of a 2 x 2 pattern differ, as a share of the whole mean."""
    if colours.shape[2] != 1:
        return 0.0
    height, width = colours.shape[0] // 2, colours.shape[1] // 2
    blocks = colours[: 2 * height, : 2 * width, 0].reshape(height, 2, width, 2)[:: 1 + height // 256]
    means = blocks.mean(axis=(0, 2), dtype=np.float64)
    return float((means.max() - means.min()) / max(abs(means.mean()), 1e-12))
