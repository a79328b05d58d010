"""Opening image files with Pillow, so that whatever is wrong with one is said."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, TypeVar

from PIL import ExifTags, Image, ImageOps, TiffImagePlugin

from flawsight.core import FlawsightError
from flawsight.data.listing import no_file

MIN_SIDE = 8

_FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "WEBP", "PPM", "JPEG2000")
_JPEGS = ("JPEG", "MPO")  # MPO: a JPEG as phones write it, with a preview behind the picture
EIGHT_BIT = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr")
_SWAPS_SIDES = (5, 6, 7, 8)  # EXIF orientations
_PILLOW_SAFE = 80_000_000  # below this many pixels Pillow's own limit is silent
_limit_lock = threading.Lock()


@dataclass(frozen=True, eq=False)
class InMemory:
    """A picture's file that is no file: its bytes, and what it is called in messages.

    >>> read_image(InMemory("a.png", (good / "000.png").read_bytes())).shape
    (64, 80, 3)
    """

    name: str
    data: bytes

    def __str__(self) -> str:
        return self.name

    def open(self, mode: str = "rb") -> BinaryIO:
        """As of a path."""
        return BytesIO(self.data)

    def read_bytes(self) -> bytes:
        """As of a path."""
        return self.data


Source = Path | InMemory
Where = TypeVar("Where", bound=Source)


@contextmanager
def opened(path: Source, page: int | None = None) -> Iterator[Image.Image]:
    """Open a file's header with Pillow, at one page of several if that is named."""
    check_file(path)
    # Not by its name: Pillow maps some files into memory then, and turns the maps of TIFFs into nonsense.
    with damage_named(path), path.open("rb") as file:
        with _without_pillow_limit():
            image = Image.open(file, formats=_FORMATS)
        with image:
            if page is not None:
                image.seek(page)
            elif getattr(image, "n_frames", 1) > 1 and image.format not in _JPEGS:
                raise several_pictures(path)
            yield image


def several_pictures(path: Source) -> FlawsightError:
    """The error for a file of several pages or frames."""
    return FlawsightError(f"{path} holds several pictures; save each page or frame as a file of its own")


@contextmanager
def damage_named(path: Source) -> Iterator[None]:
    """Whatever goes wrong while a file is opened or decoded becomes a FlawsightError."""
    try:
        yield
    except FlawsightError:
        raise
    except Image.UnidentifiedImageError:
        kinds = "PNG, JPEG, JPEG 2000, BMP, TIFF, PGM, PPM or WebP"
        raise FlawsightError(f"{path} is not a {kinds} image; remove or replace it") from None
    except Exception as error:  # damaged bytes make decoders raise anything, from OSError to struct.error
        raise FlawsightError(f"{path} is damaged or cut short ({error}); remove or replace it") from error


def check_file(path: Source) -> None:
    """Raise where there is nothing to read."""
    if isinstance(path, InMemory):
        if not path.data:
            raise FlawsightError(f"{path} is empty (0 bytes); remove or replace it")
        return
    if path.is_dir():
        raise FlawsightError(f"{path} is a folder; give an image file")
    if kind := no_file(path):
        raise FlawsightError(f"{path} is {kind}, not a file; give an image file")
    try:
        with path.open("rb") as file:
            empty = not file.read(1)
    except FileNotFoundError:
        raise FlawsightError(f"no such image file: {path}; check the path") from None
    except OSError as error:
        raise FlawsightError(f"cannot read {path}: {error.strerror}; check its permissions") from error
    if empty:
        raise FlawsightError(f"{path} is empty (0 bytes); remove or replace it")


def check_size(path: Source, size: tuple[int, int], max_pixels: int) -> None:
    """Raise where a picture of (H, W) pixels is too large or too small."""
    height, width = size
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


def orientation_of(image: Image.Image) -> int:
    """How EXIF says the picture is to be turned; 1: not at all."""
    # The base class's getexif, because PNG's own decodes the whole picture to look for EXIF behind the pixels.
    return Image.Image.getexif(image).get(ExifTags.Base.Orientation, 1)


def upright(image: Image.Image) -> Image.Image:
    """Decode the pixels and turn them as the header's EXIF orientation says."""
    orientation = orientation_of(image)
    huge = image.width * image.height > _PILLOW_SAFE
    with _without_pillow_limit() if huge else nullcontext():
        image.load()
    return image if orientation == 1 else ImageOps.exif_transpose(image)


def upright_size(image: Image.Image) -> tuple[int, int]:
    """(H, W) after turning, from the header."""
    width, height = image.size
    if isinstance(image, TiffImagePlugin.TiffImageFile):  # newer Pillows swap its sides already, older ones do not
        width, height = image.tag_v2[ExifTags.Base.ImageWidth], image.tag_v2[ExifTags.Base.ImageLength]
    return (width, height) if orientation_of(image) in _SWAPS_SIDES else (height, width)


def is_16_bit_grey(image: Image.Image) -> bool:
    """Whether Pillow keeps all 16 bits."""
    # Pillow before 11.3 opens a 16-bit PNG as "I"; in a TIFF "I" is 32-bit or signed, which has no fixed white.
    return image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PNG")


def over(image: Image.Image, background: str) -> Image.Image:
    """RGB, with what is transparent replaced by the background colour."""
    if not image.has_transparency_data:
        return image.convert("RGB")
    image = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, background), image).convert("RGB")
