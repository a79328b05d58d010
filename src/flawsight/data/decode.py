"""From an image file to pixels: one fixed rule per file type, never one that depends on the picture's content."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageOps, TiffImagePlugin

from flawsight.core import FlawsightError
from flawsight.settings import MAX_PIXELS

MIN_SIDE = 8

_FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "WEBP")
_JPEGS = ("JPEG", "MPO")  # MPO: a JPEG as phones write it, with a preview behind the picture
_EIGHT_BIT = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr")
_SWAPS_SIDES = (5, 6, 7, 8)  # EXIF orientations
_PILLOW_SAFE = 80_000_000  # below this many pixels Pillow's own limit is silent
_limit_lock = threading.Lock()


def read_image(path: str | Path, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Read a picture as (H, W, 3) uint8 RGB, turned as its EXIF orientation says.

    Grey is repeated into three channels; 16-bit grey is divided by 257, so 65535 becomes 255 (and a 12-bit camera's
    4095 becomes 16: rescale such files); 16-bit colour keeps its high byte; transparency is laid over white.
    Raises FlawsightError for anything that is not one whole picture of 8 x 8 to `max_pixels` pixels.

    >>> image = read_image(good / "000.png")
    >>> image.shape, image.dtype
    ((64, 80, 3), dtype('uint8'))
    """
    path = Path(path)
    with _opened(path) as file:
        _check_size(path, file, max_pixels)
        image = _upright(file)
        if _is_16_bit_grey(image):
            grey = (np.asarray(image).astype(np.uint32) + 128) // 257
            return np.repeat(grey.astype(np.uint8)[..., None], 3, axis=2)
        if image.mode not in _EIGHT_BIT:
            raise FlawsightError(
                f"{path} holds {image.mode!r} pixels (floating point, 32-bit or a special colour space), "
                "whose range is unknown; save it as 8- or 16-bit grey or 8-bit RGB"
            )
        return np.array(_over(image, "white"))


def image_size(path: str | Path) -> tuple[int, int]:
    """(H, W) of a picture as `read_image` would return it, from the file's header alone.

    >>> image_size(good / "000.png")
    (64, 80)
    """
    with _opened(Path(path)) as image:
        return _upright_size(image)


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """Open a file's header; whatever goes wrong here or while decoding becomes a FlawsightError."""
    _check_file(path)
    try:
        with _without_pillow_limit():
            image = Image.open(path, formats=_FORMATS)
        with image:
            if getattr(image, "n_frames", 1) > 1 and image.format not in _JPEGS:
                raise FlawsightError(f"{path} holds several pictures; save each page or frame as a file of its own")
            yield image
    except FlawsightError:
        raise
    except Image.UnidentifiedImageError:
        raise FlawsightError(f"{path} is not a PNG, JPEG, BMP, TIFF or WebP image; remove or replace it") from None
    except Exception as error:  # damaged bytes make decoders raise anything, from OSError to struct.error
        raise FlawsightError(f"{path} is damaged or cut short ({error}); remove or replace it") from error


def _check_file(path: Path) -> None:
    if path.is_dir():
        raise FlawsightError(f"{path} is a folder; give an image file")
    try:
        with path.open("rb") as file:
            empty = not file.read(1)
    except FileNotFoundError:
        raise FlawsightError(f"no such image file: {path}; check the path") from None
    except OSError as error:
        raise FlawsightError(f"cannot read {path}: {error.strerror}; check its permissions") from error
    if empty:
        raise FlawsightError(f"{path} is empty (0 bytes); remove or replace it")


def _check_size(path: Path, image: Image.Image, max_pixels: int) -> None:
    width, height = image.size
    if width * height > max_pixels:
        raise FlawsightError(
            f"{path} has {width} x {height} = {width * height:,} pixels, more than the {max_pixels:,} allowed; "
            "crop or shrink it, or raise the limit with --max-pixels"
        )
    if min(width, height) < MIN_SIDE:
        raise FlawsightError(f"{path} is {width} x {height} pixels; each side needs at least {MIN_SIDE}: replace it")


@contextmanager
def _without_pillow_limit() -> Iterator[None]:
    """Switch Pillow's global pixel limit off: ours is checked from the header and says what to do."""
    with _limit_lock:
        saved, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = saved


def _orientation(image: Image.Image) -> int:
    # The base class's getexif, because PNG's own decodes the whole picture to look for EXIF behind the pixels.
    return Image.Image.getexif(image).get(ExifTags.Base.Orientation, 1)


def _upright(image: Image.Image) -> Image.Image:
    """Decode the pixels and turn them as the header's EXIF orientation says."""
    orientation = _orientation(image)
    huge = image.width * image.height > _PILLOW_SAFE
    with _without_pillow_limit() if huge else nullcontext():
        image.load()
    return image if orientation == 1 else ImageOps.exif_transpose(image)


def _upright_size(image: Image.Image) -> tuple[int, int]:
    width, height = image.size
    if isinstance(image, TiffImagePlugin.TiffImageFile):  # newer Pillows swap its sides already, older ones do not
        width, height = image.tag_v2[ExifTags.Base.ImageWidth], image.tag_v2[ExifTags.Base.ImageLength]
    return (width, height) if _orientation(image) in _SWAPS_SIDES else (height, width)


def _is_16_bit_grey(image: Image.Image) -> bool:
    # Pillow before 11.3 opens a 16-bit PNG as "I"; in a TIFF "I" is 32-bit or signed, which has no fixed white.
    return image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PNG")


def _over(image: Image.Image, background: str) -> Image.Image:
    """RGB, with what is transparent replaced by the background colour."""
    if not image.has_transparency_data:
        return image.convert("RGB")
    image = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, background), image).convert("RGB")
