"""Resizing an image to the network's square."""

import cv2
import numpy as np


def resize_image(image: np.ndarray, side: int) -> np.ndarray:
    """An image (H, W, 3) resized to a square; shrinking averages areas, so that fine texture does not alias.

    >>> images[0].shape, resize_image(images[0], 32).shape
    ((64, 80, 3), (32, 32, 3))
    """
    # One axis may shrink while the other grows, and OpenCV averages areas only where neither grows.
    for size, how in (
        ((min(image.shape[1], side), min(image.shape[0], side)), cv2.INTER_AREA),
        ((side, side), cv2.INTER_LINEAR),
    ):
        if (image.shape[1], image.shape[0]) != size:
            image = cv2.resize(image, size, interpolation=how)
    return image
