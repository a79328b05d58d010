"""Paper B's figures: what single layers are worth over their receptive fields, how often each is best, the ladder."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

import pandas as pd

from flawsight.report.charts import RIGHT, WIDTH, axis_text, axis_ticks, block_colours, svg
from flawsight.studies.figures import Point, scatter
from flawsight.studies.papers.a.tables import TITLES
from flawsight.studies.papers.b.ladder import ORACLES, OURS, levels_of
from flawsight.studies.papers.b.lines import FOUND, by_layer
from flawsight.studies.papers.b.tables import times_best
from flawsight.studies.tables import NOT_ALL

ACROSS = "relative receptive field"
NAMES, VALUE, BETWEEN, ROW = 236.0, 56.0, 24.0, 24.0
"""Widths in the ladder's chart, for the names and the values, and between its halves; the height of a bar's row."""
SORTS = ("oracle: knows the real defects", "has seen no defect", "the method's original configuration")


def over_fields(frame: pd.DataFrame) -> str:
    """AU-ROC and AU-PRO of each layer, means over the categories, over its relative receptive field."""
    panels: dict[str, dict[str, list[Point]]] = {}
    for _, one in by_layer(frame).iterrows():
        for figure in FOUND:
            series = panels.setdefault(f"{TITLES[figure]}, {one['method']}", {}).setdefault(str(one["network"]), [])
            series.append(
                (float(one["rrf"]), float(one[figure]), float(one[f"{figure}_deviation"]), str(one["layers"]))
            )
    by_figure = sorted(panels, key=lambda title: [TITLES[figure] for figure in FOUND].index(title.partition(",")[0]))
    label = "AU-ROC and AU-PRO of single layers over their receptive fields"
    return scatter(
        {title: panels[title] for title in by_figure}, ACROSS, "mean over the categories", label, joined=True
    )


def best_layers(frame: pd.DataFrame) -> str:
    """Of how many categories each layer is the best, over its relative receptive field."""
    panels: dict[str, dict[str, list[Point]]] = {}
    for _, one in times_best(frame).iterrows():
        title = f"{TITLES[str(one['figure'])]}, {one['method']}"
        point = (float(one["rrf"]), float(one["share"]), math.nan, str(one["layers"]))
        panels.setdefault(title, {}).setdefault(str(one["network"]), []).append(point)
    label = "How often each layer is the best, over its receptive field"
    return scatter(panels, ACROSS, "categories of which the layer is the best", label, joined=True)


def ladder_chart(frame: pd.DataFrame) -> str:
    """Figure 6: bars of every level for each method, AU-ROC on the left and AU-PRO on the right."""
    halves: dict[str, dict[str, list[tuple[str, float, float]]]] = {}
    for method, figure, levels in levels_of(frame):
        halves.setdefault(method, {})[figure] = levels
    width = (WIDTH - NAMES - RIGHT - BETWEEN) / 2
    colours = block_colours(SORTS)
    parts, top = [], 40.0
    for method, figures in halves.items():
        names = [level for level, *_ in figures[FOUND[0]]]
        parts.append(axis_text(8, top - 16, method, "start", "strong"))
        for place, name in enumerate(names):
            parts.append(axis_text(NAMES - 8, top + ROW * (place + 0.5) + 4, name, "end"))
        for half, figure in enumerate(FOUND):
            left = NAMES + half * (width + BETWEEN)
            parts.append(axis_text(left, top - 16, f"{TITLES[figure]}, %", "start", "strong"))
            parts.append(_half(figures[figure], (left, top, width - VALUE), colours))
        top += ROW * len(names) + 70
    for place, (sort, colour) in enumerate(colours.items()):
        x = 20 + 300 * place
        parts.append(f'<circle cx="{x}" cy="{top - 20:.0f}" r="5" fill="{colour}"/>')
        parts.append(axis_text(x + 12, top - 16, sort, "start"))
    return svg(top, "What it is worth to know the network, the layer and the image size", parts)


def _half(
    levels: Sequence[tuple[str, float, float]], place: tuple[float, float, float], colours: dict[str, str]
) -> str:
    left, top, width = place
    bottom = top + ROW * len(levels)
    ends = [mean - (0.0 if math.isnan(spread) else spread) for _, mean, spread in levels if math.isfinite(mean)]
    low = min(max(0.0, math.floor(10 * min(ends, default=0.0)) / 10), 0.9)

    def x_of(value: float) -> float:
        return left + width * (min(max(value, low), 1.0) - low) / (1 - low)

    parts = []
    for tick in axis_ticks(low, 1, 5):
        x = x_of(tick)
        parts.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{bottom}"/>')
        parts.append(axis_text(x, bottom + 16, f"{100 * tick:.0f}"))
    for row, (level, mean, spread) in enumerate(levels):
        if not math.isfinite(mean):
            parts.append(axis_text(left + 6, top + ROW * (row + 0.5) + 4, "–", "start"))
            continue
        y, end, edge = top + ROW * row, x_of(mean), x_of(mean)
        hint = f"<title>{escape(level)}: {100 * mean:.1f}</title>"
        size = f'width="{max(0.0, end - left):.1f}" height="{ROW - 8}"'
        parts.append(f'<rect x="{left}" y="{y + 4:.1f}" {size} fill="{colours[_sort_of(level)]}">{hint}</rect>')
        if math.isfinite(spread) and spread:
            edge = x_of(mean + spread)
            middle = f'y1="{y + ROW / 2:.1f}" y2="{y + ROW / 2:.1f}"'
            parts.append(f'<line class="bar" x1="{x_of(mean - spread):.1f}" x2="{edge:.1f}" {middle}/>')
        parts.append(axis_text(max(end, edge) + 6, y + ROW / 2 + 4, f"{100 * mean:.1f}", "start"))
    parts.append(f'<line class="axis" x1="{left}" x2="{left}" y1="{top}" y2="{bottom}"/>')
    return "".join(parts)


def _sort_of(level: str) -> str:
    level = level.removesuffix(f" {NOT_ALL}")
    return SORTS[0 if level in ORACLES else 1 if level.partition(", ")[0] in OURS else 2]
