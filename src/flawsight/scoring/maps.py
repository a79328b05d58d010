"""From a detector's grid to pixels: one place for upsampling and smoothing, so that all see the same map."""

from __future__ import annotations

import cv2
import numpy as np

SIGMA_AT_256 = 4.0
"""Gaussian smoothing of PatchCore's official code, in pixels of a 256-pixel input."""


def upsample(grid_map: np.ndarray, side: int, smoothing: float = SIGMA_AT_256) -> np.ndarray:
    """A grid map (h, w) as a smoothed float32 map (side, side); `smoothing` is sigma in pixels of a 256-pixel input.

    >>> upsample(np.eye(8), side=64).shape
    (64, 64)
    """
    resized = cv2.resize(np.asarray(grid_map, np.float32), (side, side), interpolation=cv2.INTER_LINEAR)
    sigma = smoothing * side / 256
    return cv2.GaussianBlur(resized, (0, 0), sigma, borderType=cv2.BORDER_REFLECT) if sigma > 0 else resized
