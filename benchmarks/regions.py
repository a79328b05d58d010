"""Are real defects hit, and how many regions are false? Regions at the operating point, counted and drawn.

    python -m benchmarks regions --data DATA --out regions.png

Fits on at most --most-good pictures of DATA/PRODUCT (default magnetic_tile), evaluates on its test pictures, and prints
how many true defects meet a region, and how many regions of each picture meet none: as `fs.evaluate` says it, and
as counted here. The PNG shows test pictures of all kinds: true masks green, regions and their boxes red.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

import flawsight as fs
from benchmarks._inputs import CATEGORY, good_paths
from benchmarks._measure import machine, versions
from flawsight.data import Dataset, Sample, learn_masks, open_dataset, read_image
from flawsight.inspection import Inspector, Result

Box = tuple[int, int, int, int]
TRUE, FOUND = (0, 200, 0), (255, 0, 0)
CELL, COLUMNS = 320, 6
SAID = ("defects", "defects_hit", "hit_rate", "false_regions_per_image")
QUICK = {"image_size": 64, "fixed_layers": "blocks.2.1.add", "export": "none"}


class Hits(NamedTuple):
    """Of one picture: for each true defect whether a region meets it, and the number of regions that meet none."""

    hit: list[bool]
    false: int


def found_in(result: Result, threshold: float) -> tuple[np.ndarray, list[Box]]:
    """Where the map is above the threshold within the result's regions, (H, W) bool, and the boxes of these."""
    boxes = [region.box for region in result.regions]
    inside = np.zeros(result.anomaly_map.shape, bool)
    for left, top, width, height in boxes:
        inside[top : top + height, left : left + width] = True
    return (result.anomaly_map > threshold) & inside, boxes


def hits(found: np.ndarray, boxes: Sequence[Box], mask: np.ndarray | None) -> Hits:
    """Which true defects (8-connected) have a pixel in common with what was found, and which boxes with none."""
    if mask is None or not mask.any():
        return Hits([], len(boxes))
    count, defects = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    met = set(np.unique(defects[found]).tolist())
    both = found & (mask > 0)
    false = sum(not both[top : top + height, left : left + width].any() for left, top, width, height in boxes)
    return Hits([number in met for number in range(1, count)], false)


def counted(inspector: Inspector, samples: Sequence[Sample]) -> dict[str, Any]:
    """What `fs.evaluate` is to say of the regions, counted here."""
    truth, threshold, found = learn_masks(samples), inspector.pixel_threshold, list[Hits]()
    for sample in samples:
        image = read_image(sample.path)
        mask = truth.of(sample, image.shape[:2])
        found.append(hits(*found_in(inspector.inspect(image), threshold), mask))
    defects, hit = sum(len(one.hit) for one in found), sum(sum(one.hit) for one in found)
    false = sum(one.false for one in found) / len(found)
    rate = hit / defects if defects else float("nan")
    return dict(zip(SAID, (defects, hit, rate, false), strict=True))


def sheet(inspector: Inspector, samples: Sequence[Sample], path: Path) -> None:
    """The contact sheet of these samples."""
    truth, threshold, cells = learn_masks(samples), inspector.pixel_threshold, list[np.ndarray]()
    for sample in samples:
        image = read_image(sample.path)
        result, mask = inspector.inspect(image), truth.of(sample, image.shape[:2])
        scale = CELL / max(image.shape[:2])
        size = tuple(max(1, round(side * scale)) for side in image.shape[1::-1])
        picture = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        found, boxes = found_in(result, threshold)
        outlined(picture, found, FOUND)
        for left, top, width, height in boxes:
            corners = [(round(x * scale), round(y * scale)) for x, y in ((left, top), (left + width, top + height))]
            cv2.rectangle(picture, corners[0], corners[1], FOUND, 1)
        if mask is not None:
            outlined(picture, mask > 0, TRUE)
        cell = np.full((CELL + 18, CELL + 4, 3), 255, np.uint8)
        cell[18 : 18 + size[1], : size[0]] = picture
        text = f"{sample.kind}: {result.verdict}, {len(boxes)} regions"
        cv2.putText(cell, text, (2, 13), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (0, 0, 0), 1, cv2.LINE_AA)
        cells.append(cell)
    cells += [np.full_like(cells[0], 255)] * (-len(cells) % COLUMNS)
    rows = [np.hstack(cells[start : start + COLUMNS]) for start in range(0, len(cells), COLUMNS)]
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), cv2.cvtColor(np.vstack(rows), cv2.COLOR_RGB2BGR))


def outlined(picture: np.ndarray, area: np.ndarray, colour: tuple[int, int, int]) -> None:
    """Draw the outline of an area of the original picture on the shrunk one."""
    small = cv2.resize(area.astype(np.uint8), picture.shape[1::-1], interpolation=cv2.INTER_NEAREST)
    outlines = cv2.findContours(small, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0]
    cv2.drawContours(picture, outlines, -1, colour, 1)


def drawn(samples: Sequence[Sample], most: int, seed: int) -> list[Sample]:
    """About so many samples, of every kind alike, in the order of kinds."""
    kinds = sorted({str(sample.kind) for sample in samples})
    found = []
    for kind in kinds:
        own = [sample for sample in samples if str(sample.kind) == kind]
        order = np.random.default_rng(seed).permutation(len(own))[: -(-most // len(kinds))]
        found += [own[at] for at in np.sort(order)]
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    folder = options.data / options.product
    dataset = open_dataset(folder)
    paths = good_paths(folder, 12 if options.quick else options.most_good, options.seed)
    chosen = {"seed": options.seed, "device": "cpu"} | (QUICK if options.quick else {})
    chosen |= {"view": options.view} if options.view else {}
    start = time.perf_counter()
    inspector = fs.fit(paths, **chosen)
    seconds = time.perf_counter() - start
    samples = [sample for sample in dataset.select(split="test") if sample.label is not None]
    if options.quick:
        samples = drawn(samples, 24, options.seed)
    figures = fs.evaluate(inspector, Dataset(samples, dataset.root, dataset.layout), warn=print)
    own = counted(inspector, samples)
    print(f"{options.product}, {len(paths)} good pictures, {len(samples)} tested, fit in {seconds:.0f} s, {chosen}")
    print(f"{machine()}, {versions()}")
    print("| figure | `fs.evaluate` | counted here |\n|---|---|---|")
    for name in SAID:
        said = figures.get(name)
        print(f"| {name} | {'not said' if said is None else f'{said:.4g}'} | {own[name]:.4g} |")
    for name in ("p_h", "detection_rate", "false_alarm_rate"):
        print(f"| {name} | {figures[name]:.4g} | |")
    sheet(inspector, drawn(samples, options.pictures, options.seed), options.out)
    print(f"drawn in {options.out}")


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks regions", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("regions.png"), help="the contact sheet")
    parser.add_argument("--product", default=CATEGORY)
    parser.add_argument("--view", help="what fit is told; default: nothing")
    parser.add_argument("--most-good", type=int, default=140)
    parser.add_argument("--pictures", type=int, default=36, help="on the sheet")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true")
    return parser.parse_args(arguments)
