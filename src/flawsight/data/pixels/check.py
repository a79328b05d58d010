"""Whether a picture is what was learned; if not, what was expected and what came."""

from __future__ import annotations

import numpy as np

from flawsight.core import FlawsightError
from flawsight.data.pixels.containers.opened import Opened, nominal_bits
from flawsight.data.pixels.depth import other_white
from flawsight.data.pixels.facts import MOSAIC, facts_of, has_colour, is_opaque, mosaic, split
from flawsight.data.pixels.format import PixelFormat, depth_words
from flawsight.data.pixels.shape import check_shape

_TRACE = 4 / 255


def check_header(picture: Opened, pixels: PixelFormat) -> None:
    """Raise for another shape or another kind of values, before anything is decoded."""
    check_shape(picture.path, picture.size, pixels)
    if picture.samples != pixels.samples:
        raise misfit(picture, pixels, kind_text(picture, picture.channels > 2))


def check_values(picture: Opened, values: np.ndarray, pixels: PixelFormat) -> None:
    """Raise for grey instead of colour, unknown transparency, or values of another depth."""
    colours, alpha = split(values)
    # Compression leaves a little colour in grey pictures; of those learned in colour none may have lost all of it.
    is_colour = has_colour(colours, 0 if pixels.is_colour else _TRACE * (pixels.high - pixels.low))
    if pixels.is_colour not in (None, is_colour):
        raise misfit(picture, pixels, kind_text(picture, is_colour, values))
    if alpha is not None and pixels.alpha == "none" and not is_opaque(alpha):
        raise misfit(picture, pixels, "transparency")
    if pixels.alpha == "white" and (alpha is None or not alpha.any()):
        raise misfit(picture, pixels, "no transparency" if alpha is None else "nothing but transparency")
    if pixels.bayer and pixels.mosaic > MOSAIC and mosaic(colours) < pixels.mosaic / 4:
        raise misfit(picture, pixels, "grey pictures without a pattern of colours")
    if pixels.samples != "byte":
        _check_depth(picture, values, pixels, is_colour)


def _check_depth(picture: Opened, values: np.ndarray, pixels: PixelFormat, is_colour: bool) -> None:
    facts, span = facts_of(picture, values[..., :1] if not is_colour else values), pixels.high - pixels.low
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise misfit(picture, pixels, "values that are no numbers")
    slack = 0 if pixels.bits else span
    if not pixels.low - slack <= facts.low <= facts.high <= pixels.high + slack:
        raise misfit(picture, pixels, f"{kind_text(picture, is_colour, values)} from {facts.low:g} to {facts.high:g}")
    white = other_white(facts, pixels.level, pixels.high) if pixels.low == 0 else None
    if white:
        other = f"values up to {facts.high:g}, as of {nominal_bits(white)} bits" if white > 1 else "values up to 1"
        raise misfit(picture, pixels, f"{other}, and else like those learned")


def misfit(picture: Opened, pixels: PixelFormat, got: str) -> FlawsightError:
    """The error for a picture that is not as learned."""
    return FlawsightError(
        f"{picture.path} is not as the good pictures: expected {pixels.kind} pictures as learned, got {got}; "
        "save it as they were saved, or fit again with such pictures"
    )


def kind_text(picture: Opened, is_colour: bool, values: np.ndarray | None = None) -> str:
    """What a picture is, in words."""
    words = "colour" if is_colour else "grey"
    if picture.samples != "word":
        return f"{words} {depth_words(picture.samples, 8)}"
    stored = 8 * np.dtype(picture.dtype).itemsize
    bits = picture.bits or (stored if values is None else nominal_bits(float(values.max())) or stored)
    return f"{words} {depth_words(picture.samples, bits)}" + (f" in {stored}" if bits < stored else "")
