"""How well do artificial defects of known size foretell which real ones are found?

    python -m benchmarks pod DATA --out docs/studies

For each product and seed a fit on at most --most-good pictures measures its probability of detection; then real
defects of the test set are inspected (at most --most-test, drawn by the seed). Real and artificial ones are compared by
the side of a square as large as the largest connected part of the mask. Rows of OUT/pod.csv are bins of real defects
by size; it goes on where it stopped. The fit reads the ends of blocks alone (blocks.*.add), to be quick. --coverage
needs no data: how often a90/95 holds for made-up curves. --cost: processor time in a default fit of 140 pictures.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

import flawsight as fs
from benchmarks._inputs import CATEGORY, good_paths
from flawsight.bundle import PodInfo
from flawsight.data import DEFECTIVE, GOOD, Sample, learn_masks, open_dataset, read_image
from flawsight.defects import side_of
from flawsight.inspection import Inspector
from flawsight.inspection.found_by_size import compared
from flawsight.metrics import Pod, pod_curve
from flawsight.pipeline.trust.pod import ROUNDS, TRIALS, measure_pod, narrowed, sizes_to_try

PRODUCTS = ("cookie", "kolektorsdd_tiles", "magnetic_tile", "paper_pa_bft01_tl", "paper_pa_gla01_tl")
OPTIONS: dict[str, Any] = {"layers": "blocks.*.add", "max_images": 60, "export": "none", "device": "cpu"}
QUICK = {"image_size": 64, "layers": "blocks.2.1.add", "defects": "simple"}
Row = dict[str, Any]


def measured(folder: Path, seed: int, options: argparse.Namespace) -> Iterator[Row]:
    """The rows of a product and seed."""
    paths = good_paths(folder, options.most_good, seed)
    inspector = fs.fit(paths, seed=seed, **OPTIONS | (QUICK if options.quick else {}))
    pod = inspector.manifest.pod
    assert pod is not None
    samples = [sample for sample in open_dataset(folder).select(split="test") if sample.label is not None]
    sides, found = inspected(inspector, drawn(samples, DEFECTIVE, options.most_test, seed))
    alarms = stopped(inspector, drawn(samples, GOOD, options.most_test, seed))
    real, together = pod_curve(sides, found), curve(pod)
    kinds = {one.kind: curve(pod.model_copy(update={"kinds": (one,)})) for one in pod.kinds}
    about = {
        "good": len(paths),
        "false_alarms": alarms,
        **of("real", real),
        **of("artificial", together),
        **{f"{kind}_from": one.found_from for kind, one in kinds.items()},
    }
    by_kind = {kind: compared(sides, found, one) for kind, one in kinds.items()}
    for number, row in enumerate(compared(sides, found, together)):
        each = {f"expected_{kind}": rows[number]["expected"] for kind, rows in by_kind.items()}
        yield {**row, **each, **about}


def curve(pod: PodInfo) -> Pod:
    return pod_curve(*pod.together())


def of(name: str, pod: Pod) -> Row:
    return {f"{name}_outcome": pod.outcome, f"{name}_a90": pod.a90, f"{name}_a90_95": pod.a90_95}


def drawn(samples: Sequence[Sample], label: str, most: int, seed: int) -> list[Sample]:
    own = [sample for sample in samples if sample.label == label]
    return [own[at] for at in np.sort(np.random.default_rng(seed).permutation(len(own))[:most])]


def inspected(inspector: Inspector, samples: Sequence[Sample]) -> tuple[np.ndarray, np.ndarray]:
    """How large each real defect is, and whether its picture was stopped; those without a mask are left out."""
    truth, sides, found = learn_masks(samples), [], []
    for sample in samples:
        image = read_image(sample.path)
        mask = truth.of(sample, image.shape[:2])
        if mask is not None and mask.any():
            sides.append(side_of(mask))
            found.append(inspector.inspect(image).is_defective)
    return np.array(sides), np.array(found)


def stopped(inspector: Inspector, samples: Sequence[Sample]) -> float:
    return statistics.fmean(inspector.inspect(read_image(sample.path)).is_defective for sample in samples)


def table(rows: Sequence[Row]) -> str:
    """By product, over the seeds: what was found, what had been foretold, and from which sizes nine in ten are."""
    head = (
        "| product | real defects | found | foretold | off by, bin by bin | a90 real | a90 artificial | false alarms |"
    )
    lines = [head, "|---" * 8 + "|"]
    for product in dict.fromkeys(row["product"] for row in rows):
        own = [row for row in rows if row["product"] == product]
        number, found, expected = (sum(float(row[name]) for row in own) for name in ("defects", "found", "expected"))
        off = sum(abs(float(row["found"]) - float(row["expected"])) for row in own) / number
        units = list({row["seed"]: row for row in own}.values())
        sizes = [", ".join(shown(row, name) for row in units) for name in ("real", "artificial")]
        alarms = statistics.fmean(float(row["false_alarms"]) for row in units)
        lines.append(
            f"| {product} | {number:.0f} | {found / number:.0%} | {expected / number:.0%} | {off:.0%} | {sizes[0]} | "
            f"{sizes[1]} | {alarms:.1%} |"
        )
    return "\n".join(lines)


def shown(row: Row, name: str) -> str:
    a90, outcome = row[f"{name}_a90"], row[f"{name}_outcome"]
    if a90 not in ("", None):
        return f"{float(a90):.1f}"
    return "not reached" if outcome == "fitted" else str(outcome)


def coverage(repeat: int = 400) -> str:
    """How often a90/95 is no smaller than the true a90, where defects are tried as a fit tries them."""
    rng, sizes = np.random.default_rng(1), sizes_to_try(26)
    lines = ["| true a90 | slope | curves | a90/95 holds | a90/95 beyond the sizes tried |", "|---|---|---|---|---|"]
    for true, slope in ((4.0, 3.0), (8.0, 3.0), (8.0, 1.5), (13.0, 3.0), (8.0, 6.0)):
        bounds = []
        for _ in range(repeat):
            tried, found, some = list[int](), list[bool](), sizes
            for turn in range(ROUNDS):
                own = [some[at % len(some)] for at in range(turn * TRIALS, (turn + 1) * TRIALS)]
                odds = np.log(9) + slope * (np.log(own) - np.log(true))
                tried, found = tried + own, found + (rng.random(TRIALS) < 1 / (1 + np.exp(-odds))).tolist()
                some = narrowed(sizes, tried, found)
            pod = pod_curve(tried, found)
            bounds += [pod.a90_95 or np.inf] if pod.outcome == "fitted" else []
        held, beyond = np.mean(np.array(bounds) >= true), np.mean(np.isinf(bounds))
        lines.append(f"| {true:g} | {slope:g} | {len(bounds)} of {repeat} | {held:.1%} | {beyond:.0%} |")
    return "\n".join(lines)


def cost(folder: Path) -> str:
    """Processor seconds of a default fit, and of the artificial defects of known size in it."""
    stage, spent = sys.modules["flawsight.pipeline.fit"], list[float]()

    def timed(*given: Any) -> Any:
        start = time.process_time()
        found = measure_pod(*given)
        spent.append(time.process_time() - start)
        return found

    start = time.process_time()
    with patch.object(stage, "measure_pod", timed):
        fs.fit(good_paths(folder, 140, 0), device="cpu")
    return f"{spent[0]:.1f} of {time.process_time() - start:.1f} s"


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    if options.coverage:
        print(coverage())
        return
    if options.data is None:
        raise SystemExit("pod needs real pictures: give DATA")
    if options.cost:
        print(cost(options.data / CATEGORY))
        return
    path = options.out / "pod.csv"
    rows: list[Row] = []
    if path.exists() and not options.fresh:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    done = {(row["product"], int(row["seed"])) for row in rows}
    for seed in range(options.seeds):
        for product in options.products:
            if (product, seed) in done:
                continue
            rows += [
                {"product": product, "seed": seed, **row} for row in measured(options.data / product, seed, options)
            ]
            options.out.mkdir(parents=True, exist_ok=True)
            with path.open("w", encoding="utf-8", newline="") as file:
                names = list(dict.fromkeys(name for row in rows for name in row))
                writer = csv.DictWriter(file, names, lineterminator="\n")
                writer.writeheader()
                writer.writerows({name: rounded(value) for name, value in row.items()} for row in rows)
            print(f"{product}, seed {seed}", file=sys.stderr, flush=True)
    print(table(rows))


def rounded(value: Any) -> Any:
    return round(value, 4) if isinstance(value, float) else value


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks pod", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, nargs="?")
    parser.add_argument("--coverage", action="store_true")
    parser.add_argument("--cost", action="store_true")
    parser.add_argument("--out", type=Path, default=Path("docs/studies"))
    parser.add_argument("--products", nargs="+", default=list(PRODUCTS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--most-good", type=int, default=100)
    parser.add_argument("--most-test", type=int, default=100)
    parser.add_argument("--fresh", action="store_true")
    parser.add_argument("--quick", action="store_true")
    return parser.parse_args(arguments)
