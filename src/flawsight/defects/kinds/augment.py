"""Random changes that make a texture foreign; the list and its ranges are those of paper E's official code."""

from collections.abc import Callable

import cv2
import numpy as np

from flawsight.defects.base import Image, as_image

Augmenter = Callable[[Image, np.random.Generator], Image]


def augment(image: Image, rng: np.random.Generator, count: int = 3) -> Image:
    """Return image (H, W, 3) after `count` distinct random augmenters."""
    for index in rng.choice(len(AUGMENTERS), count, replace=False):
        image = AUGMENTERS[index](image, rng)
    return image


def shuffle_tiles(image: Image, rng: np.random.Generator, tiles: int = 4) -> Image:
    """Return image cut into tiles x tiles parts, put together again in random order."""
    height, width = image.shape[:2]
    rows, columns = -(-height // tiles), -(-width // tiles)
    # Stretched to a multiple of the tile, so that all tiles are alike.
    even = as_image(cv2.resize(image, (columns * tiles, rows * tiles), interpolation=cv2.INTER_NEAREST))
    stack = even.reshape(tiles, rows, tiles, columns, 3).swapaxes(1, 2).reshape(-1, rows, columns, 3)
    stack = rng.permutation(stack).reshape(tiles, tiles, rows, columns, 3).swapaxes(1, 2)
    return np.ascontiguousarray(stack.reshape(rows * tiles, columns * tiles, 3)[:height, :width])


def gamma(image: Image, rng: np.random.Generator) -> Image:
    """Per channel, an exponent of 0.5 to 2."""
    return as_image(255 * (image / 255) ** rng.uniform(0.5, 2.0, 3))


def brightness(image: Image, rng: np.random.Generator) -> Image:
    """Scale by 0.8 to 1.2, shift by up to 30 grey levels."""
    return as_image(image * rng.uniform(0.8, 1.2) + rng.uniform(-30, 30))


def sharpness(image: Image, rng: np.random.Generator) -> Image:
    """Anything between a blur and a sharpening of twice the detail."""
    blurred = cv2.GaussianBlur(image, (3, 3), 0)
    return as_image(blurred + rng.uniform(0.0, 2.0) * (image.astype(np.float32) - blurred))


def hue_saturation(image: Image, rng: np.random.Generator) -> Image:
    """Shift hue and saturation by up to 50 of 255."""
    hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV_FULL).astype(np.int16)
    hsv[..., 0] = (hsv[..., 0] + rng.integers(-50, 51)) % 256
    hsv[..., 1] = np.clip(hsv[..., 1] + rng.integers(-50, 51), 0, 255)
    return as_image(cv2.cvtColor(hsv.astype(np.uint8), cv2.COLOR_HSV2RGB_FULL))


def solarize(image: Image, rng: np.random.Generator) -> Image:
    """Invert what is brighter than a level of 32 to 128."""
    return np.where(image > rng.integers(32, 129), 255 - image, image)


def posterize(image: Image, rng: np.random.Generator) -> Image:
    """Keep 1 to 7 of the 8 bits."""
    return image & np.uint8(256 - 2 ** int(rng.integers(1, 8)))


def invert(image: Image, rng: np.random.Generator) -> Image:
    """Make the negative."""
    return 255 - image


def autocontrast(image: Image, rng: np.random.Generator) -> Image:
    """Stretch the grey levels to the full range."""
    return as_image(cv2.normalize(image, np.empty_like(image), 0, 255, cv2.NORM_MINMAX))


def equalize(image: Image, rng: np.random.Generator) -> Image:
    """Equalise the histogram of each channel."""
    return np.stack([as_image(cv2.equalizeHist(np.ascontiguousarray(image[..., c]))) for c in range(3)], axis=-1)


def rotate(image: Image, rng: np.random.Generator) -> Image:
    """Turn by up to 45 degrees, mirroring at the border."""
    height, width = image.shape[:2]
    turn = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), rng.uniform(-45, 45), 1.0)
    return as_image(cv2.warpAffine(image, turn, (width, height), borderMode=cv2.BORDER_REFLECT))


AUGMENTERS: tuple[Augmenter, ...] = (
    gamma,
    brightness,
    sharpness,
    hue_saturation,
    solarize,
    posterize,
    invert,
    autocontrast,
    equalize,
    rotate,
)
