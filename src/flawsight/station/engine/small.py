"""Small pictures to keep and to show."""

from __future__ import annotations

import cv2
import numpy as np

from flawsight.report.heatmap import colours_at
from flawsight.scoring import ColourScale

THUMBNAIL, HEATMAP, SHOWN = 160, 256, 1280
"""Pixels of the longer side."""


def thumbnail_jpeg(image: np.ndarray) -> bytes:
    """RGB (H, W, 3) uint8 as a JPEG of at most 160 pixels."""
    # Every picture gets one: to average over all its pixels costs eight times as much.
    step = max(1, max(image.shape) // (4 * THUMBNAIL))
    seen = np.ascontiguousarray(image[::step, ::step])
    blur = max(1, round(max(seen.shape) / THUMBNAIL))
    return _encoded(_shrunk(cv2.blur(seen, (blur, blur)), THUMBNAIL, cv2.INTER_LINEAR), 80)


def jpeg(image: np.ndarray, longest: int, quality: int = 88) -> bytes:
    """RGB (H, W, 3) uint8 as a JPEG, made smaller where a side is longer."""
    return _encoded(_shrunk(image, longest, cv2.INTER_AREA), quality)


def heatmap_png(anomaly_map: np.ndarray, scale: ColourScale) -> bytes:
    """A map (H, W) on the colour scale as a grey PNG of at most 256 pixels; the threshold is 128."""
    # The highest value of each place stays: a mean would hide what is small.
    shrink = -(-max(anomaly_map.shape) // HEATMAP)
    if shrink > 1:
        anomaly_map = cv2.dilate(anomaly_map, np.ones((shrink, shrink), np.uint8))[::shrink, ::shrink]
    grey: np.ndarray = np.rint(255 * scale(anomaly_map)).astype(np.uint8)
    return cv2.imencode(".png", grey, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1].tobytes()


def coloured_png(heatmap: bytes) -> bytes:
    """The same as RGBA, in the colours of the report's heat maps, clear far below the threshold."""
    grey = cv2.imdecode(np.frombuffer(heatmap, np.uint8), cv2.IMREAD_GRAYSCALE)
    red, green, blue, cover = colours_at(np.linspace(0, 1, 256))
    table = np.rint(np.stack([blue, green, red, 255 * cover], axis=1)).astype(np.uint8)
    return cv2.imencode(".png", table[grey])[1].tobytes()


def _encoded(image: np.ndarray, quality: int) -> bytes:
    seen = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", seen, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def _shrunk(image: np.ndarray, longest: int, how: int) -> np.ndarray:
    height, width = image.shape[:2]
    factor = longest / max(height, width)
    if factor >= 1:
        return image
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return cv2.resize(image, size, interpolation=how)
