"""Learning once, from the good pictures, what the camera delivers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from flawsight.core import FlawsightError
from flawsight.data.decode import Source, Where, check_size
from flawsight.data.pixels.check import kind_text
from flawsight.data.pixels.containers.opened import Opened
from flawsight.data.pixels.containers.opening import open_picture
from flawsight.data.pixels.depth import learned_range, usual_level
from flawsight.data.pixels.facts import MOSAIC, Facts, facts_of
from flawsight.data.pixels.format import Alpha, Bayer, PixelFormat
from flawsight.data.pixels.odd import odd_ones, refuse_odd
from flawsight.data.pixels.shape import extremes, odd_shapes, ranges_of
from flawsight.settings import MAX_PIXELS

SAMPLE = 4
"""Pictures of 8 bits without transparency that are decoded to see whether they have colour; of others all are."""


def learn_pixel_format(
    paths: Sequence[Path], bayer: Bayer | None = None, bits: int | None = None, max_pixels: int = MAX_PIXELS
) -> PixelFormat:
    """Depth, colour, transparency and shape of the good pictures; FlawsightError names those that differ from most.

    `bayer` says that grey values are raw ones under a filter of colours, `bits` how many of 16 the camera uses.
    Unreadable files are left to whoever decodes them, unless all are.

    >>> learn_pixel_format(find_images(good)).text
    'colour 8-bit'
    """
    headers = _headers(paths, max_pixels)
    samples = Counter(one.samples for one in headers).most_common(1)[0][0]
    refuse_odd({one.path: kind_text(one, one.channels > 2) for one in headers if one.samples != samples}, len(headers))
    facts = _facts(headers)
    colours = _colours(headers, facts)
    is_colour = next(iter(colours.values())) if len(set(colours.values())) == 1 else None
    alpha = _alpha(headers, facts)
    low, high, doubt = learned_range(facts, samples, bits) if samples != "byte" else (0.0, 255.0, "")
    sizes = {one.path: one.size for one in headers}
    pattern = min((one.mosaic for one in facts), default=0.0)
    if bayer and is_colour is not False:
        raise FlawsightError(f"--bayer {bayer} is for raw grey pictures, but these have colours: leave it out")
    is_raw = pattern > MOSAIC and not bayer and len(facts) >= SAMPLE
    return PixelFormat(
        is_colour=is_colour,
        samples=samples,
        low=low,
        high=high,
        alpha=alpha,
        bayer=bayer,
        mosaic=pattern,
        level=usual_level(facts),
        sizes=extremes(list(sizes.values())),
        aspects=ranges_of(sizes.values()),
        concerns=tuple(filter(None, (mixed_colours(colours), doubt, _RAW if is_raw else "", odd_shapes(sizes)))),
    )


_RAW = (
    "the grey pictures have a pattern of 2 x 2 pixels, as raw pictures of a colour camera have: if they are raw, name "
    "its filter with --bayer RG, GR, GB or BG"
)


def _headers(paths: Sequence[Path], max_pixels: int) -> list[Opened]:
    """Those that can be read; the first error where none can."""
    found, errors = [], []
    for path in paths:
        try:
            with open_picture(Path(path)) as picture:
                check_size(picture.path, picture.size, max_pixels)
                found.append(picture)
        except FlawsightError as error:
            errors.append(error)
    if not found:
        raise errors[0] if errors else FlawsightError("no pictures to learn from: give at least one file")
    return found


def _facts(headers: Sequence[Opened]) -> list[Facts]:
    """Facts of all pictures where that may matter, else of a few; the first error where none can be decoded."""
    few = {id(one) for one in headers[:: max(1, len(headers) // SAMPLE)]}
    is_mixed = len({one.channels > 2 for one in headers}) > 1
    found: dict[int, Facts] = {}
    errors: list[FlawsightError] = []

    def look(wanted: Iterable[Opened]) -> None:
        for one in wanted:
            try:
                with open_picture(one.path) as picture:
                    found[id(one)] = facts_of(picture, picture.values())
            except FlawsightError as error:
                errors.append(error)

    look(one for one in headers if is_mixed or one.samples != "byte" or one.has_alpha or id(one) in few)
    if len({one.is_colour for one in found.values() if one.picture.channels > 2}) > 1:
        look(one for one in headers if id(one) not in found)
    if not found:
        raise errors[0]
    return list(found.values())


def _colours(headers: Sequence[Opened], facts: Sequence[Facts]) -> dict[Source, bool]:
    """Whether each picture has colours; those that were not looked at are like those that were."""
    known = {one.picture.path: one.is_colour for one in facts}
    return {one.path: known.get(one.path, any(known.values()) and one.channels > 2) for one in headers}


def mixed_colours(colours: Mapping[Where, bool]) -> str:
    """A sentence that names the fewer ones where some good pictures have colours and some have none.

    >>> mixed_colours({path: path.name != "003.png" for path in find_images(good)})
    '1 of 12 good pictures are unlike the others: 003.png is grey'
    """
    is_colour = 2 * sum(colours.values()) >= len(colours)
    odd = {path: "colour" if has else "grey" for path, has in colours.items() if has != is_colour}
    return odd_ones(odd, len(colours)) if odd else ""


def _alpha(headers: Sequence[Opened], facts: Sequence[Facts]) -> Alpha:
    """Transparency is laid over white if most of it has meaning; then all pictures must have some, or none."""
    transparent = [one for one in facts if one.transparency != "opaque"]
    if not transparent:
        return "none"
    if 2 * sum(one.transparency == "meaningful" for one in transparent) <= len(transparent):
        return "ignored"
    without = [one.path for one in headers if not one.has_alpha]
    with_some = [one.picture.path for one in transparent]
    if without and len(with_some) < len(without):
        refuse_odd(dict.fromkeys(with_some, "partly transparent"), len(headers))
    refuse_odd(dict.fromkeys(without, "without transparency"), len(headers))
    return "white"
