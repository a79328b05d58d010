"""A folder's images as a sequence, each decoded once and kept on disk, so that memory does not grow with the folder."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import IO

import numpy as np

from flawsight.data import MAX_PIXELS, LazyImages, PixelFormat, read_image
from flawsight.views.resize import resize_image

MOST_STORED = 1 << 30
"""Bytes of decoded images kept in a temporary file; images beyond are decoded again whenever they are asked for."""


class ImageCache(LazyImages):
    """The images at `paths`, read by a learned format, each (side, side, 3) uint8 RGB; a slice is a list.

    `sizes`: (height, width) of the images as they are read, by number, as far as they were decoded.

    >>> squares = ImageCache(fs.data.find_images(good), side=64)
    >>> len(squares), squares[0].shape
    (12, (64, 64, 3))
    """

    def __init__(
        self, paths: Sequence[Path], side: int, max_pixels: int = MAX_PIXELS, pixels: PixelFormat | None = None
    ) -> None:
        self.paths = list(paths)
        self.side = side
        self.max_pixels = max_pixels
        self.pixels = pixels
        self._bytes = 3 * side * side
        self._stored: set[int] = set()
        self._lock = Lock()
        self.sizes: dict[int, tuple[int, int]] = {}
        self._file: IO[bytes] | None = None
        with suppress(OSError):  # no room for temporary files: images are decoded again
            self._file = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the images, and is gone with them

    def __len__(self) -> int:
        return len(self.paths)

    def _image(self, number: int) -> np.ndarray:
        if number in self._stored:
            return self._read(number)
        whole = read_image(self.paths[number], self.max_pixels, self.pixels)
        self.sizes[number] = (whole.shape[0], whole.shape[1])
        image = resize_image(whole, self.side)
        if (number + 1) * self._bytes <= MOST_STORED:
            self._write(number, image)
        return image

    def _read(self, place: int) -> np.ndarray:
        assert self._file is not None
        with self._lock:
            self._file.seek(place * self._bytes)
            data = self._file.read(self._bytes)
        return np.frombuffer(bytearray(data), np.uint8).reshape(self.side, self.side, 3)

    def _write(self, place: int, image: np.ndarray) -> None:
        if self._file is None:
            return
        # On a full disk the image is decoded again next time: slower, and the same.
        with self._lock, suppress(OSError):
            self._file.seek(place * self._bytes)
            self._file.write(image.tobytes())
            self._file.flush()
            self._stored.add(place)
