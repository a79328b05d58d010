"""How good is the choice of layers? The default fit against single layers, the fixed pair, and paper A's rule.

    python -m benchmarks.selection_study DATA --out docs/studies

For every category folder of DATA (MVTec AD layout) and every seed, all methods learn from the same at most 140 good
images and are measured on the same test images at 256 x 256. Rows are appended as they are made: run it again to go on.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from benchmarks._inputs import good_paths
from flawsight.data import Dataset, Masks, Sample, open_dataset, read_image
from flawsight.detectors import PatchCore
from flawsight.features import Extractor
from flawsight.inference import LayerSet, MemberSpec, fit_detectors, predict_raw
from flawsight.inspection import Inspector, evaluate
from flawsight.metrics import PixelTruth, auroc, harmonic_mean
from flawsight.pipeline import fit
from flawsight.scoring import upsample
from flawsight.selection import LayerSelection
from flawsight.views import resize_image

CATEGORIES = (
    "magnetic_tile",
    "kolektorsdd_tiles",
    "cookie",
    "paper_pa_bft01_tl",
    "paper_pa_gla01_tl",
    "paper_pa_fvn01_tl",
    "paper_pa_btn01_rl",
)
COLUMNS = ("category", "seed", "method", "layers", "auroc", "aupro_0.30", "p_h", "false_alarm_rate", "seconds")
SIDE = 256


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, default=Path("docs/studies"))
    parser.add_argument("--categories", nargs="*", default=CATEGORIES)
    parser.add_argument("--methods", nargs="*", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--most-good", type=int, default=140)
    parser.add_argument("--most-test", type=int, default=240)
    options = parser.parse_args()
    table = options.out / "selection.csv"
    table.parent.mkdir(parents=True, exist_ok=True)
    for seed in options.seeds:
        for category in options.categories:
            for method in options.methods:
                if (category, seed, MADE_BY[method]) in rows_done(table, "category", "seed", "method"):
                    continue
                folder = options.data / category
                paths = good_paths(folder, options.most_good, seed)
                rows = METHODS[method](paths, draw_test(open_dataset(folder), options.most_test), seed)
                append_rows(table, COLUMNS, [{"category": category, "seed": seed, **row} for row in rows])
                print(category, seed, {row["method"]: round(100 * row["p_h"], 1) for row in rows}, flush=True)
    report(table)


def searched(paths: Sequence[Path], test: Dataset, seed: int) -> list[dict]:
    """The default fit."""
    start = time.perf_counter()
    inspector = fit(paths, seed=seed)
    return [row_of("auto", inspector, test, time.perf_counter() - start)]


def official_pair(paths: Sequence[Path], test: Dataset, seed: int) -> list[dict]:
    """The fixed pair, joined as the official code joins it."""
    start = time.perf_counter()
    pair, detector = Extractor().default_pair, PatchCore(embed_dim=1024, seed=seed)
    inspector = fit(paths, seed=seed, fixed_layers=[pair], detector=detector)
    return [row_of("fixed pair, official", inspector, test, time.perf_counter() - start)]


def row_of(method: str, inspector: Inspector, test: Dataset, seconds: float) -> dict:
    figures = evaluate(inspector, test, SIDE)
    return {
        "method": method,
        "layers": chosen(inspector),
        "auroc": figures["auroc"],
        "aupro_0.30": figures["aupro_0.30"],
        "p_h": figures["p_h"],
        "false_alarm_rate": figures["false_alarm_rate"],
        "seconds": seconds,
    }


def draw_test(dataset: Dataset, most: int) -> Dataset:
    """At most so many test images, the same for every seed and method."""
    samples = list(dataset.select(split="test"))
    drawn = np.sort(np.random.default_rng(0).permutation(len(samples))[:most])
    return Dataset([samples[i] for i in drawn], dataset.root, dataset.layout)


def chosen(inspector: Inspector) -> str:
    return " ".join(
        f"{'+'.join(member.layers)}:{member.calibration.weight:.2f}" for member in inspector.manifest.members
    )


def baselines(paths: Sequence[Path], test: Sequence[Sample], seed: int) -> list[dict]:
    """Every single layer, the fixed pair, and the layer that paper A's rule picks, all by PatchCore."""
    extractor = Extractor()
    images = [resize_image(read_image(path), SIDE) for path in paths]
    names = [layer.name for layer in extractor.layers if not layer.same_as]
    sets: list[LayerSet] = [*((name,) for name in names), extractor.default_pair]
    readings = [MemberSpec(layers, PatchCore(seed=seed)) for layers in sets]
    start = time.perf_counter()
    fit_detectors(extractor, images, readings)
    fitted = time.perf_counter() - start
    pictures = [read_image(sample.path) for sample in test]
    truth = PixelTruth([small_mask(sample, picture) for sample, picture in zip(test, pictures, strict=True)])
    labels = [sample.label for sample in test]
    found_in = predict_raw(extractor, [resize_image(picture, SIDE) for picture in pictures], readings)
    measured = {layers: measure(found_in.pop(0).maps, labels, truth) for layers in sets}
    singles = {name: measured[name,] for name in names}
    best = max(singles, key=lambda name: singles[name][2])
    start = time.perf_counter()
    rule = LayerSelection(PatchCore(seed=seed), defects="nsa", search="exhaustive", fuse=1, seed=seed)
    picked = rule.fit(extractor, images).selected_[0].layer
    searched = time.perf_counter() - start
    mean = tuple(float(np.mean([values[i] for values in singles.values()])) for i in range(3))
    found = {
        "mean over single layers": ("", mean, fitted),
        "fixed pair": ("+".join(extractor.default_pair), measured[extractor.default_pair], float("nan")),
        "best single layer in hindsight": (best, singles[best], float("nan")),
        "paper A": (picked, singles[picked], searched),
    }
    return [
        {
            "method": method,
            "layers": layers,
            "auroc": values[0],
            "aupro_0.30": values[1],
            "p_h": values[2],
            "false_alarm_rate": "",
            "seconds": seconds,
        }
        for method, (layers, values, seconds) in found.items()
    ]


