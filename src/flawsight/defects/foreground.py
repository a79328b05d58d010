"""Where defects may be put: the estimate of the product's foreground, overridden, shown and doubted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from flawsight.core import FlawsightError
from flawsight.defects.product import Product, estimate_product
from flawsight.defects.product import foreground as foreground_of

Foreground = str | tuple[float, float]
"""`auto` for the estimate, `all` for the whole image, or the background's (brightness, threshold) in grey levels."""

PREVIEW = "foreground.png"
MOST_SHOWN = 4
_HEIGHT = 256
_OUTLINE = (0, 229, 255)
_PLAUSIBLE = (0.01, 0.99)


def with_foreground(product: Product, chosen: Foreground) -> Product:
    """The product with the foreground that was asked for; FlawsightError for what is none.

    >>> with_foreground(Product(), (20, 15)).background
    (20, 15)
    """
    if chosen == "auto":
        return product
    if chosen == "all":
        return replace(product, background=None)
    if not isinstance(chosen, tuple):
        raise FlawsightError(f"foreground '{chosen}' is neither auto, all nor BRIGHTNESS:THRESHOLD, such as 20:15")
    return replace(product, background=chosen)


def described_product(
    images: Sequence[np.ndarray], seed: int, texture: bool | None = None, foreground: Foreground = "auto"
) -> Product:
    """The estimate of what these good images show, overridden where somebody knows better.

    >>> described_product(images, seed=0, texture=False).texture
    False
    """
    product = with_foreground(estimate_product(images, seed=seed), foreground)
    return product if texture is None else replace(product, texture=texture)


def foreground_preview(images: Sequence[np.ndarray], product: Product, path: Path) -> str:
    """Write a picture of the foreground on a few good images; what is wrong with it, empty where nothing seems to be.

    The product is outlined and its background dimmed.

    >>> foreground_preview(images, Product(background=(0, 255)), tmp / "foreground.png")
    "the foreground is 0.0% of the image ... say --foreground all or --foreground BRIGHTNESS:THRESHOLD"
    """
    shown = [dimmed_outside(image, foreground_of(image, product)) for image in images[:MOST_SHOWN]]
    Image.fromarray(np.hstack(shown)).save(path)
    share = float(np.median([foreground_of(image, product).mean() for image in images]))
    if product.background is None or _PLAUSIBLE[0] <= share <= _PLAUSIBLE[1]:
        return ""
    brightness, threshold = product.background
    return (
        f"the foreground is {share:.1%} of the image with a background of {brightness:g} +- {threshold:g} grey levels: "
        f"look at '{path}', and say --foreground all or --foreground BRIGHTNESS:THRESHOLD"
    )


def dimmed_outside(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The image (H, W, 3), 256 pixels high, with what the bool mask (H, W) marks outlined and all else dimmed."""
    size = (max(1, round(image.shape[1] * _HEIGHT / image.shape[0])), _HEIGHT)
    small_mask = cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    drawn = np.where(small_mask[..., None] > 0, small, small // 3)
    outlines, _ = cv2.findContours(small_mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    return cv2.drawContours(np.ascontiguousarray(drawn), outlines, -1, _OUTLINE, 2)
