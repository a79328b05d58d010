"""Do defects of the kinds `perlin` and `sdas` make the choice of layers better? The default fit with other kinds.

    python -m benchmarks.kinds_study DATA --out docs/studies/kinds.csv --generators FOLDER

For every category and seed, each set of kinds chooses layers for PatchCore from the same at most 140 good images, and
the inspector is measured on the same at most 240 test images at 256 x 256, as in `selection_study`. Generators are kept
in FOLDER, one a category, each trained on those good images. Rows are appended: run it again to go on.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import pandas as pd

from benchmarks._inputs import good_paths
from benchmarks.selection_study import CATEGORIES, SIDE, append_rows, chosen, draw_test, rows_done
from flawsight.data import fingerprint, open_dataset
from flawsight.generation import Generator, ensure_trained
from flawsight.inspection import evaluate
from flawsight.pipeline import fit
from flawsight.views import ImageCache

KINDS = (
    "nsa",
    "nsa,scratch",
    "nsa,perlin,scratch",
    "nsa,scratch,sdas",
    "nsa,perlin,scratch,sdas",
    "perlin",
    "sdas",
)
COLUMNS = ("category", "seed", "kinds", "layers", "auroc", "aupro_0.30", "p_h", "seconds")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, default=Path("docs/studies/kinds.csv"))
    parser.add_argument("--generators", type=Path, required=True)
    parser.add_argument("--generator-steps", type=int, default=1200)
    parser.add_argument("--categories", default=",".join(CATEGORIES))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--most-good", type=int, default=140)
    options = parser.parse_args()
    for seed in options.seeds:
        for category in options.categories.split(","):
            for kinds in KINDS:
                if (category, seed, kinds) in rows_done(options.out, "category", "seed", "kinds"):
                    continue
                row = measured(options, category, seed, kinds)
                append_rows(options.out, COLUMNS, [row])
                print(category, seed, kinds, round(100 * row["p_h"], 1), row["layers"], flush=True)
    report(options.out)


def measured(options: argparse.Namespace, category: str, seed: int, kinds: str) -> dict:
    paths = good_paths(options.data / category, options.most_good, seed)
    generator = None
    if "sdas" in kinds:
        generator = options.generators / category
        untrained = Generator(steps=options.generator_steps, seed=seed)
        ensure_trained(ImageCache(paths, 64), generator, untrained, fingerprint(paths))
    start = time.perf_counter()
    inspector = fit(paths, defects=kinds, generator=generator, seed=seed)
    seconds = time.perf_counter() - start
    figures = evaluate(inspector, draw_test(open_dataset(options.data / category), 240), SIDE)
    return {
        "category": category,
        "seed": seed,
        "kinds": kinds,
        "layers": chosen(inspector),
        "auroc": figures["auroc"],
        "aupro_0.30": figures["aupro_0.30"],
        "p_h": figures["p_h"],
        "seconds": seconds,
    }


def report(table: Path) -> None:
    """Print P_h by category and its mean as a Markdown table."""
    rows = pd.read_csv(table)
    categories = list(dict.fromkeys(rows["category"]))
    print(f"\n| kinds | {' | '.join(categories)} | mean |\n|---|{'---|' * len(categories)}---|")
    for kinds in KINDS:
        group = rows[rows["kinds"] == kinds]
        each = [100 * group[group["category"] == category]["p_h"].mean() for category in categories]
        print(f"| {kinds} | {' | '.join(f'{value:.1f}' for value in [*each, sum(each) / len(each)])} |")
    print(f"\nSeeds: {sorted(set(rows['seed']))}")


if __name__ == "__main__":
    main()
