"""Foreign textures from a folder, for the kind `perlin`."""

from pathlib import Path

import cv2
import numpy as np

from flawsight.data import MAX_PIXELS, find_images, read_image

MOST_TEXTURES = 256
LONGEST_SIDE = 512


def read_textures(folder: str | Path, seed: int, max_pixels: int = MAX_PIXELS) -> list[np.ndarray]:
    """Textures in the folder and below it: at most 256, drawn with `seed`, their longer side at most 512 pixels.

    >>> textures = read_textures(good, seed=0)
    >>> len(textures), textures[0].shape
    (12, (64, 80, 3))
    """
    paths = find_images(folder, recursive=True)
    drawn = np.random.default_rng(seed).permutation(len(paths))[:MOST_TEXTURES]
    return [_within(read_image(paths[index], max_pixels), LONGEST_SIDE) for index in sorted(drawn)]


def _within(image: np.ndarray, longest: int) -> np.ndarray:
    scale = longest / max(image.shape[:2])
    if scale >= 1:
        return image
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)
