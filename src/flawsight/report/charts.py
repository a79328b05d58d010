"""Charts as SVG text that takes its colours from the page, so that they follow light mode, dark mode and print."""

import math
from collections.abc import Sequence
from html import escape
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from flawsight.report.inputs import LayerScore
from flawsight.report.plain_language import kind_name, number, percent

WIDTH, LEFT, RIGHT = 960, 44, 14
PANEL, GAP = 150, 40  # height of a panel's plot, and the room above it for its title

# Blocks in network order walk through these hues; all of them stand out on white and on near-black.
HUES = ("#4472d6", "#1787b8", "#12917a", "#4f9a2e", "#a88a00", "#d9731f", "#d64550", "#b350a8", "#7d63cf")


def block_colours(blocks: Sequence[str]) -> dict[str, str]:
    """Return one CSS colour per block; blocks are in network order."""
    anchors = np.array([[int(hue[place : place + 2], 16) for place in (1, 3, 5)] for hue in HUES])
    places = np.linspace(0, len(HUES) - 1, len(blocks)) if len(blocks) > len(HUES) else np.arange(len(blocks))
    channels = [np.interp(places, range(len(HUES)), anchors[:, channel]) for channel in range(3)]
    return {
        block: f"#{round(red):02x}{round(green):02x}{round(blue):02x}"
        for block, red, green, blue in zip(blocks, *channels, strict=True)
    }


def layer_chart(scores: Sequence[LayerScore], winners: dict[str, int]) -> str:
    """Return P_h over layers in network order, one panel per kind of defect; winners maps a layer to its number.

    Where a layer was measured twice, only its full measurement is drawn.
    """
    best = {(score.defects, score.layer): score for score in sorted(scores, key=lambda score: score.stage == "full")}
    drawn = sorted((score for score in best.values() if math.isfinite(score.p_h)), key=lambda score: score.order)
    kinds = list(dict.fromkeys(score.defects for score in scores))
    layers = list({score.layer: score for score in drawn}.values())
    step = (WIDTH - LEFT - RIGHT) / max(1, len(layers))
    centres = {score.layer: LEFT + (place + 0.5) * step for place, score in enumerate(layers)}
    bottom = math.floor(10 * min((score.p_h for score in drawn), default=0)) / 10
    # Blocks alternate shaded and plain behind all panels, so that colour is not the only sign.
    bands, labels = _blocks(layers, step, height=len(kinds) * (PANEL + GAP))
    colours = block_colours(list(dict.fromkeys(score.block for score in layers)))
    panels = [
        _panel(
            [score for score in drawn if score.defects == kind],
            kind=kind,
            top=top,
            bottom=min(bottom, 0.9),
            centres=centres,
            colours=colours,
            winners=winners,
        )
        for kind, top in zip(kinds, _tops(len(kinds)), strict=True)
    ]
    return svg(len(kinds) * (PANEL + GAP) + 96, "P_h of every layer, in network order", [bands, *panels, labels])


