"""Images as a sequence that makes each when it is asked for."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import overload

import numpy as np


class LazyImages(Sequence[np.ndarray]):
    """A subclass gives the number of images and makes one by its number; a slice is a list.

    >>> class Greys(LazyImages):
    ...     def __len__(self): return 256
    ...     def _image(self, number): return np.full((64, 64, 3), number, np.uint8)
    >>> int(Greys()[-1].max()), len(Greys()[:10])
    (255, 10)
    """

    @overload
    def __getitem__(self, index: int) -> np.ndarray: ...
    @overload
    def __getitem__(self, index: slice) -> list[np.ndarray]: ...
    def __getitem__(self, index: int | slice) -> np.ndarray | list[np.ndarray]:
        if isinstance(index, slice):
            return [self._image(number) for number in range(*index.indices(len(self)))]
        return self._image(range(len(self))[index])

    @abstractmethod
    def _image(self, number: int) -> np.ndarray:
        """The image of this number, from 0."""
