"""Sizes and proportions that were seen, and how far others may be from them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from flawsight.core import FlawsightError
from flawsight.data.decode import Where
from flawsight.data.pixels.format import PixelFormat
from flawsight.data.pixels.odd import named

TOLERANCE = 1.05
"""Proportions may differ from all that were learned by this factor, and by more where those vary."""
_MOST_TOLERANCE = 1.25
_GAP = 1.1
_FEW = 0.25
_MOST_RANGES = 3
MOST_RESIZED = 2.0
"""Sides may differ by this factor from the smallest and the largest that were learned."""

Size = tuple[int, int]


def ranges_of(sizes: Iterable[Size]) -> tuple[tuple[float, float], ...]:
    """Ranges of width / height without gaps; one where there are many, for then pictures are cut out as needed."""
    found: list[tuple[float, float]] = []
    for aspect in sorted({width / height for height, width in sizes}):
        if found and aspect <= _GAP * found[-1][1]:
            found[-1] = (found[-1][0], aspect)
        else:
            found.append((aspect, aspect))
    return tuple(found) if len(found) <= _MOST_RANGES else ((found[0][0], found[-1][1]),)


def extremes(sizes: Sequence[Size]) -> tuple[Size, Size]:
    """The smallest and the largest by area."""
    ordered = sorted(sizes, key=lambda size: (size[0] * size[1], size))
    return ordered[0], ordered[-1]


def odd_shapes(sizes: Mapping[Where, Size]) -> str:
    """A sentence on the few pictures of other proportions than most, if there are any."""
    counts = Counter(round(width / height, 2) for height, width in sizes.values())
    usual, count = counts.most_common(1)[0]
    share = {path: width / height / usual for path, (height, width) in sizes.items()}
    odd = {path: _text(sizes[path]) for path, one in share.items() if not 1 / TOLERANCE < one < TOLERANCE}
    if not odd or len(odd) > _FEW * count:
        return ""
    return f"{len(odd)} of {len(sizes)} good pictures have other proportions than most: {named(odd)}"


def check_shape(what: object, size: Size, pixels: PixelFormat) -> None:
    """Raise where a picture of this (H, W) has other proportions than those learned, or another resolution.

    >>> check_shape("a.png", (96, 192), learn_pixel_format(find_images(good)))
    Traceback (most recent call last):
    flawsight.core.errors.FlawsightError: a.png is 192 x 96 pixels, ... learned was 80 x 64; ...
    """
    if pixels.sizes is None:
        return
    aspect = size[1] / size[0]
    is_known = any(low / slack <= aspect <= high * slack for low, high, slack in map(_with_slack, pixels.aspects))
    if not is_known:
        raise FlawsightError(
            f"{what} is {_text(size)} pixels, of other proportions than those learned: learned was "
            f"{sizes_text(pixels.sizes)}; crop it as the good pictures were, or fit again with such pictures"
        )
    (small, large), area = (height * width for height, width in pixels.sizes), size[0] * size[1]
    if not small / MOST_RESIZED**2 <= area <= large * MOST_RESIZED**2:
        raise FlawsightError(
            f"{what} is {_text(size)} pixels, more than {MOST_RESIZED:g} times smaller or larger than those learned: "
            f"learned was {sizes_text(pixels.sizes)}; give the camera's pictures as they are, or fit again with these"
        )


def sizes_text(sizes: tuple[Size, Size]) -> str:
    """The range of sizes in words."""
    small, large = map(_text, sizes)
    return small if small == large else f"{small} to {large}"


def _with_slack(known: tuple[float, float]) -> tuple[float, float, float]:
    low, high = known
    return low, high, min(_MOST_TOLERANCE, max(TOLERANCE, (high / low) ** 0.5))


def _text(size: Size) -> str:
    return f"{size[1]} x {size[0]}"
