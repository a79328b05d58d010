"""What it costs, or brings, to read the smaller of layers that see synthetic defects about as well.

    python -m benchmarks.smaller_layers DATA --out docs/studies/smaller_layers.csv

For each product and seed two fits, without and with that rule, and P_h on the real test set. DATA holds one folder for
each product in the MVTec AD layout. Rows that are in the file are not made again.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np

import flawsight as fs
from flawsight.data import open_dataset
from flawsight.selection import fusion

MOST_LEARNED = 140
SLACKS = (0.0, fusion.NEGLIGIBLE)
FIELDS = ("product", "seed", "slack", "p_h", "layers")
Key = tuple[str, str, str]


def measured(folder: Path, seed: int, slack: float) -> dict[str, str]:
    """A row: learned from at most 140 pictures, drawn by the seed; measured on all of the test set."""
    fusion.NEGLIGIBLE = slack
    dataset = open_dataset(folder)
    paths = [sample.path for sample in dataset.select(split="train")]
    drawn = sorted(np.random.default_rng(seed).permutation(len(paths))[:MOST_LEARNED])
    inspector = fs.fit([paths[index] for index in drawn], device="cpu", seed=seed)
    figures = fs.evaluate(inspector, dataset)
    layers = " ".join(name for names in inspector.layers for name in names)
    return dict(zip(FIELDS, (folder.name, str(seed), f"{slack:g}", f"{figures['p_h']:.6f}", layers), strict=True))


def key(row: dict[str, str]) -> Key:
    return row["product"], row["seed"], row["slack"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, default=Path("docs/studies/smaller_layers.csv"))
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    stored = list(csv.DictReader(options.out.open(encoding="utf-8"))) if options.out.exists() else []
    rows = {key(row): row for row in stored}
    products = sorted(folder for folder in options.data.iterdir() if (folder / "train").is_dir())
    for seed in range(options.seeds):
        for folder in products:
            for slack in SLACKS:
                if (folder.name, str(seed), f"{slack:g}") not in rows:
                    row = measured(folder, seed, slack)
                    rows[key(row)] = row
                    with options.out.open("w", newline="", encoding="utf-8") as file:
                        writer = csv.DictWriter(file, FIELDS)
                        writer.writeheader()
                        writer.writerows(rows.values())
    print("| product | seed | without | with | difference |\n|---|---|---|---|---|")
    for name, seed_, slack in rows:
        other = rows.get((name, seed_, f"{SLACKS[1]:g}"))
        if slack == "0" and other:
            one, two = 100 * float(rows[name, seed_, slack]["p_h"]), 100 * float(other["p_h"])
            print(f"| {name} | {seed_} | {one:.1f} | {two:.1f} | {two - one:+.1f} |")


if __name__ == "__main__":
    main()
