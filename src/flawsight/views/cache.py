"""A folder's images as squares, each decoded once and kept on disk, so that memory does not grow with the folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from flawsight.data import MAX_PIXELS, LazyImages, PixelFormat, read_image
from flawsight.views.inputs import SquareStore
from flawsight.views.resize import resize_image


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
        self.sizes: dict[int, tuple[int, int]] = {}
        self._store = SquareStore(side)

    def __len__(self) -> int:
        return len(self.paths)

    def chosen(self, numbers: Sequence[int] | np.ndarray) -> ImageCache:
        """The images of these numbers alone; what was decoded is not decoded again.

        >>> squares = ImageCache(fs.data.find_images(good), side=64)
        >>> [path.name for path in squares.chosen([0, 5]).paths]
        ['000.png', '005.png']
        """
        some = ImageCache([self.paths[number] for number in numbers], self.side, self.max_pixels, self.pixels)
        for place, number in enumerate(numbers):
            if (kept := self._store.get(int(number))) is not None:
                some._store.put(place, kept)
                some.sizes[place] = self.sizes[int(number)]
        return some

    def _image(self, number: int) -> np.ndarray:
        kept = self._store.get(number)
        if kept is not None:
            return kept
        whole = read_image(self.paths[number], self.max_pixels, self.pixels)
        self.sizes[number] = (whole.shape[0], whole.shape[1])
        image = resize_image(whole, self.side)
        self._store.put(number, image)
        return image
