"""Can I trust it? What is found of defects by their size, in charts and plain sentences."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from flawsight.core import readable, write_whole
from flawsight.defects import SIZED
from flawsight.metrics import Pod
from flawsight.report.charts import WIDTH, axis_text, svg
from flawsight.report.data_uri import data_uri
from flawsight.report.heatmap import ColourScale, outline, overlay
from flawsight.report.inputs import FoundBySize, Trust
from flawsight.report.pages import render
from flawsight.report.plain_language import percent

TOP, BASE, LEFT, GAP = 44, 232, 44, 30
LOGIT_90 = math.log(9)
DOTS = 10
"""Trials are drawn together where they are of more sizes."""


def trust_section(trust: Trust | None, scale: ColourScale) -> dict[str, Any] | None:
    """What the part of the page about trust fills in; None where nothing was measured."""
    if trust is None:
        return None
    found = trust.found
    return {
        "chart": pod_chart([(SIZED[one.kind].title, one.curve) for one in found]) if found else "",
        "lines": [
            {"name": SIZED[one.kind].title, "looks": SIZED[one.kind].looks, **_said(one, trust)} for one in found
        ],
        "examples": [_shown(one, trust, scale) for one in found if one.example is not None],
        "about": trust,
        "least": length(trust.least_seen, trust.mm_per_pixel),
    }


def _said(one: FoundBySize, trust: Trust) -> dict[str, str]:
    kind = SIZED[one.kind]
    return {"text": in_words(one.curve, kind.title.lower(), kind.measured, trust.mm_per_pixel)}


def in_words(pod: Pod, name: str, measured: str, mm_per_pixel: float | None = None) -> str:
    """A sentence or two about what is found of defects called `name`, which are so many pixels `measured`."""

    def size(pixels: float) -> str:
        return length(pixels, mm_per_pixel)

    smallest, largest, count = size(pod.sizes[0]), size(pod.sizes[-1]), sum(pod.trials)
    if pod.outcome == "all missed":
        return f"None of {count} {name} was found, not even those {largest} {measured}."
    if pod.outcome == "all found":
        return f"All {count} {name} were found, even those {smallest} {measured}."
    if pod.outcome == "no trend":
        return f"Size makes no difference here: {percent(pod.rate)} of all {name} were found, large or small."
    if pod.between is not None:
        return _where_it_begins(pod, pod.between, name, measured, size)
    if pod.a90 is None:
        rate = percent(float(pod.at(pod.sizes[-1])))
        missed, found = f"even of {name} {largest} {measured} only {rate}", f"{rate} of the {name} {largest} {measured}"
        return f"Not reached: {missed} are found." if pod.found_from is None else f"{found} were found."
    return f"9 of 10 {name} {size(pod.a90)} {measured} are found{_surely(pod, size)}.{_below(pod, size)}"


def _where_it_begins(pod: Pod, between: tuple[float, float], name: str, measured: str, size: Any) -> str:
    """Where all larger ones were found, and all smaller ones missed, but for one size at most."""
    low, high = (size(value) for value in between)
    if pod.mixed is None:
        return f"It begins between {low} and {high} {measured}: all smaller {name} were missed, all larger ones found."
    share, none = percent(pod.mixed[1]), "" if pod.mixed[0] == pod.sizes[0] else ", and none smaller"
    return f"All {name} {high} {measured} or more were found, {share} of those {size(pod.mixed[0])}{none}."


def _surely(pod: Pod, size: Any) -> str:
    """What holds with 95 % confidence."""
    if pod.a90_95 is None:
        return f"; for 95 % confidence the {sum(pod.trials)} trials do not suffice"
    return f" (with 95 % confidence: from {size(pod.a90_95)})"


def _below(pod: Pod, size: Any) -> str:
    """Where hardly any are found, if that is among the sizes that were tried."""
    assert pod.intercept is not None and pod.slope is not None
    a10 = math.exp((-LOGIT_90 - pod.intercept) / pod.slope)
    return f" Below {size(a10)} fewer than 1 in 10 are." if a10 > pod.sizes[0] else ""


def length(pixels: float, mm_per_pixel: float | None = None) -> str:
    """A length as people say it: two digits, and in mm where the scale is known."""
    text = f"{pixels:.0f} px" if pixels >= 9.95 else f"{pixels:.1f}".removesuffix(".0") + " px"
    return text if mm_per_pixel is None else f"{text} ({pixels * mm_per_pixel:.2g} mm)"


def _shown(one: FoundBySize, trust: Trust, scale: ColourScale) -> dict[str, str]:
    """A defect that was found, outlined, with its heat map."""
    assert one.example is not None
    example, kind = one.example, SIZED[one.kind]
    return {
        "name": f"A {kind.single} {length(one.example_size, trust.mm_per_pixel)} {kind.measured}",
        "picture": data_uri(example.image, 224),
        "outlined": data_uri(outline(example.image, example.mask, (0, 229, 255), width=2), 224),
        "heat": data_uri(overlay(example.image, example.anomaly_map, scale), 224),
    }


def write_found_page(path: Path, name: str, pod: Mapping[str, Any]) -> Path:
    """A page about what was found of real defects, beside what artificial ones had foretold.

    `pod` is what `evaluate` says under this name.

    >>> pod = fs.evaluate(inspector, fs.data.open_dataset(dataset))["pod"]
    >>> write_found_page(tmp / "pod.html", "Bottles", pod).name
    'pod.html'
    """
    real, artificial = Pod(**pod["real"]), pod["artificial"] and Pod(**pod["artificial"])
    panels = [("Real defects", real), *([("Artificial defects", artificial)] if artificial else [])]
    page = render(
        "found.html.jinja",
        name=readable(name),
        defects=sum(real.trials),
        found=sum(real.hits),
        real=in_words(real, "real defects", "across"),
        artificial=in_words(artificial, "artificial defects", "across") if artificial else "",
        contrast=pod["contrast"],
        chart=pod_chart(panels, "side of a square as large as the defect, in pixels of the picture"),
        rows=pod["by_size"],
    )
    return write_whole(path, page)


def pod_chart(panels: Sequence[tuple[str, Pod]], across: str = "size in pixels of the picture") -> str:
    """The probability of detection against size, a panel for each curve, all on the same axes."""
    low = min(pod.sizes[0] for _, pod in panels) / 1.15
    high = max(pod.sizes[-1] for _, pod in panels) * 1.15
    wide = (WIDTH - LEFT - GAP * len(panels)) / len(panels)
    parts = [
        _panel(title, pod, LEFT + number * (wide + GAP), min(wide, 440), (low, high), is_first=number == 0)
        for number, (title, pod) in enumerate(panels)
    ]
    parts.append(axis_text(LEFT, BASE + 42, across, "start"))
    return svg(BASE + 52, "Share of artificial defects found against their size", parts)


def _panel(title: str, pod: Pod, left: float, wide: float, bounds: tuple[float, float], *, is_first: bool) -> str:
    low, high = np.log(bounds)

    def x(size: Any) -> Any:
        return left + wide * (np.log(size) - low) / (high - low)

    def y(share: Any) -> Any:
        return BASE - (BASE - TOP) * np.asarray(share)

    parts = [axis_text(left, TOP - 18, title, "start", "strong")]
    for share in (0, 0.5, 0.9, 1):
        parts.append(
            f'<line class="grid" x1="{left:.1f}" x2="{left + wide:.1f}" y1="{y(share):.1f}" y2="{y(share):.1f}"/>'
        )
        if is_first:
            parts.append(axis_text(left - 6, float(y(share)) + (4 if share != 1 else -1), f"{share:.0%}", "end"))
    parts += [axis_text(float(x(tick)), BASE + 20, f"{tick:g}") for tick in _ticks(*bounds)]
    if pod.outcome == "fitted":
        parts.append(_curve(pod, x, y))
    parts += [
        f'<circle class="{"passed" if hits else "stopped"}" cx="{x(size):.1f}" cy="{y(hits / trials):.1f}" r="4">'
        f"<title>{escape(length(size))}: {hits} of {trials} found</title></circle>"
        for size, hits, trials in _dots(pod)
    ]
    if pod.a90 is not None:
        at = float(x(pod.a90))
        # To the right of the size the curve is above, and leaves room.
        side, anchor = (-6, "end") if at > left + wide - 90 else (6, "start")
        parts.append(f'<line class="cut" x1="{at:.1f}" x2="{at:.1f}" y1="{y(0.9):.1f}" y2="{BASE}"/>')
        parts.append(axis_text(at + side, BASE - 24, f"9 of 10: {length(pod.a90)}", anchor, "strong"))
    return "".join(parts)


def _curve(pod: Pod, x: Any, y: Any) -> str:
    """The curve within its 95 % bounds, over the sizes that were tried."""
    sizes = np.geomspace(pod.sizes[0], pod.sizes[-1], 48)
    lower, upper = pod.band(sizes)
    around = [*zip(sizes, upper, strict=True), *reversed(list(zip(sizes, lower, strict=True)))]
    shape, line = (
        " ".join(f"{x(size):.1f},{y(share):.1f}" for size, share in points)
        for points in (around, zip(sizes, pod.at(sizes), strict=True))
    )
    return f'<polygon class="sure" points="{shape}"/><polyline class="front" points="{line}"/>'


def _dots(pod: Pod) -> list[tuple[float, int, int]]:
    """Size, hits and trials; neighbouring sizes together where there are many."""
    parts = np.array_split(np.arange(len(pod.sizes)), min(DOTS, len(pod.sizes)))
    found = []
    for part in parts:
        trials = [pod.trials[at] for at in part]
        middle = float(np.exp(np.average(np.log([pod.sizes[at] for at in part]), weights=trials)))
        found.append((middle, sum(pod.hits[at] for at in part), sum(trials)))
    return found


def _ticks(low: float, high: float) -> list[float]:
    """1, 2, 5, 10, ... within the bounds."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    return [tick for power in powers for factor in (1, 2, 5) if low <= (tick := factor * 10.0**power) <= high]
