"""Pictures that Pillow reads whole."""

from __future__ import annotations

import numpy as np
from PIL import Image

from flawsight.core import FlawsightError
from flawsight.data.decode import EIGHT_BIT, Source, is_16_bit_grey, upright, upright_size
from flawsight.data.pixels.containers.opened import Opened

_GREY = ("1", "L", "LA")


def plain_picture(path: Source, image: Image.Image) -> Opened:
    """A picture of 8 bits in any of the usual colour spaces, or of 16-bit grey."""
    size = upright_size(image)
    if is_16_bit_grey(image):
        return Opened(path, size, "uint16", 1, lambda: np.asarray(upright(image)).astype(np.uint16))
    if image.mode not in EIGHT_BIT:
        raise FlawsightError(
            f"{path} holds {image.mode!r} pixels (floating point, 32-bit or a special colour space), "
            "whose range is unknown; save it as 8- or 16-bit grey or 8-bit RGB"
        )
    mode = ("L" if image.mode in _GREY else "RGB") + ("A" if image.has_transparency_data else "")
    return Opened(path, size, "uint8", len(mode), lambda: np.array(upright(image).convert(mode)))
