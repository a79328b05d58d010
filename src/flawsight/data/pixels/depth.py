"""How many bits are used, and whether a picture has the same as the others."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median_low

from flawsight.core import FlawsightError
from flawsight.data.pixels.containers.opened import Samples, nominal_bits
from flawsight.data.pixels.facts import Facts
from flawsight.data.pixels.odd import refuse_odd

WHITES = (1.0, 255.0, 1023.0, 4095.0, 16383.0, 65535.0)
_ALIKE = (0.7, 1.4)
_MARGIN = 0.1
_ROUNDED = 1.001
_DARK = 0.5

Level = tuple[float, float]
"""Mean and deviation of the values."""


def usual_level(facts: Sequence[Facts]) -> Level:
    """Of a usual picture."""
    return median_low(one.mean for one in facts), median_low(one.deviation for one in facts)


def learned_range(facts: Sequence[Facts], samples: Samples, bits: int | None) -> tuple[float, float, str]:
    """Black, white, and what is doubtful about them; pictures of another depth than most are refused by name."""
    level = usual_level(facts)
    _, usual_white = _value_range([one for one in facts if _is_alike(one, level)] or facts, samples)
    odd = {one.picture.path: f"like the others, but of values up to {one.high:g}"
           for one in facts if other_white(one, level, usual_white)}  # fmt: skip
    refuse_odd(odd, len(facts))
    low, high = _value_range(facts, samples)
    peak = max(one.high for one in facts)
    declared = {one.picture.bits for one in facts}
    told = bits or (max(one or 0 for one in declared) if None not in declared else None)
    if samples != "word" or low < 0 or high > WHITES[-1]:
        return low, high, ""
    if told and peak < 1 << told:
        return 0.0, float((1 << told) - 1), ""
    if bits:
        brightest = max(facts, key=lambda one: one.high).picture.path
        raise FlawsightError(f"--bits {bits} holds values up to {(1 << bits) - 1}, but {brightest} has {peak:g}")
    is_dark = peak < _DARK * high and high < WHITES[-1]
    doubt = (
        f"no value of the good pictures is above {peak:g}, so that they are read as {nominal_bits(high)} bits in 16: "
        "if the camera gives more, say how many with --bits"
    )
    return low, high, doubt if is_dark else ""


def other_white(one: Facts, level: Level, white: float) -> float | None:
    """The white by which this picture would look like the others, if it is another than theirs and fits its values."""
    for other in WHITES:
        factor = white / other
        holds = one.high <= other and (other < white or one.high > white)
        if other != white and holds and _is_alike(one, level, factor):
            return other
    return None


def _is_alike(one: Facts, level: Level, factor: float = 1.0) -> bool:
    """Whether mean and deviation, times the factor, are near those of a usual picture."""
    pairs = zip((one.mean, one.deviation), level, strict=True)
    return all(_ALIKE[0] < factor * own / max(usual, 1e-12) < _ALIKE[1] for own, usual in pairs)


def _value_range(facts: Sequence[Facts], samples: Samples) -> tuple[float, float]:
    """Black and white: of a usual depth where that fits, else what occurs and a margin."""
    low, high = min(one.low for one in facts), max(one.high for one in facts)
    bits = nominal_bits(high)
    if samples == "word" and low >= 0 and bits:
        return 0.0, float((1 << bits) - 1)
    # Floating point that was made from whole numbers keeps their white.
    usual = next((white for white in WHITES if white / 2 < high <= _ROUNDED * white), None)
    if low >= 0 and usual:
        return 0.0, usual
    margin = _MARGIN * (high - low) or 1.0
    return low - margin, high + margin
