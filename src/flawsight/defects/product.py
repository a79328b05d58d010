"""What a defect needs to know about the product: a texture or an object, on which background, how large."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from flawsight.core import FlawsightError
from flawsight.defects.base import Image, Mask, check_bounds, check_count, check_image, median_filter


@dataclass(frozen=True, kw_only=True)
class Product:
    """The per-product table of NSA (Schlueter et al. 2022); the defaults are those of its textures.

    background is (brightness, threshold) in grey levels: a pixel farther than threshold from brightness is object.
    half_height and half_width bound the half-sizes of patches, as shares of the image's sides; resize their scale.
    A patch must be object by more than min_object_share, and cover the object by more than min_overlap_share.

    >>> product = Product(texture=False, background=(20, 15))
    >>> make("nsa", product=product).product.background
    (20, 15)
    """

    texture: bool = True
    background: tuple[float, float] | None = None
    half_height: tuple[float, float] = (0.03, 0.40)
    half_width: tuple[float, float] = (0.03, 0.40)
    num_patches: int = 4
    resize: tuple[float, float] = (0.5, 2.0)
    min_object_share: float = 0.7
    min_overlap_share: float = 0.25

    def __post_init__(self) -> None:
        check_bounds("half_height", self.half_height, 0.0, 0.5)
        check_bounds("half_width", self.half_width, 0.0, 0.5)
        check_bounds("resize", self.resize, 0.01, 100.0)
        check_count("num_patches", self.num_patches)
        for name in ("min_object_share", "min_overlap_share"):
            if not 0 <= getattr(self, name) < 1:
                raise FlawsightError(f"{name} must be at least 0 and below 1, got {getattr(self, name)}.")
        if self.background is not None and (len(self.background) != 2 or self.background[1] < 0):
            raise FlawsightError(f"background must be (brightness, threshold) or None, got {self.background}.")

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that JSON can hold; `from_dict` reads them back."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Rebuild a product from `to_dict`'s values; FlawsightError for names that it does not know."""
        plain: dict[str, Any] = {n: tuple(value) if isinstance(value, list) else value for n, value in values.items()}
        try:
            return cls(**plain)
        except TypeError as error:
            raise FlawsightError(f"Not the description of a product: {error}.") from error


def foreground(image: Image, product: Product) -> Mask:
    """Return the bool mask (H, W) of the product's pixels: all of them where no background is known.

    >>> part = np.pad(np.full((32, 32, 3), 200, np.uint8), ((16, 16), (16, 16), (0, 0)))
    >>> mask = foreground(part, Product(background=(0, 15)))
    >>> float(mask.mean())
    0.25
    """
    if product.background is None:
        return np.ones(image.shape[:2], dtype=bool)
    brightness, threshold = product.background
    return median_filter(np.abs(image.mean(axis=2) - brightness) > threshold, 7)


def estimate_product(images: Sequence[Image], seed: int = 0) -> Product:
    """Estimate from good images (H, W, 3) uint8, of any sizes, what NSA's authors set by hand for each product.

    Looks at no more than 32 images, drawn with `seed`, in 128x128 grey. The answer is a texture unless an object shows
    clearly; with fewer than 3 images nothing is clear. Raises FlawsightError for no images, or wrong ones.

    >>> estimate_product(images).texture
    True
    """
    if len(images) == 0:
        raise FlawsightError("No good images were given: pass at least one, better 10, to estimate the product.")
    drawn = np.random.default_rng(seed).permutation(len(images))[:32]
    grey = np.stack([_small_grey(images[index]) for index in sorted(drawn)])
    if len(grey) < 3:
        return Product()
    background = _find_background(grey)
    if background is not None:
        return _describe_object(_objects(grey, background), background)
    if _aligned(grey):
        return Product(texture=False, num_patches=3, resize=(0.7, 1.3))
    return Product()


SIDE = 128  # of the images that the estimate looks at
RING = 5  # width in pixels of the border that may show background


def _small_grey(image: Image) -> NDArray[np.float32]:
    check_image(image, "a good image")
    small = cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return small.mean(axis=2, dtype=np.float32)


