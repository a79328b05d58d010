"""PNG, PGM, PPM and JPEG 2000 of more than 8 bits, of which Pillow would keep only some."""

from __future__ import annotations

import re
from collections.abc import Callable

import cv2
import numpy as np
from PIL import Image

from flawsight.data.decode import Source, orientation_of, upright_size
from flawsight.data.pixels.containers.opened import Opened, turned

_HEADER = 1 << 20


def deep_picture(path: Source, image: Image.Image) -> Opened | None:
    """The picture that Pillow has opened, if it is one of these."""
    look = _FORMATS.get(image.format or "")
    if look is None:
        return None
    with path.open("rb") as file:
        bits, decode = look(file.read(_HEADER))
    if bits <= 8:
        return None
    channels = len(image.getbands()) + ("transparency" in image.info)
    orientation = orientation_of(image)
    return Opened(
        path,
        upright_size(image),
        "uint16",
        channels,
        lambda: turned(decode(path.read_bytes()), orientation),
        None if bits == 16 else bits,
    )


Look = tuple[int, Callable[[bytes], np.ndarray]]
"""How many bits are declared, and who decodes the file."""


def _png(head: bytes) -> Look:
    """sBIT tells how many bits the camera gave."""
    import imagecodecs

    significant = re.search(rb"\0\0\0[\1-\4]sBIT(.)", head.partition(b"IDAT")[0], re.DOTALL)
    bits = head[24]
    if bits == 16 and significant and significant[1][0] > 8:
        bits = significant[1][0]
    return bits, imagecodecs.png_decode


def _portable(head: bytes) -> Look:
    """The header is text: a magic number, width, height and white."""
    magic, _, _, white = re.sub(rb"#[^\n]*", b"", head[:4096]).split(maxsplit=4)[:4]
    return 1 if magic in (b"P1", b"P4") else int(white).bit_length(), _decode_portable


def _decode_portable(data: bytes) -> np.ndarray:
    values = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if values is None:
        raise ValueError("too few values")
    return values if values.ndim == 2 else values[..., ::-1]


def _jpeg_2000(head: bytes) -> Look:
    """The segment SIZ, the first of the code stream, holds the precision."""
    import imagecodecs

    start = head.index(b"\xff\x4f\xff\x51")
    return (head[start + 42] & 0x7F) + 1, imagecodecs.jpeg2k_decode


_FORMATS = {"PNG": _png, "PPM": _portable, "JPEG2000": _jpeg_2000}
