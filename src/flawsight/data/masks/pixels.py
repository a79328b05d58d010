"""A mask file's pixels, before it is decided what they mean."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from flawsight.data.decode import opened, upright

LOSSY = ("JPEG", "MPO")


@dataclass(frozen=True, eq=False)
class MaskPixels:
    """Colour (H, W) or (H, W, 3) of any depth, and how opaque each pixel is, 0..255, where the file says so."""

    colour: np.ndarray
    alpha: np.ndarray | None
    is_lossy: bool

    @property
    def size(self) -> tuple[int, int]:
        """(H, W)."""
        return self.colour.shape[0], self.colour.shape[1]

    def plane(self, channel: str) -> np.ndarray:
        """What carries the mask: the `colour`, the `alpha`, or the colour laid `over` black."""
        if self.alpha is None or channel == "colour":
            return self.colour
        if channel == "alpha":
            return self.alpha
        share = self.alpha.astype(np.float32) / 255
        return np.rint(self.colour * (share if self.colour.ndim == 2 else share[..., None])).astype(self.colour.dtype)


def read_pixels(path: Path) -> MaskPixels:
    """Decode a mask file, turned as its EXIF orientation says; FlawsightError if it cannot be read."""
    with opened(path) as file:
        is_lossy = file.format in LOSSY
        image = upright(file)
        if image.mode == "1":
            image = image.convert("L")
        has_alpha = image.has_transparency_data
        if image.mode in ("P", "PA") and not has_alpha and _is_undone_by_its_palette(image):
            return MaskPixels(np.array(image), None, is_lossy)
        if has_alpha or image.mode in ("P", "PA", "RGB", "RGBX", "CMYK", "YCbCr"):
            channels = np.array(image.convert("RGBA"))
            return MaskPixels(_grey(channels[..., :3]), channels[..., 3] if has_alpha else None, is_lossy)
        return MaskPixels(np.array(image), None, is_lossy)


def extremes(plane: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The smallest and the largest channel of each pixel; of grey both are the same array."""
    return (plane, plane) if plane.ndim == 2 else (plane.min(2), plane.max(2))


def _is_undone_by_its_palette(image: Image.Image) -> bool:
    """True where two labels have the same colour, so that only their numbers tell them apart."""
    colours = image.convert("RGB").getcolors(256)
    return colours is not None and len(colours) < len(image.getcolors(256) or ())


def _grey(colour: np.ndarray) -> np.ndarray:
    is_grey = np.array_equal(colour[..., 0], colour[..., 1]) and np.array_equal(colour[..., 0], colour[..., 2])
    return np.ascontiguousarray(colour[..., 0]) if is_grey else colour


@dataclass(frozen=True, eq=False)
class Levels:
    """How often each value occurs in a plane, and on its rim."""

    values: np.ndarray
    counts: np.ndarray
    on_rim: np.ndarray

    @classmethod
    def of(cls, plane: np.ndarray) -> Levels:
        """Count them."""
        rim = np.concatenate([plane[0], plane[-1], plane[:, 0], plane[:, -1]])
        if plane.dtype == np.uint8:  # the usual, and ten times as fast as to sort
            counts, on_rim = np.bincount(plane.ravel(), minlength=256), np.bincount(rim, minlength=256)
            values = np.flatnonzero(counts)
            return cls(values, counts[values], on_rim[values])
        values, counts = np.unique(plane, return_counts=True)
        rim_values, rim_counts = np.unique(rim, return_counts=True)
        on_rim = np.zeros(len(values), int)
        on_rim[np.searchsorted(values, rim_values)] = rim_counts
        return cls(values, counts, on_rim)

    @property
    def is_uniform(self) -> bool:
        """True where all pixels have one value."""
        return len(self.values) == 1


@dataclass(frozen=True, eq=False)
class Ink:
    """What one plane looks like: levels of the darkest and the brightest channel, and how soft its edges are.

    Of the `middle` pixels, those of neither extreme nor the commonest value, `between` lie strictly between their
    neighbours, as on a slope, `flat` have neighbours like themselves only, as inside a label, and `near` are nearly of
    an extreme, as where a file was compressed.
    """

    darkest: Levels
    brightest: Levels
    colours: tuple[str, ...]
    middle: int
    between: int
    flat: int
    near: int

    @classmethod
    def of(cls, plane: np.ndarray) -> Ink:
        """Look at a plane."""
        low, high = extremes(plane)
        brightest = Levels.of(high)
        darkest = brightest if low is high else Levels.of(low)
        shape = high if not brightest.is_uniform else low
        levels = brightest if not brightest.is_uniform else darkest
        return cls(darkest, brightest, _names(plane), *_slopes(shape, levels))


@dataclass(frozen=True, eq=False)
class MaskFacts:
    """What one file may mean, by what may carry its mask."""

    path: Path
    size: tuple[int, int]
    is_lossy: bool
    colour: Ink
    alpha: Ink | None
    over: Ink | None

    @classmethod
    def of(cls, path: Path) -> MaskFacts:
        """Read the file and count."""
        pixels = read_pixels(path)
        inks = [None if pixels.alpha is None else Ink.of(pixels.plane(channel)) for channel in ("alpha", "over")]
        return cls(path, pixels.size, pixels.is_lossy, Ink.of(pixels.colour), *inks)

    def ink(self, channel: str) -> Ink:
        """The plane that carries the mask."""
        return {"alpha": self.alpha, "over": self.over}.get(channel) or self.colour


def _slopes(plane: np.ndarray, levels: Levels) -> tuple[int, int, int, int]:
    """How many pixels are in the middle, and of these on a slope, on a flat, and near an extreme."""
    if len(levels.values) < 3:
        return 0, 0, 0, 0
    plane = plane if plane.dtype in (np.uint8, np.uint16) else plane.astype(np.float32)
    lowest, highest = float(levels.values[0]), float(levels.values[-1])
    middle = (plane > lowest) & (plane < highest) & (plane != levels.values[levels.counts.argmax()])
    around = np.ones((3, 3), np.uint8)
    below, above = cv2.erode(plane, around), cv2.dilate(plane, around)
    margin = (highest - lowest) / 16
    kinds = (below < plane) & (plane < above), below == above, (plane < lowest + margin) | (plane > highest - margin)
    between, flat, near = (int((middle & kind).sum()) for kind in kinds)
    return int(middle.sum()), between, flat, near


def _names(plane: np.ndarray) -> tuple[str, ...]:
    """Colours that occur, as #rrggbb, if they are few; none for grey."""
    if plane.ndim == 2:
        return ()
    packed = plane.astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32)
    found = np.unique(packed)
    return tuple(f"#{colour:06x}" for colour in found) if len(found) <= 32 else ()
