"""Does the stated false-alarm rate hold? Repeated random splits of good images, none of them used twice.

    python -m benchmarks.operating_point DATA --out docs/studies

For every split, `--learn` good images are learned from and calibrated on, and the rest of the good images, train and
test, stand for tomorrow's parts. The layers are the fixed pair: the question is the calibration's, not the choice's.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np

from flawsight.data import GOOD, open_dataset
from flawsight.features import Extractor
from flawsight.inspection import Inspector
from flawsight.metrics import operating_point
from flawsight.pipeline import fit
from flawsight.views import ImageCache

CATEGORIES = ("magnetic_tile", "kolektorsdd_tiles")
RATES = (0.01, 0.02, 0.05, 0.10)
COLUMNS = ("category", "split", "learned_from", "unseen", "requested", "stated", "achieved")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, default=Path("docs/studies"))
    parser.add_argument("--categories", nargs="*", default=CATEGORIES)
    parser.add_argument("--splits", type=int, default=6)
    parser.add_argument("--learn", type=int, default=100)
    parser.add_argument("--most-unseen", type=int, default=150)
    options = parser.parse_args()
    rows = []
    for category in options.categories:
        dataset = open_dataset(options.data / category)
        good = np.array(sorted(sample.path for sample in dataset if sample.label == GOOD))
        for split in range(options.splits):
            order = np.random.default_rng([split, 1]).permutation(len(good))
            learned = good[order[: options.learn]]
            unseen = good[order[options.learn :]][: options.most_unseen]
            for row in achieved(learned.tolist(), unseen.tolist(), split):
                rows.append({"category": category, "split": split, **row})
            print(category, split, [round(row["achieved"], 3) for row in rows[-len(RATES) :]], flush=True)
    options.out.mkdir(parents=True, exist_ok=True)
    with (options.out / "operating_point.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    report(rows)


def achieved(learned: list[Path], unseen: list[Path], seed: int) -> list[dict]:
    """Stated and achieved rates of one split, for all rates from one fit."""
    pair = Extractor().default_pair
    inspector = fit(learned, fixed_layers=[[name] for name in pair], seed=seed)
    scores = score(inspector, unseen)
    found = []
    for rate in RATES:
        point = operating_point(inspector.manifest.calibration.scores, rate)
        alarms = float(np.mean(scores > point.threshold))
        found.append(
            {
                "learned_from": len(learned),
                "unseen": len(unseen),
                "requested": rate,
                "stated": point.rate,
                "achieved": alarms,
            }
        )
    return found


def score(inspector: Inspector, paths: list[Path]) -> np.ndarray:
    images = ImageCache(paths, inspector.manifest.extractor.image_size)
    return np.array(
        [
            result.score
            for start in range(0, len(images), 8)
            for result in inspector.inspect_many(images[start : start + 8])
        ]
    )


def report(rows: list[dict]) -> None:
    print("\n| category | requested | stated | achieved, mean over splits | standard error |\n|---|---|---|---|---|")
    for category in dict.fromkeys(row["category"] for row in rows):
        for rate in RATES:
            chosen = [row for row in rows if row["category"] == category and row["requested"] == rate]
            values = np.array([row["achieved"] for row in chosen])
            error = values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else float("nan")
            print(f"| {category} | {rate:.2%} | {chosen[0]['stated']:.2%} | {values.mean():.2%} | {error:.2%} |")


if __name__ == "__main__":
    main()
