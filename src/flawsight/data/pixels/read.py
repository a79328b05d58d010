"""From a file to 8-bit RGB, by what was learned."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from flawsight.core import FlawsightError
from flawsight.data.decode import InMemory, check_size
from flawsight.data.pixels.check import check_header, check_values
from flawsight.data.pixels.containers.opened import Opened
from flawsight.data.pixels.containers.opening import open_picture
from flawsight.data.pixels.facts import split
from flawsight.data.pixels.format import PixelFormat
from flawsight.settings import MAX_PIXELS

_PATTERNS = {
    "RG": cv2.COLOR_BayerRGGB2RGB,
    "GR": cv2.COLOR_BayerGRBG2RGB,
    "GB": cv2.COLOR_BayerGBRG2RGB,
    "BG": cv2.COLOR_BayerBGGR2RGB,
}


def read_image(
    path: str | Path | InMemory, max_pixels: int = MAX_PIXELS, pixels: PixelFormat | None = None
) -> np.ndarray:
    """Read a picture as (H, W, 3) uint8 RGB, turned as its EXIF orientation says, by the format that was learned.

    The same scene in 8, 10, 12, 14 or 16 bits gives the same picture, and what does not fit the format is refused.
    Without a format 16-bit values are divided by 257 (a 12-bit camera's 4095 becomes 16), and transparency is laid over
    white. Raises FlawsightError for anything that is not one whole picture of 8 x 8 to `max_pixels` pixels.

    >>> image = read_image(good / "000.png", pixels=learn_pixel_format(find_images(good)))
    >>> image.shape, image.dtype
    ((64, 80, 3), dtype('uint8'))
    """
    with open_picture(path if isinstance(path, InMemory) else Path(path)) as picture:
        check_size(picture.path, picture.size, max_pixels)
        if pixels is None:
            _check_range(picture)
            return _rgb(picture, picture.values(), PixelFormat(alpha="white"))
        check_header(picture, pixels)
        values = picture.values()
        check_values(picture, values, pixels)
        return _rgb(picture, values, pixels)


def _check_range(picture: Opened) -> None:
    if picture.dtype not in ("uint8", "uint16"):
        raise FlawsightError(
            f"{picture.path} holds {picture.dtype} pixels, whose range is unknown without good pictures to learn it "
            "from; save it as 8- or 16-bit grey or RGB"
        )


def _rgb(picture: Opened, values: np.ndarray, pixels: PixelFormat) -> np.ndarray:
    colours, alpha = split(values)
    eight = _eight_bit(colours, pixels)
    if picture.is_inverted:
        eight = 255 - eight
    if pixels.bayer:
        return cv2.cvtColor(np.ascontiguousarray(eight[..., 0]), _PATTERNS[pixels.bayer])
    if alpha is not None and pixels.alpha == "white":
        top = np.iinfo(alpha.dtype).max if alpha.dtype.kind == "u" else 1
        share = alpha if alpha.dtype == np.uint8 else np.rint(alpha.clip(0, top) * (255 / top)).astype(np.uint8)
        return _over_white(np.dstack((np.broadcast_to(eight, (*eight.shape[:2], 3)), share)))
    return np.ascontiguousarray(eight) if eight.shape[2] == 3 else cv2.cvtColor(eight, cv2.COLOR_GRAY2RGB)


def _eight_bit(values: np.ndarray, pixels: PixelFormat) -> np.ndarray:
    """Of whole bits the high ones, as cameras give them."""
    if values.dtype == np.uint8:
        return values
    if pixels.samples == "byte":  # nothing was learned
        return ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)
    if pixels.bits:
        return (values >> (pixels.bits - 8)).astype(np.uint8)
    scaled = (values.astype(np.float32) - pixels.low) * np.float32(255 / (pixels.high - pixels.low))
    return np.rint(scaled.clip(0, 255)).astype(np.uint8)


def _over_white(rgba: np.ndarray) -> np.ndarray:
    image = Image.fromarray(rgba)
    return np.array(Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB"))
