"""Resizing an image to the network's square."""

import cv2
import numpy as np


def resize_image(image: np.ndarray, size: int | tuple[int, int]) -> np.ndarray:
    """An image (H, W, 3) resized to a square, or to (height, width).

    Shrinking averages areas, so that fine texture does not alias.

    >>> images[0].shape, resize_image(images[0], 32).shape
    ((64, 80, 3), (32, 32, 3))
    """
    height, width = (size, size) if isinstance(size, int) else size
    # One axis may shrink while the other grows, and OpenCV averages areas only where neither grows.
    for wanted, how in (
        ((min(image.shape[1], width), min(image.shape[0], height)), cv2.INTER_AREA),
        ((width, height), cv2.INTER_LINEAR),
    ):
        if (image.shape[1], image.shape[0]) != wanted:
            image = cv2.resize(image, wanted, interpolation=how)
    return image
