"""Figures in plain words, for readers who inspect parts and not networks."""

import math
from collections.abc import Mapping
from typing import Any

from flawsight.defects import KINDS, SIZED

# Up to which stride, in pixels of the network's input: name, and what such details look like.
SCALES = (
    (6.0, "Fine texture", "grain, pinholes, hairline scratches"),
    (24.0, "Medium structures", "edges, spots, holes, dents"),
    (math.inf, "Large shapes", "outlines, missing or misplaced parts"),
)


def kind_name(kind: str) -> str:
    """Return the plain name of a kind of synthetic defect; unknown kinds keep theirs."""
    if kind in KINDS:
        return KINDS[kind].title or kind
    return SIZED[kind].title if kind in SIZED else kind


def kind_looks(kind: str) -> str:
    """Return what defects of that kind look like, in a few words."""
    known = KINDS[kind] if kind in KINDS else SIZED.get(kind)
    return known.looks if known else ""


def scale_of(stride: float) -> str:
    """Return the name of the detail size that a layer with that stride (pixels) looks at."""
    return next(name for limit, name, _ in SCALES if stride <= limit)


def frequency(rate: float) -> str:
    """Return a rate (0 to 1) as whole parts: 0.01 is "10 in 1,000"."""
    parts = 1000
    while rate * parts < 0.95 and parts < 10**7:
        parts *= 10
    return f"{max(1, round(rate * parts)):,} in {parts:,}"


SEEN_WELL = 0.85  # AU-ROC from which on a kind counts as seen well; "mostly" begins here


def grade(auroc: float) -> str:
    """Return in words how surely defects are told from good pictures; an AU-ROC of 0.5 is guessing."""
    grades = (
        (0.985, "almost always"),
        (0.94, "nearly always"),
        (SEEN_WELL, "mostly"),
        (0.7, "often"),
        (0.58, "sometimes"),
    )
    return next((word for limit, word in grades if auroc >= limit), "hardly ever")


def percent(share: float, decimals: int = 0) -> str:
    """Return a share from 0 to 1 in percent, with a decimal more where it matters (above 99 or below 1)."""
    if math.isnan(share):
        return "–"
    value = 100 * share
    is_extreme = 99 < value < 99.95 or 0 < value < 1
    return f"{value:.{max(1, decimals) if is_extreme else decimals}f} %"


def number(value: float) -> str:
    """Return a number with about four significant digits and no exponent where it can be avoided."""
    if not math.isfinite(value):
        return "–"
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:,.0f}" if abs(value) >= 1e4 else f"{value:.4g}"


def duration(seconds: float) -> str:
    """Return seconds as people say them: "0.4 s", "38 s", "4 min 05 s", "2 h 10 min"."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def flatten(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Return nested settings as rows of (dotted name, text)."""
    rows = []
    for name, value in values.items():
        path = f"{prefix}{name}"
        if isinstance(value, Mapping):
            rows += flatten(value, f"{path}.")
        else:
            rows.append((path, _text(value)))
    return rows


def _text(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return number(value)
    if isinstance(value, list | tuple):
        return ", ".join(_text(item) for item in value)
    return str(value)