def histogram(scores: NDArray[np.floating], threshold: float) -> str:
    """Return how many good images (n,) got which score, and where parts start to be stopped."""
    low, high = min(float(scores.min()), threshold), max(float(scores.max()), threshold)
    bins = int(np.clip(math.ceil(2 * len(scores) ** (1 / 3)) + 4, 8, 40))
    width = (high - low) / bins or max(abs(threshold), 1.0) / 100
    # Bins end at the threshold, included: a bar lies wholly on one side of it.
    places, counts = np.unique(np.ceil((scores - threshold) / width).astype(int), return_counts=True)
    first, last = min(int(places.min()), -1) - 1, max(int(places.max()) + 1, bins // 7 + 1)  # room for the labels
    unit = (WIDTH - LEFT - RIGHT) / (last - first)
    base, height = 236, 170
    line = LEFT - first * unit
    bars = [
        f'<rect class="{"stopped" if place > 0 else "passed"}" x="{line + (place - 1) * unit + 1:.1f}" '
        f'y="{base - height * count / counts.max():.1f}" width="{max(1, unit - 2):.1f}" '
        f'height="{height * count / counts.max():.1f}"><title>{count} good pictures</title></rect>'
        for place, count in zip(places.tolist(), counts.tolist(), strict=True)
    ]
    stopped = int((scores > threshold).sum())
    marks = [
        f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{base}" y2="{base}"/>',
        f'<line class="cut" x1="{line:.1f}" x2="{line:.1f}" y1="30" y2="{base + 6}"/>',
        axis_text(line - 10, 44, f"{len(scores) - stopped:,} passed ◂", "end", "strong"),
        axis_text(line + 10, 44, f"▸ {stopped:,} stopped", "start", "strong"),
        axis_text(
            line, 20, f"operating point {number(threshold)}", "middle" if LEFT + 80 < line < WIDTH - 90 else "end"
        ),
        *(
            axis_text(line + (tick - threshold) / width * unit, base + 20, number(tick))
            for tick in axis_ticks(threshold + first * width, threshold + last * width)
        ),
        axis_text((LEFT + WIDTH - RIGHT) / 2, base + 42, "anomaly score of a good picture (higher: stranger)"),
        *(
            axis_text(LEFT - 8, base + 4 - height * count / counts.max(), str(count), "end")
            for count in (0, int(counts.max()))
        ),
    ]
    return svg(base + 54, "Histogram of the good pictures' scores with the operating point", [*bars, *marks])


def _tops(panels: int) -> list[int]:
    return [panel * (PANEL + GAP) + GAP for panel in range(panels)]


def _panel(
    scores: Sequence[LayerScore],
    *,
    kind: str,
    top: int,
    bottom: float,
    centres: dict[str, float],
    colours: dict[str, str],
    winners: dict[str, int],
) -> str:
    def height(value: float) -> float:
        return top + PANEL * (1 - (value - bottom) / (1 - bottom))

    name = kind_name(kind)
    parts = [axis_text(LEFT, top - 14, name if name == kind else f"{name} ({kind})", "start", "strong")]
    for tick in axis_ticks(bottom, 1):
        parts.append(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{height(tick):.1f}" y2="{height(tick):.1f}"/>'
        )
        parts.append(axis_text(LEFT - 8, height(tick) + 4, f"{100 * tick:.0f}", "end"))
    for score in scores:
        place = f'cx="{centres[score.layer]:.1f}" cy="{height(score.p_h):.1f}"'
        hint = f"<title>{escape(score.layer)}: {percent(score.p_h)}</title>"
        style = f'fill="{colours[score.block]}"' + (' fill-opacity="0.4"' if score.stage != "full" else "")
        parts.append(f'<circle {place} r="{2.6 if len(centres) > 300 else 3.4}" {style}>{hint}</circle>')
    marked = [
        (centres[score.layer], height(score.p_h), winners[score.layer]) for score in scores if score.layer in winners
    ]
    parts += [f'<circle class="ring" cx="{x:.1f}" cy="{y:.1f}" r="7"/>' for x, y, _ in marked]
    taken = -math.inf
    for x, y, winner in marked:
        # Numbers stand above the rings, or below where a neighbour's or the panel's title is in the way.
        is_free = x - taken > 16 and y > top + 6
        parts.append(axis_text(x, y - 11 if is_free else y + 21, str(winner), "middle", "strong"))
        taken = x if is_free else taken
    return "".join(parts)


def _blocks(layers: Sequence[LayerScore], step: float, height: int) -> tuple[str, str]:
    """Return the shading behind the blocks, and their names below, kept apart where blocks are narrow."""
    colours = block_colours(list(dict.fromkeys(score.block for score in layers)))
    bands, labels, x, free = [], [], float(LEFT), 0.0
    for place, (block, group) in enumerate(groupby(layers, key=lambda score: score.block)):
        width = step * len(list(group))
        if place % 2:
            bands.append(f'<rect class="band" x="{x:.1f}" y="0" width="{width:.1f}" height="{height}"/>')
        bands.append(f'<rect x="{x:.1f}" y="{height}" width="{width:.1f}" height="5" fill="{colours[block]}"/>')
        spot = max(x + width / 2, free)
        free = spot + 19
        position = f'x="{spot:.1f}" y="{height + 18}" transform="rotate(-40 {spot:.1f} {height + 18})"'
        labels.append(f'<text {position} text-anchor="end">{escape(_short(block))}</text>')
        x += width
    labels.append(axis_text(WIDTH - RIGHT, height + 90, "deeper into the network →", "end"))
    labels.append(axis_text(LEFT, height + 90, "← the picture", "start"))
    return "".join(bands), "".join(labels)


def _short(block: str) -> str:
    """Return a block's name, or its last part where it is long: "features.denseblock1" is "denseblock1"."""
    name = block if len(block) <= 12 else block.rsplit(".", 1)[-1]
    return name if len(name) <= 14 else f"…{name[-13:]}"


def axis_ticks(low: float, high: float, count: int = 6) -> list[float]:
    """Return round numbers within [low, high], at most about `count`."""
    magnitude = 10 ** math.floor(math.log10((high - low) / count))
    step = next(magnitude * factor for factor in (1, 2, 5, 10) if magnitude * factor * count >= (high - low) * 0.999)
    return [
        round(place * step, 12) for place in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)
    ]


def axis_text(x: float, y: float, text: str, anchor: str = "middle", style: str = "") -> str:
    """Return a piece of text at a place of a chart."""
    kind = f' class="{style}"' if style else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{kind}>{escape(text)}</text>'


def svg(height: float, label: str, parts: Sequence[str]) -> str:
    """Return a chart of the usual width."""
    body = "".join(parts)
    return f'<svg viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-label="{escape(label)}">{body}</svg>'