def _find_background(grey: NDArray[np.float32]) -> tuple[float, float] | None:
    """Return (brightness, threshold) if the border shows one background behind a distinct object, else None."""
    # Noise would make an edge of its own wherever the threshold falls.
    grey = np.stack([cv2.medianBlur(image, 5) for image in grey])
    inner = np.s_[:, RING:-RING, RING:-RING]
    ring = np.ones(grey.shape, dtype=bool)
    ring[inner] = False
    brightness = float(np.median(grey[ring]))
    distance = np.abs(grey - brightness)
    threshold, _ = cv2.threshold(distance.astype(np.uint8).reshape(-1, 1), 0, 255, cv2.THRESH_OTSU)
    objects = distance > threshold
    areas = objects.mean(axis=(1, 2))
    if not 0.05 < np.median(areas) < 0.9 or areas.std() > 0.35 * areas.mean():
        return None
    gap = distance[objects].mean() - distance[~objects].mean()
    if gap < 25 or not _border_is_background(objects):
        return None
    if np.median([_largest_part(mask).sum() / max(1, mask.sum()) for mask in objects]) < 0.8:
        return None
    # Uneven light also splits into two connected parts, but without an edge between them.
    if _edge_height(grey, objects) < 0.5 * gap:
        return None
    # Where nothing lies between background and object, Otsu's threshold sits on the background's last grey level.
    margin = distance[~objects].mean() + 0.3 * gap
    return round(brightness, 1), round(max(float(threshold), float(margin)), 1)


def _border_is_background(objects: Mask) -> bool:
    """Tell whether two opposite sides are free of the object; it may run through the other two, as a zipper does."""
    top, bottom = objects[:, :RING].mean(axis=(1, 2)), objects[:, -RING:].mean(axis=(1, 2))
    left, right = objects[:, :, :RING].mean(axis=(1, 2)), objects[:, :, -RING:].mean(axis=(1, 2))
    return any(bool(np.mean(np.maximum(*pair) < 0.1) >= 0.9) for pair in ((top, bottom), (left, right)))


def _largest_part(mask: Mask) -> Mask:
    """Return the largest connected part of a mask; the mask itself where it is empty."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    if count == 1:
        return mask
    largest: Mask = labels == 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    return largest


def _edge_height(grey: NDArray[np.float32], objects: Mask) -> float:
    """Return the median step of grey, over images, from 3 pixels outside the objects' outlines to 3 inside."""
    kernel = np.ones((3, 3), dtype=np.uint8)
    steps = []
    for image, mask in zip(grey, objects.astype(np.uint8), strict=True):
        inside = (mask > 0) & (cv2.erode(mask, kernel, iterations=4) == 0) & (cv2.erode(mask, kernel, iterations=2) > 0)
        outside = (cv2.dilate(mask, kernel, iterations=4) > 0) & (cv2.dilate(mask, kernel, iterations=2) == 0)
        if inside.any() and outside.any():
            steps.append(abs(float(image[inside].mean() - image[outside].mean())))
    return float(np.median(steps)) if steps else 0.0


def _aligned(grey: NDArray[np.float32]) -> bool:
    """Tell whether the images show the same structure at the same place: an object that fills the frame.

    The light, which is the same in all images of a texture too, is taken out by a high-pass filter.
    """
    if len(grey) < 5:
        return False
    detail = np.stack([_high_pass(_high_pass(image))[8:-8, 8:-8] for image in grey])
    share = detail.mean(axis=0).var() / max(detail.var(axis=(1, 2)).mean(), 1e-6)
    # The mean of n unrelated images still holds 1/n of their variance.
    return bool((len(grey) * share - 1) / (len(grey) - 1) > 0.5)


def _high_pass(image: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(image - cv2.GaussianBlur(image, (0, 0), SIDE / 32), dtype=np.float32)


def _objects(grey: NDArray[np.float32], background: tuple[float, float]) -> Mask:
    return np.stack([_largest_part(median_filter(np.abs(image - background[0]) > background[1], 7)) for image in grey])


def _describe_object(objects: Mask, background: tuple[float, float]) -> Product:
    """Bound the patches by the object's typical extent, or by its thickness where it fills little of its box."""
    boxes = [cv2.boundingRect(mask.astype(np.uint8)) for mask in objects]
    width, height = np.median([box[2:] for box in boxes], axis=0) / SIDE
    fill = float(np.median([mask.sum() / max(1, box[2] * box[3]) for mask, box in zip(objects, boxes, strict=True)]))
    if fill < 0.5:
        radii = [cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 3).max() for mask in objects]
        width = height = 3 * float(np.median(radii)) / SIDE
    half_height, half_width = (round(float(np.clip(0.45 * extent, 0.08, 0.40)), 3) for extent in (height, width))
    return Product(
        texture=False,
        background=background,
        half_height=(0.03, half_height),
        half_width=(0.03, half_width),
        num_patches=4 if max(half_height, half_width) <= 0.2 else 3,
        resize=(0.7, 1.3),
        min_object_share=0.7 if fill >= 0.6 else 0.5,
    )
