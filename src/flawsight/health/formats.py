"""Pictures that were saved otherwise than most: depth, colour, transparency."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from flawsight.core import FlawsightError
from flawsight.data import PixelFormat, learn_pixel_format, mixed_colours
from flawsight.health.findings import Finding
from flawsight.settings import CheckSettings

_MOST_TRIES = 4


@dataclass(frozen=True)
class Learned:
    """The format of most pictures, why some were refused, and which; None where no format could be learned."""

    pixels: PixelFormat | None
    refusals: tuple[str, ...]
    odd: tuple[Path, ...]


def learned_format(paths: Sequence[Path], settings: CheckSettings) -> Learned:
    """What a fit would learn, without those that it would refuse, so that the rest can be looked at."""
    kept, refusals, odd = list(paths), list[str](), list[Path]()
    for _ in range(_MOST_TRIES):
        try:
            pixels = learn_pixel_format(kept, settings.bayer, settings.bits, settings.max_pixels)
            return Learned(pixels, tuple(refusals), tuple(odd))
        except FlawsightError as error:
            said = str(error)
            # The sentence names ten at most, each with what it is.
            named = [path for path in kept if f"{path.name} is " in said and str(path) not in said]
            if named:
                refusals.append(said)
            odd += named
            kept = [path for path in kept if path not in set(named)]
            if not named or not kept:
                # Where none can be read each is said to be unreadable, and by no format at all.
                is_of_a_file = any(str(path) in said for path in paths)
                return Learned(None, tuple(refusals if named or is_of_a_file else [*refusals, said]), tuple(odd))
    return Learned(None, tuple(refusals), tuple(odd))


def format_findings(
    learned: Learned, colours: Mapping[Path, bool], paths: Sequence[Path], *, is_shape_said: bool
) -> list[Finding]:
    """Refused ones, and what a fit only warns of: grey among colour, and what is in doubt."""
    found = []
    if learned.refusals:
        said = "; ".join(one.rpartition("; ")[0] or one for one in learned.refusals)
        found.append(Finding("format", "error", learned.odd, said, "take them out, or save all alike"))
    is_raw = learned.pixels is not None and learned.pixels.bayer is not None
    mixed = "" if is_raw or len(set(colours.values())) < 2 else mixed_colours(colours)
    if mixed:
        is_usual = 2 * sum(colours.values()) >= len(colours)
        files = tuple(path for path, has in colours.items() if has != is_usual)
        found.append(Finding("format", "warning", files, mixed, "save all alike, unless the line mixes them"))
    for said in learned.pixels.concerns if learned.pixels else ():
        # Of few pictures it was known before: what all of them say is above.
        is_known = bool(mixed) and "unlike the others" in said
        if not is_known and not (is_shape_said and "other proportions" in said):
            files = tuple(path for path in paths if f"{path.name} is " in said)
            found.append(Finding("format", "warning", files, said, ""))
    return found
