"""The connected-component score of an anomaly map (paper C, Sec. IV.C)."""

from __future__ import annotations

import math

import cv2
import numpy as np


def component_score(anomaly_map: np.ndarray, least_area: float) -> float:
    """The highest threshold at which one 8-connected region of the map (h, w) covers `least_area` of the image.

    A region is where the map is at least the threshold; `least_area` is a fraction. An image is called defective at
    exactly the thresholds up to this score.
    """
    pixels = min(anomaly_map.size, max(1, math.ceil(least_area * anomaly_map.size)))
    # No threshold above the pixels-th highest value leaves enough pixels, and lower ones only make regions grow.
    candidates = np.unique(np.partition(anomaly_map.ravel(), -pixels)[: anomaly_map.size - pixels + 1])
    low, high = 0, len(candidates) - 1
    while low < high:
        middle = (low + high + 1) // 2
        enough = _largest_region(anomaly_map >= candidates[middle]) >= pixels
        low, high = (middle, high) if enough else (low, middle - 1)
    return float(candidates[low])


def _largest_region(mask: np.ndarray) -> int:
    _, _, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    return int(stats[1:, cv2.CC_STAT_AREA].max(initial=0))
