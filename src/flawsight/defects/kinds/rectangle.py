"""The two rectangular defects of paper A, Sec. 3.2: a black rectangle, and one cut from another good image."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from flawsight.core import FlawsightError
from flawsight.defects.base import REFERENCE_SIDE, DrawnDefect, Image, Mask, changed, check_bounds, pick_source

Label = Literal["rectangle", "changed"]


@dataclass(frozen=True, kw_only=True)
class Rectangle(DrawnDefect):
    """One rectangle per image, its sides and its distance to the border given as shares of the image's sides.

    label "rectangle" labels all of it, as paper A does; "changed" only the pixels that differ from the good image.
    """

    size: tuple[float, float] = (0.1, 0.5)
    margin: float = 20 / REFERENCE_SIDE
    label: Label = "rectangle"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_bounds("size", self.size, 0.0, 1.0)
        if not 0 <= self.margin <= (1 - self.size[1]) / 2:
            raise FlawsightError(
                f"margin {self.margin} leaves no room for a rectangle of size {self.size[1]}: "
                f"use at most {(1 - self.size[1]) / 2}."
            )
        if self.label not in ("rectangle", "changed"):
            raise FlawsightError(f"label must be 'rectangle' or 'changed', got '{self.label}'.")

    def draw(self, image: Image, rng: np.random.Generator, sources: Sequence[Image]) -> tuple[Image, Mask] | None:
        """Fill a random rectangle; see `DrawnDefect.draw`."""
        height, width = (self._length(side, rng) for side in image.shape[:2])
        top, left = self._corner(image.shape, height, width, rng)
        here = np.s_[top : top + height, left : left + width]
        result = image.copy()
        result[here] = self.content(image, height, width, rng, sources)
        difference = changed(image, result)
        # A black rectangle on black shows nothing: a label there would be wrong.
        if self.label == "changed" or not difference.any():
            return result, difference
        mask = np.zeros(image.shape[:2], dtype=bool)
        mask[here] = True
        return result, mask

    def content(
        self, image: Image, height: int, width: int, rng: np.random.Generator, sources: Sequence[Image]
    ) -> Image | int:
        """Return what fills the rectangle: an image of that height and width, or one value."""
        raise NotImplementedError

    def _length(self, side: int, rng: np.random.Generator) -> int:
        shortest = max(1, int(np.ceil(self.size[0] * side)))
        return int(rng.integers(shortest, max(shortest, int(self.size[1] * side)) + 1))

    def _corner(self, shape: tuple[int, ...], height: int, width: int, rng: np.random.Generator) -> tuple[int, int]:
        top, left = (int(np.ceil(self.margin * side)) for side in shape[:2])
        return (
            int(rng.integers(top, max(top, shape[0] - top - height) + 1)),
            int(rng.integers(left, max(left, shape[1] - left - width) + 1)),
        )


@dataclass(frozen=True, kw_only=True)
class Simple(Rectangle):
    """A black rectangle (Sec. 3.2 of paper A, "Simple Synthetic Anomalies")."""

    title: ClassVar = "Plain patches"
    looks: ClassVar = "a black rectangle: the easiest test"

    def content(
        self, image: Image, height: int, width: int, rng: np.random.Generator, sources: Sequence[Image]
    ) -> Image | int:
        """Return black."""
        return 0


@dataclass(frozen=True, kw_only=True)
class CutPaste(Rectangle):
    """A rectangle cut from a random place of another good image (Sec. 3.2 of paper A, after Li et al. 2021)."""

    title: ClassVar = "Misplaced pieces"
    looks: ClassVar = "a piece of another good picture pasted in"

    def content(
        self, image: Image, height: int, width: int, rng: np.random.Generator, sources: Sequence[Image]
    ) -> Image | int:
        """Return the crop; its place is drawn independently of where it goes."""
        source = pick_source(sources, rng, image.shape)
        top, left = self._corner(source.shape, height, width, rng)
        return source[top : top + height, left : left + width]
