"""A picture to be measured, as a view shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from flawsight.views import Frame

Box = tuple[int, int, int, int]
"""left, top, width, height"""


@dataclass(frozen=True, eq=False)
class Scene:
    """A picture to be measured: the numbers of its squares among the good ones, and by tile those of its kind's own.

    `counted` is the part of the picture that counts, `mask` (h, w) is of that part.
    """

    frame: Frame
    counted: Box
    good: Sequence[int]
    changed: Mapping[int, int]
    mask: np.ndarray | None = None

    def of_tiles(self, good: Any, own: Any) -> list[Any]:
        """What belongs to this scene's squares, in the order of its frame."""
        changed = self.changed
        return [own[changed[tile]] if tile in changed else good[number] for tile, number in enumerate(self.good)]
