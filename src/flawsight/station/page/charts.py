"""Charts as SVG, in the colours of the page's style sheet."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from flawsight.station.history import Record
from flawsight.station.page.facts.bins import BINS, Bins

WIDTH, HEIGHT = 440, 84


def trend(records: Sequence[Record], threshold: float, label: str) -> str:
    """Scores in order of time, with the threshold as a line; a square is what was stopped."""
    scores = [record.score for record in records if record.score is not None]
    stopped = [record.verdict == "defective" for record in records if record.score is not None]
    # What lies far above says no more than that it does: the threshold must stay in sight.
    low = min([*scores, threshold])
    high = min(max([*scores, threshold]), threshold + 2 * (threshold - low))
    span = (high - low) or 1.0
    xs = np.linspace(6, WIDTH - 6, max(2, len(scores)))
    ys = [HEIGHT - 6 - (HEIGHT - 14) * (min(score, high) - low) / span for score in scores]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(xs, ys, strict=False))
    marks = "".join(
        f'<rect class="stopped" x="{x - 3:.1f}" y="{y - 3:.1f}" width="6" height="6"/>'
        if is_stopped
        else f'<circle class="passed" cx="{x:.1f}" cy="{y:.1f}" r="1.7"/>'
        for x, y, is_stopped in zip(xs, ys, stopped, strict=False)
    )
    cut = HEIGHT - 6 - (HEIGHT - 14) * (threshold - low) / span
    return (
        f'<svg class="trend" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">'
        f'<polyline class="line" points="{line}"/>{marks}'
        f'<line class="cut" x1="0" x2="{WIDTH}" y1="{cut:.1f}" y2="{cut:.1f}"/></svg>'
    )


def histogram(bins: Bins, label: str) -> str:
    """The week's pictures above the axis and the good ones of the fit below it, drawn for both sides of the cut.

    Heights are square roots of counts: one picture stays visible beside ten thousand.
    """
    bars = "".join(
        _bar(number, 100, -94 * value, "week") + _bar(number, 100, 38 * other, "good")
        for number, (value, other) in enumerate(zip(_heights(bins.week), _heights(bins.good), strict=True))
    )
    shape = f'<svg viewBox="0 0 {BINS * 10} 140" preserveAspectRatio="none" aria-hidden="true">{{}}</svg>'
    axis = f'<line class="axis" x1="0" x2="{BINS * 10}" y1="100" y2="100"/>'
    drawn = shape.format(bars + axis)
    halves = "".join(f'<div class="{side}">{drawn}</div>' for side in ("below", "above"))
    return f'<div class="bars" role="img" aria-label="{label}">{halves}</div>'


def _heights(counts: np.ndarray) -> np.ndarray:
    return np.sqrt(counts / max(1, counts.max()))


def _bar(number: int, base: float, height: float, kind: str) -> str:
    if not height:
        return ""
    # At least one unit, or a single picture beside very many would vanish.
    height = height if abs(height) > 1.5 else np.copysign(1.5, height)
    top = base + min(0.0, height)
    return f'<rect class="{kind}" x="{number * 10 + 1}" y="{top:.1f}" width="8" height="{abs(height):.1f}"/>'
