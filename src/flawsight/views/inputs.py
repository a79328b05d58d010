"""The network's inputs of many pictures, as one sequence of squares that takes little memory."""

from __future__ import annotations

import tempfile
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import IO

import numpy as np

from flawsight.data import MAX_PIXELS, LazyImages, PixelFormat, read_image
from flawsight.views.view import Frame

MOST_STORED = 1 << 30
"""Bytes of squares kept in a temporary file; those beyond are made again whenever they are asked for."""
_KEPT = 2


class Pictures(LazyImages):
    """The pictures at `paths` in their own pixels, (H, W, 3) uint8 RGB; those last asked for are kept.

    A pickled one reads the same files again, wherever it is unpacked.

    >>> Pictures(fs.data.find_images(good))[0].shape
    (64, 80, 3)
    """

    def __init__(self, paths: Sequence[Path], max_pixels: int = MAX_PIXELS, pixels: PixelFormat | None = None) -> None:
        self.paths = list(paths)
        self.max_pixels = max_pixels
        self.pixels = pixels
        self._last: OrderedDict[int, np.ndarray] = OrderedDict()
        self._lock = Lock()

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), ([path.absolute() for path in self.paths], self.max_pixels, self.pixels)

    def __len__(self) -> int:
        return len(self.paths)

    def _image(self, number: int) -> np.ndarray:
        with self._lock:  # several threads that want tiles of one picture wait for one decoding of it
            if number not in self._last:
                self._last[number] = read_image(self.paths[number], self.max_pixels, self.pixels)
                while len(self._last) > _KEPT:
                    self._last.popitem(last=False)
            self._last.move_to_end(number)
            return self._last[number]


class SquareStore:
    """Squares (side, side, 3) uint8 by number, in a temporary file; `most` bytes of them. A pickled one is empty.

    >>> store = SquareStore(side=64)
    >>> store.put(3, np.zeros((64, 64, 3), np.uint8))
    >>> store.get(3).shape, store.get(2)
    ((64, 64, 3), None)
    """

    def __init__(self, side: int, most: int = MOST_STORED) -> None:
        self._side, self._bytes, self._most = side, 3 * side * side, most
        self._stored: set[int] = set()
        self._lock = Lock()
        self._file: IO[bytes] | None = None
        with suppress(OSError):  # no room for temporary files: squares are made again
            # It lives as long as the squares. A buffer would keep what a full disk refused, and reading would fail.
            self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self._side, self._most)

    def get(self, number: int) -> np.ndarray | None:
        """The square of this number; None where it is not here."""
        if number not in self._stored or self._file is None:
            return None
        with self._lock:
            self._file.seek(number * self._bytes)
            data = self._file.read(self._bytes)
        return np.frombuffer(bytearray(data), np.uint8).reshape(self._side, self._side, 3)

    def put(self, number: int, square: np.ndarray) -> None:
        """Keep a square, if there is room."""
        if self._file is None or (number + 1) * self._bytes > self._most:
            return
        # On a full disk it is made again next time: slower, and the same.
        with self._lock, suppress(OSError):
            self._file.seek(number * self._bytes)
            if self._file.write(square.tobytes()) == self._bytes:
                self._stored.add(number)


class Inputs(LazyImages):
    """The squares of pictures, each cut by its frame, picture after picture; or `only` those of some numbers of each.

    `picture_of` (n,) is the picture that each square belongs to, `tile_of` (n,) its number in the picture's frame.
    Squares are kept where making them costs anything.

    >>> view = View("tiles", side=32)
    >>> inputs = Inputs(images, [view.frame(image.shape[:2]) for image in images])
    >>> len(inputs), inputs[0].shape, inputs.of_picture(1)
    (108, (32, 32, 3), range(9, 18))
    """

    def __init__(
        self, pictures: Sequence[np.ndarray], frames: Sequence[Frame], only: Sequence[Sequence[int]] | None = None
    ) -> None:
        self.pictures, self.frames = pictures, list(frames)
        tiles = [range(frame.tiles) for frame in self.frames] if only is None else only
        counts = [len(part) for part in tiles]
        self._ends = np.cumsum([0, *counts])
        self.picture_of = np.repeat(np.arange(len(counts)), counts)
        self.tile_of = np.array([number for part in tiles for number in part], int)
        self._store = SquareStore(self.frames[0].side)

    def __len__(self) -> int:
        return len(self.picture_of)

    def of_picture(self, picture: int) -> range:
        """The numbers of a picture's squares."""
        return range(int(self._ends[picture]), int(self._ends[picture + 1]))

    def _image(self, number: int) -> np.ndarray:
        picture = int(self.picture_of[number])
        frame = self.frames[picture]
        if frame.is_trivial and frame.size == frame.working:  # the picture is the square
            return next(frame.cut(self.pictures[picture]))
        kept = self._store.get(number)
        if kept is not None:
            return kept
        # All of the picture's squares at once: decoding and resizing it is what costs.
        numbers = self.of_picture(picture)
        wanted = None
        only = self.tile_of[numbers.start : numbers.stop].tolist()
        for place, square in zip(numbers, frame.cut(self.pictures[picture], only), strict=True):
            self._store.put(place, square)
            if place == number:
                wanted = square
        assert wanted is not None
        return wanted


class Chained(LazyImages):
    """Several sequences of images, one after the other.

    >>> len(Chained([images[:2], images[:3]]))
    5
    """

    def __init__(self, parts: Sequence[Sequence[np.ndarray]]) -> None:
        self.parts = list(parts)
        self._ends = np.cumsum([len(part) for part in self.parts])

    def __len__(self) -> int:
        return int(self._ends[-1])

    def _image(self, number: int) -> np.ndarray:
        part = int(np.searchsorted(self._ends, number, side="right"))
        return self.parts[part][number - (int(self._ends[part - 1]) if part else 0)]


class Chosen(LazyImages):
    """Some images of a sequence, by number.

    >>> len(Chosen(images, [0, 5]))
    2
    """

    def __init__(self, images: Sequence[np.ndarray], numbers: Sequence[int] | np.ndarray) -> None:
        self.images, self.numbers = images, np.asarray(numbers, int)

    def __len__(self) -> int:
        return len(self.numbers)

    def _image(self, number: int) -> np.ndarray:
        return self.images[int(self.numbers[number])]
