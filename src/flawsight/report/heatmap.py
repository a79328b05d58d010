"""Heat maps: where a picture looks anomalous, drawn over the picture itself on one scale for all pictures."""

import cv2
import numpy as np
from numpy.typing import NDArray

from flawsight.core import FlawsightError
from flawsight.defects import Image
from flawsight.scoring import ColourScale

# Along the scale, from 0 to 1: red, green, blue, and how much they cover the picture. The threshold is at 0.5.
STOPS = np.array(
    [
        (0.00, 255, 236, 130, 0.00),
        (0.25, 255, 236, 130, 0.00),
        (0.42, 255, 228, 80, 0.25),
        (0.50, 255, 212, 40, 0.55),
        (0.62, 255, 160, 0, 0.64),
        (0.80, 255, 84, 10, 0.68),
        (1.00, 226, 8, 44, 0.72),
    ]
)


def overlay(image: Image, anomaly_map: NDArray[np.float32], scale: ColourScale, *, contour: bool = True) -> Image:
    """Draw anomaly_map (H, W) over image (H, W, 3) uint8 RGB: yellow at the threshold, then orange, then red.

    Far below the threshold the picture stays as it is; `contour` outlines what is above it. Returns a new (H, W, 3)
    uint8 image; raises FlawsightError for wrong shapes and for maps that are not finite.

    >>> result = inspector.inspect(images[0])
    >>> overlay(images[0], result.anomaly_map, inspector.manifest.colour_scale).shape
    (64, 80, 3)
    """
    _check(image, anomaly_map)
    places = cv2.merge([np.rint(255 * scale(anomaly_map)).astype(np.uint8)] * 3)
    colours, cover = _tables()
    # All in 8 bits: pictures of 200 megapixels must fit in memory.
    dimmed = cv2.multiply(image, cv2.LUT(places, 255 - cover), scale=1 / 255)
    drawn = np.asarray(cv2.add(dimmed, cv2.LUT(places, colours)), dtype=np.uint8)
    return outline(drawn, anomaly_map > scale.threshold) if contour else drawn


def outline(
    image: Image, mask: NDArray[np.bool_], colour: tuple[int, int, int] = (255, 255, 255), width: int | None = None
) -> Image:
    """Return a copy of image (H, W, 3) with a line in colour (RGB) and a dark rim around mask (H, W).

    >>> mask = np.pad(np.ones((24, 40), bool), 20)
    >>> outline(images[0], mask, colour=(255, 0, 0))[20, 40]
    array([255,   0,   0], dtype=uint8)
    """
    drawn = np.ascontiguousarray(image).copy()
    width = width or max(1, round(min(mask.shape) / 400))
    grown = cv2.dilate(mask.astype(np.uint8), np.ones((2 * width + 1, 2 * width + 1), np.uint8))
    # The rim makes the line visible on bright products, the line itself on dark ones.
    for shape, shade in ((grown, (70, 0, 20)), (mask.astype(np.uint8), colour)):
        contours, _ = cv2.findContours(shape, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(drawn, contours, -1, shade, width)
    return drawn


def gradient(width: int = 256) -> list[str]:
    """Return the scale's colours as `width` CSS colours with opacity, from 0 to 1 on the scale."""
    places = np.linspace(0, 1, width)
    red, green, blue, cover = colours_at(places)
    return [f"rgba({r:.0f},{g:.0f},{b:.0f},{a:.2f})" for r, g, b, a in zip(red, green, blue, cover, strict=True)]


def colours_at(places: NDArray[np.floating]) -> list[NDArray[np.float64]]:
    """Red, green and blue, 0 to 255, and how much they cover, 0 to 1, at places of the scale."""
    return [np.interp(places, STOPS[:, 0], STOPS[:, channel]) for channel in range(1, 5)]


def _tables() -> tuple[Image, Image]:
    """Return what to add for each of 256 places of the scale, (1, 256, 3), and how much it covers, of 255."""
    places = np.linspace(0, 1, 256)
    *colour, cover = colours_at(places)
    colours = np.stack([channel * cover for channel in colour], axis=1)
    covers = np.repeat(255 * cover[:, None], 3, axis=1)
    return np.rint(colours).astype(np.uint8)[None], np.rint(covers).astype(np.uint8)[None]


def _check(image: Image, anomaly_map: NDArray[np.float32]) -> None:
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
        raise FlawsightError(f"The image must be uint8 RGB of shape (H, W, 3), got {image.dtype} {image.shape}.")
    if anomaly_map.shape != image.shape[:2]:
        raise FlawsightError(
            f"The anomaly map's shape {anomaly_map.shape} is not the image's {image.shape[:2]}: resize the map first."
        )
    if not np.isfinite(anomaly_map).all():
        raise FlawsightError("The anomaly map holds values that are not finite: check the image and the detector.")
