"""Pictures inside the page: small JPEGs as data addresses."""

import base64

import cv2
import numpy as np

from flawsight.defects import Image


def data_uri(image: Image, side: int) -> str:
    """Return image (H, W, 3) uint8 RGB as a data: address of a JPEG whose longer side is at most `side` pixels."""
    scale = side / max(image.shape[:2])
    if scale < 1:
        size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    # Full-resolution colour: the usual chroma subsampling would blur the heat maps' thin outlines.
    options = [cv2.IMWRITE_JPEG_QUALITY, 82, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    _, encoded = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)
    return "data:image/jpeg;base64," + base64.b64encode(encoded.tobytes()).decode("ascii")
