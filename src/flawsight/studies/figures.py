"""Figures as SVG in the style of the reports, each a file that stands alone."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

from flawsight.report.charts import LEFT, RIGHT, WIDTH, axis_text, axis_ticks, block_colours, svg
from flawsight.report.plain_language import number

TOP, HEIGHT, BELOW, LEGEND = 46, 220, 64, 20
STYLE = """
svg { --page: #fff; --ink: #1a2027; --soft: #56616d; --line: #d9dfe5; background: var(--page);
  font: 12.5px system-ui, sans-serif; }
@media (prefers-color-scheme: dark) { svg { --page: #14181c; --ink: #e8ecf0; --soft: #a3aeb9; --line: #333c45; } }
text { fill: var(--soft); } .strong { fill: var(--ink); font-weight: 600; }
.grid { stroke: var(--line); } .axis { stroke: var(--soft); } .bar { stroke: var(--ink); stroke-width: 1.5; }
"""
Point = tuple[float, float, float, str]
"""Where it lies, its height, the standard deviation (NaN for none), and what it is."""


def standalone(drawing: str) -> str:
    """A chart of a report as a file of its own, with its colours."""
    head, _, rest = drawing.partition(">")
    return head.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ') + f"><style>{STYLE}</style>{rest}\n"


def scatter(
    panels: Mapping[str, Mapping[str, Sequence[Point]]], across: str, up: str, label: str, joined: bool = False
) -> str:
    """A panel below the other for each title, with series of points by name: height in percent over `across`.

    `joined`: a line leads from point to point of a series.

    >>> points = {"resnet18": [(0.1, 0.91, 0.02, "layer1"), (0.6, 0.97, 0.01, "layer3")]}
    >>> scatter({"patchcore": points}, "relative receptive field", "P_h", "P_h of all layers").count("<circle")
    3
    """
    names = list(dict.fromkeys(name for series in panels.values() for name in series))
    colours = block_colours(names)
    parts, top = [], float(TOP)
    for title, series in panels.items():
        parts.append(_panel(title, series, colours, top, (across, up), joined))
        top += HEIGHT + BELOW
    for place, name in enumerate(names):
        x, y = LEFT + 240 * (place % 4), top - 8 + LEGEND * (place // 4)
        parts.append(f'<circle cx="{x:.0f}" cy="{y - 4:.0f}" r="5" fill="{colours[name]}"/>')
        parts.append(axis_text(x + 12, y, name, "start"))
    return svg(top + LEGEND * (1 + (len(names) - 1) // 4), label, parts)


def _panel(
    title: str,
    series: Mapping[str, Sequence[Point]],
    colours: Mapping[str, str],
    top: float,
    axes: tuple[str, str],
    joined: bool,
) -> str:
    points = [point for one in series.values() for point in one if math.isfinite(point[1])]
    low = math.floor(10 * min((y for _, y, _, _ in points), default=0.0)) / 10
    left, right = min((x for x, *_ in points), default=0.0), max((x for x, *_ in points), default=1.0)
    room = 0.03 * (right - left) or 0.5

    def x_of(value: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (value - left + room) / (right - left + 2 * room)

    def y_of(value: float) -> float:
        return top + HEIGHT * (1 - (min(value, 1.0) - low) / (1 - low or 1))

    base = top + HEIGHT
    parts = [axis_text(LEFT, top - 14, f"{title}: {axes[1]}, %" if title else f"{axes[1]}, %", "start", "strong")]
    for tick in axis_ticks(low, 1 if low < 1 else low + 0.1):
        y = y_of(tick)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(axis_text(LEFT - 8, y + 4, f"{100 * tick:.0f}", "end"))
    parts.append(f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{base}" y2="{base}"/>')
    for tick in axis_ticks(left - room, right + room):
        parts.append(axis_text(x_of(tick), base + 18, number(tick)))
    parts.append(axis_text((LEFT + WIDTH - RIGHT) / 2, base + 36, axes[0]))
    for name, some in series.items():
        if joined:
            corners = " ".join(f"{x_of(x):.1f},{y_of(y):.1f}" for x, y, *_ in sorted(some) if math.isfinite(y))
            parts.append(f'<polyline points="{corners}" fill="none" stroke="{colours[name]}" stroke-width="1.5"/>')
        for x, y, deviation, hint in some:
            if math.isfinite(y):
                said = f"<title>{escape(f'{name}, {hint}: {100 * y:.1f}')}</title>"
                spread = 0.0 if math.isnan(deviation) else deviation
                if spread:
                    ends = f'y1="{y_of(max(low, y - spread)):.1f}" y2="{y_of(y + spread):.1f}"'
                    line = (
                        f'x1="{x_of(x):.1f}" x2="{x_of(x):.1f}" {ends} stroke="{colours[name]}" stroke-opacity="0.35"'
                    )
                    parts.append(f"<line {line}/>")
                place = f'cx="{x_of(x):.1f}" cy="{y_of(y):.1f}" r="3.4" fill="{colours[name]}"'
                parts.append(f"<circle {place}>{said}</circle>")
    return "".join(parts)


def bars(panels: Mapping[str, Sequence[tuple[str, float, float]]], up: str, label: str) -> str:
    """A panel below the other for each title, with (name, mean, standard deviation) as bars with whiskers, in percent.

    >>> bars({"by block": [("layer1", 0.9, 0.05), ("layer2", 0.95, 0.01)]}, "P_h", "P_h by block").count("<rect")
    2
    """
    parts, top = [], float(TOP)
    for title, some in panels.items():
        parts.append(_bars(title, some, top, up))
        top += HEIGHT + BELOW
    return svg(top, label, parts)


def _bars(title: str, some: Sequence[tuple[str, float, float]], top: float, up: str) -> str:
    known = [(name, mean, 0.0 if math.isnan(spread) else spread) for name, mean, spread in some if math.isfinite(mean)]
    base, step = top + HEIGHT, (WIDTH - LEFT - RIGHT) / max(1, len(known))
    colours = block_colours([name for name, _, _ in known])

    def y_of(value: float) -> float:
        return top + HEIGHT * (1 - min(max(value, 0.0), 1.0))

    parts = [axis_text(LEFT, top - 14, f"{title}: {up}, %", "start", "strong")]
    for tick in axis_ticks(0, 1):
        y = y_of(tick)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(axis_text(LEFT - 8, y + 4, f"{100 * tick:.0f}", "end"))
    for place, (name, mean, spread) in enumerate(known):
        left, middle = LEFT + (place + 0.2) * step, LEFT + (place + 0.5) * step
        size = f'width="{0.6 * step:.1f}" height="{max(0.0, base - y_of(mean)):.1f}"'
        hint = f"<title>{escape(name)}: {100 * mean:.1f} ± {100 * spread:.1f}</title>"
        parts.append(f'<rect x="{left:.1f}" y="{y_of(mean):.1f}" {size} fill="{colours[name]}">{hint}</rect>')
        ends = f'y1="{y_of(mean - spread):.1f}" y2="{y_of(mean + spread):.1f}"'
        parts.append(f'<line class="bar" x1="{middle:.1f}" x2="{middle:.1f}" {ends}/>')
        parts.append(axis_text(middle, base + 18, name if len(name) <= 12 else name.rpartition(".")[2]))
    parts.append(f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{base}" y2="{base}"/>')
    return "".join(parts)
