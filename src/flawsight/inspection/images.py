"""A folder's images as a sequence that decodes when asked, so that memory does not grow with the folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import overload

import numpy as np

from flawsight.data import MAX_PIXELS, read_image
from flawsight.features import resize_image


class ResizedImages(Sequence[np.ndarray]):
    """The images at `paths`, each (side, side, 3) uint8 RGB; a slice is a decoded list."""

    def __init__(self, paths: Sequence[Path], side: int, max_pixels: int = MAX_PIXELS) -> None:
        self.paths = list(paths)
        self.side = side
        self.max_pixels = max_pixels

    def __len__(self) -> int:
        return len(self.paths)

    @overload
    def __getitem__(self, index: int) -> np.ndarray: ...
    @overload
    def __getitem__(self, index: slice) -> list[np.ndarray]: ...
    def __getitem__(self, index: int | slice) -> np.ndarray | list[np.ndarray]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        return resize_image(read_image(self.paths[index], self.max_pixels), self.side)
