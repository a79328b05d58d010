"""What the low-contrast kinds share: the local spread, a place on the product, a softly weighted shift."""

import cv2
import numpy as np
from numpy.typing import NDArray

from flawsight.defects.base import Image, Mask, as_image, changed

Weight = NDArray[np.float32]


def local_sigmas(image: Image, allowed: Mask, centre: tuple[int, int], radius: int) -> tuple[float, float]:
    """Return the standard deviations, in grey levels, of grey and of colour (the channels less grey) near centre.

    Near is the square of that radius around centre (row, column), as far as it is allowed: the step from an object
    to its background is no spread of the object.
    """
    top, left = (max(0, middle - radius) for middle in centre)
    near = np.s_[top : centre[0] + radius + 1, left : centre[1] + radius + 1]
    pixels = image[near][allowed[near]].astype(np.float32)
    grey = pixels.mean(axis=1, keepdims=True)
    return float(grey.std()), float((pixels - grey).std(axis=0).mean())


def random_place(allowed: Mask, rng: np.random.Generator) -> tuple[int, int] | None:
    """Return a random (row, column) where allowed; None if there is none."""
    places = np.flatnonzero(allowed)
    if len(places) == 0:
        return None
    row, column = divmod(int(places[rng.integers(len(places))]), allowed.shape[1])
    return row, column


def shifted(image: Image, weight: Weight, shift: NDArray[np.floating] | float) -> tuple[Image, Mask] | None:
    """Add weight (H, W) times shift; label where the weight is at least half and of what really changed.

    None where saturation swallows more than half of the label.
    """
    result = as_image(image + weight[..., None] * shift)
    label = weight >= 0.5
    if 2 * np.count_nonzero(label & changed(image, result)) < np.count_nonzero(label):
        return None
    return result, label


def softened(mask: NDArray[np.generic], sigma: float) -> Weight:
    """Return the mask as weights, blurred."""
    return np.asarray(cv2.GaussianBlur(mask.astype(np.float32), (0, 0), sigma), dtype=np.float32)
