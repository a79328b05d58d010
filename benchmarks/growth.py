"""How time and memory of the search grow with images, layers and image size."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from benchmarks._inputs import textures
from benchmarks._measure import OURS_OVER_PEER, Row, Run, exponent, in_child
from flawsight.detectors import PatchCore
from flawsight.features import Extractor
from flawsight.selection import LayerSelection

LINEAR = "linear growth"


@dataclass(frozen=True)
class Point:
    """One search."""

    images: int
    layers: int
    side: int


@dataclass(frozen=True)
class Axis:
    """What varies, what it is measured in, and what stays."""

    name: str
    values: tuple[int, ...]
    start: Point
    target: str = ""

    def point(self, value: int) -> Point:
        return replace(self.start, **{self.name: value})

    def size(self, value: int) -> int:
        """Image size grows by its number of pixels."""
        return value * value if self.name == "side" else value


def axes(run: Run) -> list[Axis]:
    start = run.size(Point(images=40, layers=12, side=256), Point(images=10, layers=3, side=96))
    return [
        Axis("images", run.size((20, 40, 80, 160, 320), (10, 20)), start, "<= 1.1"),
        Axis("layers", run.size((6, 12, 24, 48, 96), (3, 6, 12)), start, "<= 1.1"),
        Axis("side", run.size((128, 192, 256, 384), (64, 96)), start),
    ]


def run(run: Run) -> Iterator[Row]:
    """A row for each size, against the smallest of its axis; then the exponents, against linear growth."""
    for axis in axes(run):
        points: list[Row] = []
        smallest = f"the same search, {axis.name} {axis.values[0]}"
        for value in axis.values:
            what = f"{axis.name} {value}: time"
            row = run.found("growth", what, smallest)
            if row is None:
                found = in_child(search, **vars(axis.point(value)), seed=run.seed)
                first = points[0].ours if points else found["seconds"]
                note = f"peak memory {found['peak_mib']:.0f} MiB"
                settings = {**vars(axis.point(value)), "data": "synthetic textures"}
                figures = (found["seconds"], first)
                row = run.row(
                    "growth", what, figures, "s", smallest, OURS_OVER_PEER, note=note, settings=settings, details=found
                )
            points.append(row)
            yield row
        yield from exponents(run, axis, points)


def exponents(run: Run, axis: Axis, points: list[Row]) -> Iterator[Row]:
    """Slopes of log figure on log size by least squares: of seconds, of peak memory, and of peak above the smallest.

    Nothing is subtracted but in the last, which takes the smallest size and its peak from both, and leaves out sizes
    that peak no higher; with fewer than two left there is nothing to fit, and no such row.
    """
    sizes = [float(axis.size(value)) for value in axis.values]
    by = "number of pixels" if axis.name == "side" else f"number of {axis.name}"
    seconds = [row.ours for row in points]
    peaks = [row.details["peak_mib"] for row in points]
    above = [(size - sizes[0], peak - peaks[0]) for size, peak in zip(sizes, peaks, strict=True) if peak > peaks[0]]
    found = {
        "time": (exponent(sizes, seconds), f"log seconds on log {by}, {len(sizes)} sizes"),
        "peak memory": (exponent(sizes, peaks), f"log MiB of the whole process on log {by}, {len(sizes)} sizes"),
    }
    if len(above) > 1:
        note = f"log (MiB - {peaks[0]:.0f}) on log ({by} - {sizes[0]:.0f}), {len(above)} sizes"
        found["peak memory above the smallest"] = exponent(*map(list, zip(*above, strict=True))), note
    for figure, (slope, note) in found.items():
        yield run.row(
            "growth",
            f"{axis.name}: exponent of {figure}",
            (slope, 1.0),
            "",
            LINEAR,
            OURS_OVER_PEER,
            target=axis.target if figure == "time" else "",
            note=note,
            settings={"sizes": list(axis.values), "others": vars(axis.start)},
            details={"seconds": seconds, "peak_mib": peaks},
        )


def search(images: int, layers: int, side: int, seed: int) -> dict[str, Any]:
    """Seconds of an exhaustive search, with all that it does, but without building the network or the images."""
    extractor = Extractor(image_size=side, device="cpu")
    names = evenly([layer.name for layer in extractor.layers if not layer.same_as], layers)
    pictures = textures(images, side, seed)
    detector = PatchCore(seed=seed)
    selection = LayerSelection(detector, ",".join(names), defects="nsa", search="exhaustive", seed=seed)
    start = time.perf_counter()
    selection.fit(extractor, pictures)
    return {"seconds": time.perf_counter() - start, "layers": names}


def evenly(names: list[str], count: int) -> list[str]:
    """So many names from the middles of equal parts, so that the mix of depths stays the same."""
    if count > len(names):
        raise ValueError(f"the network has {len(names)} layers, not {count}")
    return [names[index] for index in ((np.arange(count) + 0.5) * len(names) / count).astype(int)]
