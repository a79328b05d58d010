"""TIFF in all its kinds: tifffile decodes, what is decided here is which page, and what its values mean."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from flawsight.core import FlawsightError
from flawsight.data.decode import Source, check_file, damage_named, opened, several_pictures
from flawsight.data.pixels.containers.opened import Opened, turned
from flawsight.data.pixels.containers.plain import plain_picture

MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB = 0, 1, 2
_JPEGS = (6, 7)
logging.getLogger("tifffile").addHandler(logging.NullHandler())


@contextmanager
def opened_tiff(path: Source) -> Iterator[Opened]:
    """Open a TIFF; special colour spaces, fewer than 8 bits, JPEG and 8-bit transparency are left to Pillow."""
    from tifffile import TiffFile

    check_file(path)
    with damage_named(path), path.open("rb") as source, TiffFile(source, name=str(path)) as file:
        number, page = _whole_page(path, file)
        if _is_for_pillow(page):
            with opened(path, number) as image:
                yield plain_picture(path, image)
        else:
            yield _picture(path, page)


def _whole_page(path: Source, file: Any) -> tuple[int, Any]:
    """The only page that is no preview."""
    whole = [(number, page) for number, page in enumerate(file.pages) if not page.is_reduced]
    frames = int((file.imagej_metadata or {}).get("images", 1)) if file.is_imagej else 1
    if len(whole) != 1 or max(frames, whole[0][1].imagedepth) > 1:
        raise several_pictures(path)
    return whole[0]


def _is_for_pillow(page: Any) -> bool:
    if page.photometric not in (_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB) or np.min(page.bitspersample) < 8:
        return True
    return page.dtype == np.uint8 and (bool(page.extrasamples) or page.compression in _JPEGS)


def _picture(path: Source, page: Any) -> Opened:
    colours = 3 if page.photometric == _RGB else 1
    extra = page.samplesperpixel - colours
    if page.dtype is None or page.dtype.kind not in "uif" or extra not in (0, 1):
        raise FlawsightError(
            f"{path} holds {page.samplesperpixel} channels of {page.bitspersample} bits, "
            "which are neither grey nor colour; save it as 8- or 16-bit grey or RGB"
        )
    size = np.array([page.parent.filehandle.size])
    ends = np.add(page.dataoffsets, page.databytecounts)
    if (ends > size).any() or not np.all(page.databytecounts):
        raise FlawsightError(f"{path} is damaged or cut short (it ends before its pixels do); remove or replace it")
    orientation = int(page.tags.valueof("Orientation", 1))
    height, width = page.imagelength, page.imagewidth
    return Opened(
        path,
        (width, height) if orientation >= 5 else (height, width),
        page.dtype.name,
        page.samplesperpixel,
        lambda: turned(_values(page), orientation),
        _declared_bits(page),
        page.photometric == _WHITE_IS_ZERO,
    )


def _values(page: Any) -> np.ndarray:
    values = page.asarray()
    return np.moveaxis(values, 0, -1) if page.axes == "SYX" else values


def _declared_bits(page: Any) -> int | None:
    """Packed values say how many bits they have, others may by their largest."""
    stored = 8 * page.dtype.itemsize
    largest = np.max(page.tags.valueof("MaxSampleValue", 0))
    bits = int(largest).bit_length() if largest > 255 else page.bitspersample
    return bits if bits < stored else None
