"""Plain references: slow, short, in float64."""

from __future__ import annotations

import numpy as np
from scipy import ndimage


def nearest(queries: np.ndarray, bank: np.ndarray, block: int = 8192) -> np.ndarray:
    """The Euclidean distance of each query to its nearest descriptor of the bank."""
    wide = bank.astype(np.float64)
    half = (wide * wide).sum(1) / 2
    parts = []
    for start in range(0, len(queries), block):
        part = queries[start : start + block].astype(np.float64)
        squared = (part * part).sum(1) + 2 * (half - part @ wide.T).min(1)
        parts.append(np.sqrt(np.maximum(squared, 0)))
    return np.concatenate(parts)


def aupro(maps: np.ndarray, masks: np.ndarray, limit: float = 0.3) -> float:
    """AU-PRO as MVTec's evaluation code computes it: all pixels of all images sorted, and two cumulative sums."""
    normal = np.zeros(maps.shape, bool)
    overlap = np.zeros(maps.shape)
    regions = 0
    for index, mask in enumerate(masks):
        labelled, count = ndimage.label(mask, structure=np.ones((3, 3), int))
        sizes = np.bincount(labelled.ravel(), minlength=count + 1)
        normal[index] = labelled == 0
        overlap[index] = np.where(labelled > 0, 1 / np.maximum(sizes, 1)[labelled], 0.0)
        regions += count
    order = np.argsort(maps, axis=None)[::-1]
    ranked = maps.ravel()[order]
    last_of_ties = np.append(ranked[1:] != ranked[:-1], True)
    del ranked
    fpr = np.cumsum(normal.ravel()[order], dtype=np.float64)[last_of_ties] / normal.sum()
    pro = np.cumsum(overlap.ravel()[order])[last_of_ties] / regions
    fpr, pro = np.append(0.0, fpr), np.append(0.0, np.minimum(pro, 1))
    inside = fpr <= limit
    end = np.interp(limit, fpr, pro)
    return float(np.trapezoid(np.append(pro[inside], end), np.append(fpr[inside], limit)) / limit)