METHODS: dict[str, Callable[[Sequence[Path], Dataset, int], list[dict]]] = {
    "singles": baselines,
    "official": official_pair,
    "auto": searched,
}
MADE_BY = {"singles": "fixed pair", "official": "fixed pair, official", "auto": "auto"}


def small_mask(sample: Sample, picture: np.ndarray) -> np.ndarray:
    mask = Masks().of(sample, picture.shape[:2])
    assert mask is not None, f"{sample.path} has no mask"
    return cv2.resize(mask.view(np.uint8), (SIDE, SIDE), interpolation=cv2.INTER_NEAREST) > 0


def measure(
    grid_maps: np.ndarray, labels: Sequence[int | None], truth: PixelTruth, scores: np.ndarray | None = None
) -> tuple[float, float, float]:
    """AU-ROC of the scores, or else of the maps' maxima, AU-PRO, and their harmonic mean."""
    maps = np.stack([upsample(one, SIDE) for one in grid_maps])
    image, pixel = auroc(maps.max(axis=(1, 2)) if scores is None else scores, labels), truth.aupro(maps)
    return image, pixel, harmonic_mean(image, pixel)


def rows_done(table: Path, *columns: str) -> set[tuple]:
    """The values of these columns in every row that a study has made before."""
    if not table.exists():
        return set()
    return set(pd.read_csv(table)[list(columns)].itertuples(index=False, name=None))


def append_rows(table: Path, columns: Sequence[str], rows: list[dict]) -> None:
    new = not table.exists()
    with table.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns)
        if new:
            writer.writeheader()
        writer.writerows(rows)


def report(table: Path) -> None:
    """Print P_h (mean over seeds, with the standard deviation) as a Markdown table."""
    rows = pd.read_csv(table)
    rows["p_h"] *= 100
    methods = list(dict.fromkeys(rows["method"]))
    print(f"\n| category | {' | '.join(methods)} |\n|---|{'---|' * len(methods)}")
    for category, group in rows.groupby("category", sort=False):
        print(f"| {category} | {' | '.join(cell(group[group['method'] == method]['p_h']) for method in methods)} |")
    means = rows.groupby(["method", "category"])["p_h"].mean().groupby("method").mean()
    print(f"| **mean** | {' | '.join(f'**{means[method]:.1f}**' for method in methods)} |")
    seeds = rows.groupby("method")["seed"].unique()
    print("\nSeeds: " + "; ".join(f"{method} {sorted(map(int, seeds[method]))}" for method in methods))


def cell(values: pd.Series) -> str:
    if values.empty:
        return "–"
    return f"{values.mean():.1f} ± {values.std(ddof=0):.1f}" if len(values) > 1 else f"{values.mean():.1f}"


if __name__ == "__main__":
    main()
