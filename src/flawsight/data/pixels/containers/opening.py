"""Opening a picture of any kind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flawsight.data.decode import Source, check_file, opened
from flawsight.data.pixels.containers.deep import deep_picture
from flawsight.data.pixels.containers.opened import Opened
from flawsight.data.pixels.containers.plain import plain_picture
from flawsight.data.pixels.containers.tiff import MAGIC, opened_tiff


@contextmanager
def open_picture(path: Source) -> Iterator[Opened]:
    """Read a file's header; what is wrong with it, also while it is decoded, becomes a FlawsightError."""
    check_file(path)
    with path.open("rb") as file:
        is_tiff = file.read(4) in MAGIC
    if is_tiff:
        with opened_tiff(path) as picture:
            yield picture
        return
    with opened(path) as image:
        yield deep_picture(path, image) or plain_picture(path, image)


def image_size(path: str | Path) -> tuple[int, int]:
    """(H, W) of a picture as `read_image` would return it, from the file's header alone.

    >>> image_size(good / "000.png")
    (64, 80)
    """
    with open_picture(Path(path)) as picture:
        return picture.size
