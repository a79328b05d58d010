"""What a camera delivers, learned once from the good pictures and kept in the bundle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from flawsight.data.pixels.containers.opened import Samples

Bayer = Literal["RG", "GR", "GB", "BG"]
_COLOURS = {True: "colour", False: "grey", None: "colour and grey"}
Alpha = Literal["none", "ignored", "white"]


@dataclass(frozen=True)
class PixelFormat:
    """How values become 8-bit RGB: those of `low` become black, those of `high` white.

    `is_colour` is None where both occur, `alpha` is ignored or laid over white. `level` is the mean and deviation of
    a usual picture's values, `sizes` the smallest and the largest (H, W), `aspects` are ranges of width / height.
    `looks` says by name what pictures are like as a whole: the usual value, and how much it varies. `concerns` are
    sentences for whoever learns.

    >>> learned = learn_pixel_format(find_images(good))
    >>> learned.text, learned.sizes
    ('colour 8-bit', ((64, 80), (64, 80)))
    """

    is_colour: bool | None = True
    samples: Samples = "byte"
    low: float = 0.0
    high: float = 255.0
    alpha: Alpha = "none"
    bayer: Bayer | None = None
    mosaic: float = 0.0
    level: tuple[float, float] = (0.0, 0.0)
    sizes: tuple[tuple[int, int], tuple[int, int]] | None = None
    aspects: tuple[tuple[float, float], ...] = ()
    looks: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    concerns: tuple[str, ...] = ()

    @property
    def bits(self) -> int | None:
        """How many bits the values have, if their range is that of a whole number of bits."""
        bits = int(self.high).bit_length()
        return bits if self.low == 0 and self.high == (1 << bits) - 1 and self.samples != "float" else None

    @property
    def is_plain(self) -> bool:
        """Whether it goes without saying."""
        return self.samples == "byte" and self.alpha == "none" and self.bayer is None

    @property
    def key(self) -> str:
        """Names how values become pictures; empty where that goes without saying."""
        return "" if self.is_plain else f"{self.samples} {self.low:g} {self.high:g} {self.alpha} {self.bayer}"

    @property
    def kind(self) -> str:
        """Colour and depth in words."""
        words = f"Bayer {self.bayer}" if self.bayer else _COLOURS[self.is_colour]
        return f"{words} {depth_words(self.samples, self.bits)}"

    @property
    def text(self) -> str:
        """The whole format in words."""
        words = self.kind
        if self.samples == "word" and self.bits:
            words += " in 16" if self.bits < 16 else ""
        elif self.samples != "byte":
            words += f" from {self.low:.6g} to {self.high:.6g}"
        said = {"none": "", "ignored": "; transparency ignored", "white": "; transparency laid over white"}
        return words + said[self.alpha]


def depth_words(samples: Samples, bits: int | None) -> str:
    """The depth in words."""
    return "floating-point" if samples == "float" else f"{bits}-bit" if bits else "whole-number"
