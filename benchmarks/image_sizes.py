"""Is the input that is chosen by itself better than a square of 256? P_h on real test pictures, fit time and latency.

    python -m benchmarks image_sizes --data DATA --out image_sizes.jsonl

Every product, seed and arm is a unit in a process of its own, whose figures are one line of --out: run it again to go
on. All arms learn from the same at most --most-good pictures of a seed and are tested on all test pictures, maps at
their own size; no graph is exported. A picture's latency, in torch, and one pass of a 256 x 256 square through the
default network are timed in turn.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

import flawsight as fs
from benchmarks._inputs import good_paths
from benchmarks._measure import alternate, in_child, machine, versions
from flawsight.data import Dataset, open_dataset, read_image
from flawsight.features import Extractor
from flawsight.inspection import Inspector

PRODUCTS = (
    "kolektorsdd_tiles",
    "magnetic_tile",
    "cookie",
    "paper_pa_bft01_tl",
    "paper_pa_btn01_rl",
    "paper_pa_fvn01_tl",
    "paper_pa_gla01_tl",
)
ARMS: dict[str, dict[str, Any]] = {
    "squash": {"view": "squash", "image_size": 256},
    "auto": {"view": "auto", "image_size": "auto"},
    "whole": {"view": "whole", "image_size": 256},
    "tiles": {"view": "tiles", "image_size": 256},
}
SMALL = {"layers": "blocks.2.*.add", "defects": "simple", "fuse": 1, "export": "none"}
FIGURES = ("auroc", "aupro_0.30", "p_h", "detection_rate", "false_alarm_rate")


class Units:
    """Finished units and what was found, one JSON line each, kept as soon as they are finished."""

    def __init__(self, path: Path | None) -> None:
        self.path, self.found = path, dict[str, dict]()
        for line in path.read_text(encoding="utf-8").splitlines() if path is not None and path.exists() else ():
            try:
                row = json.loads(line)
            except ValueError:  # the run was killed while it wrote
                continue
            self.found[self.key(row["unit"])] = row["found"]

    @staticmethod
    def key(unit: dict) -> str:
        return json.dumps(unit, sort_keys=True)

    def get(self, unit: dict, measure: Callable[[], dict]) -> dict | None:
        """What an earlier run found, else what `measure` finds, with where it was measured; None where that fails."""
        if self.key(unit) not in self.found:
            try:
                found = {**measure(), "machine": machine(), "versions": versions()}
            except RuntimeError as error:  # a process of its own ended badly: told, not kept, and tried again next time
                print(f"FAILED {unit}: {str(error).strip().splitlines()[-1]}", flush=True)
                return None
            self.found[self.key(unit)] = found
            if self.path is not None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                with self.path.open("a", encoding="utf-8") as file:  # a cut line before it stays a line of its own
                    file.write("\n" + json.dumps({"unit": unit, "found": found}))
        return self.found[self.key(unit)]


def measured(
    folder: str, seed: int, options: dict[str, Any], most_good: int, most_test: int | None, repeat: int
) -> dict[str, Any]:
    """A fit and its figures on the test set, in this process."""
    dataset, paths = open_dataset(folder), good_paths(Path(folder), most_good, seed)
    start = time.perf_counter()
    inspector = fs.fit(paths, seed=seed, device="cpu", **options)
    seconds = time.perf_counter() - start
    samples = [sample for sample in dataset.select(split="test") if sample.label is not None]
    drawn = np.sort(np.random.default_rng(0).permutation(len(samples))[:most_test])
    samples = [samples[at] for at in drawn]
    figures = fs.evaluate(inspector, Dataset(samples, dataset.root, dataset.layout), warn=str)
    return {
        **{name: figures[name] for name in FIGURES},
        "good": len(paths),
        "test": len(samples),
        "fit_s": seconds,
        "chosen": chosen(inspector),
        **latency([read_image(sample.path) for sample in samples[:repeat]], inspector),
    }


def latency(images: Sequence[np.ndarray], inspector: Inspector) -> dict[str, float]:
    """Medians in milliseconds: of one picture, and of the network alone on one square, in turn."""
    extractor = Extractor(device="cpu")
    network = extractor.truncated(list(extractor.default_pair))
    square = torch.zeros(1, 3, 256, 256).contiguous(memory_format=torch.channels_last)
    times: dict[str, list[float]] = {"latency_ms": [], "network_ms": []}
    with torch.inference_mode():
        for image in (images[0], *images):  # the first to warm up
            calls: dict[str, Callable[[], Any]] = {
                "latency_ms": partial(inspector.inspect, image),
                "network_ms": partial(network, square),
            }
            for name, timed in alternate(calls, 1).items():
                times[name].append(1000 * timed.median)
    return {name: statistics.median(values[1:]) for name, values in times.items()}


def chosen(inspector: Inspector) -> str:
    """The input and the layers that the fit ended with."""
    manifest = inspector.manifest
    view: Any = getattr(manifest, "view", None)  # older versions have none
    given = ("kind", "tile", "overlap") if getattr(view, "kind", "squash") == "tiles" else ("kind",)
    seen = [str(getattr(view, name)) for name in given if getattr(view, name, None) is not None]
    layers = " + ".join("&".join(names) for names in manifest.layers)
    return f"{manifest.extractor.image_size}{''.join(f' {one}' for one in seen)}: {layers}"


def table(rows: Sequence[dict], arms: Sequence[str]) -> str:
    """Means over the seeds by product, and the difference of each arm from the first."""
    head = ("product", "arm", "seeds", "AU-ROC", "AU-PRO", "P_h", "difference", "fit s", "ms", "ms, 1 square", "MiB")
    lines = [f"| {' | '.join(head)} | chosen |", "|---" * (len(head) + 1) + "|"]
    differences: dict[str, list[float]] = {}
    for product in dict.fromkeys(row["product"] for row in rows):
        for arm in arms:
            own = [row for row in rows if row["product"] == product and row["arm"] == arm]
            first = {row["seed"]: row["p_h"] for row in rows if row["product"] == product and row["arm"] == arms[0]}
            if not own:
                continue
            names = ("auroc", "aupro_0.30", "p_h", "fit_s", "latency_ms", "network_ms", "peak_mib")
            mean = {name: statistics.fmean(row[name] for row in own) for name in names}
            paired = [100 * (row["p_h"] - first[row["seed"]]) for row in own if row["seed"] in first]
            differences.setdefault(arm, []).append(statistics.fmean(paired or [float("nan")]))
            quality = [f"{100 * mean[name]:.2f}" for name in names[:3]]
            seeds = " ".join(str(row["seed"]) for row in own)
            each = ", ".join(f"{value:+.2f}" for value in paired)
            cost = [f"{mean['fit_s']:.0f}", f"{mean['latency_ms']:.1f}", f"{mean['network_ms']:.1f}"]
            inputs = "; ".join(dict.fromkeys(row["chosen"].split(": ")[0] for row in own))
            cells = (product, arm, seeds, *quality, f"{differences[arm][-1]:+.2f} ({each})", *cost)
            lines.append(f"| {' | '.join(cells)} | {mean['peak_mib']:.0f} | {inputs} |")
    for arm, values in list(differences.items())[1:]:
        lines.append(f"\n{arm} less {arms[0]}: mean {statistics.fmean(values):+.2f}, worst {min(values):+.2f} (P_h, %)")
    return "\n".join(lines)


def options_text(arms: Mapping[str, dict[str, Any]], options: argparse.Namespace) -> str:
    """What each of the arms that ran was told."""
    return f"arms: { {arm: arms[arm] for arm in options.arms} }{f', quick: {SMALL}' if options.quick else ''}"


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    units, rows = Units(options.out), list[dict]()
    for product in options.products:
        for seed in options.seeds:
            for arm in options.arms:
                given = ARMS[arm] | (SMALL if options.quick else {})
                unit = {"product": product, "seed": seed, "arm": arm, "options": given, "repeat": options.repeat}
                unit |= {"most_good": options.most_good, "most_test": options.most_test}
                call = {name: value for name, value in unit.items() if name not in ("product", "arm")}
                folder = str((options.data / product).resolve())
                found = units.get(unit, partial(in_child, measured, folder=folder, **call))
                if found is None:
                    continue
                rows.append({**unit, **found})
                print(f"{product}, seed {seed}, {arm}: P_h {100 * found['p_h']:.2f}, {found['chosen']}", flush=True)
    print(
        f"\n{machine()}\n{versions()}\nat most {options.most_good} good pictures; {options.most_test or 'all'} tested"
    )
    print(options_text(ARMS, options) + "\n")
    print(table(rows, options.arms))


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks image_sizes",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, help="JSON lines of finished units; default: none are kept")
    parser.add_argument("--products", nargs="+", default=PRODUCTS)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=["squash", "auto"])
    parser.add_argument("--most-good", type=int, default=140)
    parser.add_argument("--most-test", type=int, help="default: all")
    parser.add_argument("--repeat", type=int, default=20, help="pictures whose latency is timed")
    parser.add_argument("--quick", action="store_true", help="few layers and pictures")
    options = parser.parse_args(arguments)
    if options.quick:
        options.most_good, options.most_test, options.repeat = min(options.most_good, 12), 24, 3
    return options
