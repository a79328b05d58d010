"""Are strips of 4000 x 300 by tiles as good as the same strips cut into squares? P_h of both on the same squares.

    python -m benchmarks strips --data DATA --work WORK --out strips.jsonl

For each texture one set of strips is made (about 0.3 s a strip; kept for the next run) and cut into 300 x 300
squares, the last moved to end with its strip: the same parts to learn from, the same defects and masks. Whatever an arm
inspects, it is judged on the squares: a strip's map is cut as the strip was, and the score of a square is the largest
value of its map, in all arms. "strip" figures take the largest of a strip's squares; its false alarm is one of any of
its squares at the operating point, which the arm `squares` states for squares and the others for strips.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import flawsight as fs
from benchmarks._large import CONTRASTS, SQUARE, STARTS, STRIP, Counts, strips
from benchmarks._measure import in_child, machine, versions
from benchmarks.image_sizes import SMALL, Units, chosen, options_text
from benchmarks.large_pictures import TEXTURES
from flawsight.data import learn_masks, open_dataset, read_image
from flawsight.inspection import Inspector
from flawsight.metrics import PixelTruth, auroc, harmonic_mean

ARMS: dict[str, dict[str, Any]] = {
    "squares": {"view": "squash", "image_size": 256},
    "tiles": {"view": "tiles", "image_size": 256, "tile": SQUARE},
    "native": {"view": "tiles", "image_size": 256},
    "squash": {"view": "squash", "image_size": 256},
}
"""`squares` reads the cut strips, all others the whole ones; `tiles` sees them at the scale of `squares`."""


class Unit(NamedTuple):
    """One square of a test strip."""

    strip: str
    number: int
    anomaly_map: np.ndarray
    mask: np.ndarray | None
    alarm: bool


def measured(folder: str, is_cut: bool, seed: int, options: dict[str, Any]) -> dict[str, Any]:
    """A fit, and its figures on the squares of all test strips."""
    start = time.perf_counter()
    inspector = fs.fit(Path(folder, "train", "good"), seed=seed, device="cpu", **options)
    seconds = time.perf_counter() - start
    start = time.perf_counter()
    units = sorted(inspected(inspector, folder, is_cut), key=lambda unit: (unit.strip, unit.number))
    found = {"fit_s": seconds, "inspect_s": time.perf_counter() - start, "chosen": chosen(inspector)}
    return {**found, **figures(units)}


def inspected(inspector: Inspector, folder: str, is_cut: bool) -> list[Unit]:
    samples = [sample for sample in open_dataset(folder).select(split="test") if sample.label is not None]
    truth, units = learn_masks(samples), list[Unit]()
    for sample in samples:
        image = read_image(sample.path)
        result, mask = inspector.inspect(image), truth.of(sample, image.shape[:2])
        strip, _, number = sample.path.stem.partition("_")
        starts = (0,) if is_cut else STARTS
        for index, left in enumerate(starts):
            there = np.s_[:, left : left + SQUARE]
            part = None if mask is None or not mask[there].any() else mask[there] > 0
            place = int(number) if is_cut else index
            units.append(Unit(strip, place, result.anomaly_map[there], part, result.is_defective))
    return units


def figures(units: Sequence[Unit]) -> dict[str, Any]:
    """P_h of the squares, AU-ROC of the strips, and their false alarms."""
    labels = [int(unit.mask is not None) for unit in units]
    scores = [float(unit.anomaly_map.max()) for unit in units]
    area = auroc(scores, labels)
    overlap = PixelTruth([unit.mask for unit in units]).aupro([unit.anomaly_map for unit in units])
    names = sorted({unit.strip for unit in units})
    own = [[index for index, unit in enumerate(units) if unit.strip == name] for name in names]
    bad = [max(labels[index] for index in indices) for indices in own]
    worst = [max(scores[index] for index in indices) for indices in own]
    alarms = [any(units[index].alarm for index in indices) for indices in own]
    return {
        "auroc": area,
        "aupro_0.30": overlap,
        "p_h": harmonic_mean(area, overlap),
        "strip_auroc": auroc(worst, bad),
        "strips_found": sum(alarm for alarm, label in zip(alarms, bad, strict=True) if label),
        "strips_bad": sum(bad),
        "false_alarms": sum(alarm for alarm, label in zip(alarms, bad, strict=True) if not label),
        "strips_good": len(bad) - sum(bad),
        "squares": len(units),
        "squares_bad": sum(labels),
    }


def made(options: argparse.Namespace, texture: str, counts: Counts) -> Path:
    """The folder of both data sets of these settings, made where it is not yet."""
    low, high = options.contrast
    drawn = f"strips_{texture.rpartition('/')[2]}_{'_'.join(map(str, counts))}"
    folder: Path = options.work.resolve() / f"{drawn}_contrast{low:g}-{high:g}_seed{options.seed}"
    if not (folder / "squares" / "defects.csv").exists():
        start = time.perf_counter()
        strips(options.data, folder, texture, counts, options.seed, (low, high))
        print(f"{folder.name}: {sum(counts)} strips made in {time.perf_counter() - start:.0f} s", flush=True)
    return folder


def table(rows: Sequence[dict[str, Any]]) -> str:
    head = ("texture", "arm", "AU-ROC", "AU-PRO", "P_h", "strip AU-ROC", "strips found", "false alarms")
    costs = ("fit s", "inspect s", "peak MiB", "chosen")
    lines = [f"| {' | '.join((*head, *costs))} |", "|---" * (len(head) + len(costs)) + "|"]
    for row in rows:
        quality = [f"{100 * row[name]:.1f}" for name in ("auroc", "aupro_0.30", "p_h", "strip_auroc")]
        counts = (f"{row['strips_found']} of {row['strips_bad']}", f"{row['false_alarms']} of {row['strips_good']}")
        cost = [f"{row[name]:.0f}" for name in ("fit_s", "inspect_s", "peak_mib")]
        lines.append(f"| {' | '.join((row['texture'], row['arm'], *quality, *counts, *cost, row['chosen']))} |")
    for arm in dict.fromkeys(row["arm"] for row in rows):
        squares = {row["texture"]: row["p_h"] for row in rows if row["arm"] == "squares"}
        paired = [
            100 * (row["p_h"] - squares[row["texture"]])
            for row in rows
            if row["arm"] == arm and row["texture"] in squares
        ]
        if arm != "squares" and paired:
            lines.append(
                f"\nP_h of {arm} less that of squares: {statistics.fmean(paired):+.2f}, worst {min(paired):+.2f}"
            )
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    counts = Counts(10, 2, 4) if options.quick else Counts(*options.counts)
    units, rows = Units(options.out), list[dict[str, Any]]()
    for texture in options.textures:
        folder = made(options, texture, counts)
        for arm in options.arms:
            given, is_cut = ARMS[arm] | (SMALL if options.quick else {}), arm == "squares"
            unit = {"texture": texture, "arm": arm, "options": given, "seed": options.seed, "counts": counts}
            unit["contrast"] = options.contrast
            call = {"folder": str(folder / ("squares" if is_cut else "strips")), "is_cut": is_cut}
            found = units.get(unit, partial(in_child, measured, **call, seed=options.seed, options=given))
            if found is None:
                continue
            rows.append({**unit, **found})
            print(f"{texture}, {arm}: P_h {100 * found['p_h']:.1f} of {found['squares']} squares", flush=True)
    print(f"\n{machine()}\n{versions()}\nseed {options.seed}; strips of {STRIP[1]} x {STRIP[0]}: {counts}")
    print(f"defects of {options.contrast[0]:g} to {options.contrast[1]:g} local sigmas")
    print(options_text(ARMS, options) + "\n")
    print(table(rows))


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks strips", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True, help="folder for the data sets (2 MB a strip)")
    parser.add_argument("--out", type=Path, help="JSON lines of finished units; default: none are kept")
    parser.add_argument("--textures", nargs="+", default=TEXTURES, help="CLASS or CLASS/NAME of DATA/dtd_textures")
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=["squares", "tiles", "native"])
    parser.add_argument("--counts", type=int, nargs=3, default=(16, 10, 20), metavar=("TRAIN", "GOOD", "DEFECTIVE"))
    parser.add_argument("--contrast", type=float, nargs=2, default=CONTRASTS, help="of defects, in local sigmas")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="few strips, few layers")
    return parser.parse_args(arguments)
