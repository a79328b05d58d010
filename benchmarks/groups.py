"""Parts photographed five times: does the stated false-alarm rate hold for pictures of new parts?

    python -m benchmarks groups DATA --out docs/studies

For every category (MVTec AD layout) and split, half of the drawn good parts are learned from, and the others are new.
Each is photographed five times: the picture moved by up to 2 % of its size, in other light (brightness by up to 8 %,
from one side by up to 5 %), with a camera's noise (2 to 4 grey levels). `one by one` takes every picture for a part of
its own; `copies found` leaves it to the check of the pictures; `named` is given --group-by. Layers: the fixed pair.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
import pandas as pd

from benchmarks._exam import append_rows, rows_done
from benchmarks.operating_point import score
from flawsight.core import Silent
from flawsight.data import open_dataset, read_image
from flawsight.features import Extractor
from flawsight.metrics import operating_point
from flawsight.pipeline import run_fit
from flawsight.settings import FitSettings

CATEGORIES = ("kolektorsdd_tiles", "magnetic_tile", "paper_pa_gla01_tl", "cookie")
SHOTS = 5
RATES = (0.05, 0.1, 0.2)
METHODS = {"one by one": "(.*)", "copies found": None, "named": r"(part\d+)"}
COLUMNS = ("category", "split", "learned_parts", "new_parts", "method", "parts", "requested", "stated", "achieved")


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks groups", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, default=Path("docs/studies"))
    parser.add_argument("--categories", nargs="*", default=CATEGORIES)
    parser.add_argument("--splits", type=int, default=3)
    parser.add_argument("--parts", type=int, default=24, help="parts learned from, and as many new ones")
    parser.add_argument("--image-size", type=int, default=128)
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    table = options.out / "groups.csv"
    for split in range(options.splits):
        for category in options.categories:
            if (category, split) not in rows_done(table, "category", "split"):
                rows = study(options.data / category, split, options.parts, options.image_size)
                append_rows(table, COLUMNS, [{"category": category, "split": split, **row} for row in rows])
                said = {(row["method"], row["requested"]): (row["parts"], round(row["achieved"], 3)) for row in rows}
                print(category, split, said, flush=True)
    report(table)


def study(folder: Path, split: int, most: int, side: int) -> list[dict]:
    dataset = open_dataset(folder)
    good = sorted(sample.path for sample in dataset if sample.label == 0)
    rng = np.random.default_rng([split, 3])
    drawn = [good[number] for number in rng.permutation(len(good))]
    parts = min(most, len(good) // 2)
    rows = []
    with TemporaryDirectory() as work:
        learned = photographed(drawn[:parts], Path(work) / "learned", rng)
        new = photographed(drawn[parts : 2 * parts], Path(work) / "new", rng)
        pair = [[name] for name in Extractor().default_pair]
        for method, pattern in METHODS.items():
            options = {"image_size": side, "fixed_layers": pair, "seed": split, "all_good": True}
            result = run_fit(FitSettings.of({"good": learned, "out": None, "group_by": pattern, **options}), Silent())
            scores = score(result.inspector, sorted(new.iterdir()))
            for rate in RATES:
                point = operating_point(result.inspector.manifest.calibration.scores, rate)
                rows.append(
                    {
                        "learned_parts": parts,
                        "new_parts": parts,
                        "method": method,
                        "parts": result.inspector.manifest.data.parts,
                        "requested": rate,
                        "stated": point.rate,
                        "achieved": float(np.mean(scores > point.threshold)),
                    }
                )
    return rows


def photographed(paths: list[Path], folder: Path, rng: np.random.Generator) -> Path:
    """Five pictures of each part."""
    folder.mkdir()
    for number, path in enumerate(paths):
        image = read_image(path).astype(np.float32)
        for shot in range(SHOTS):
            taken = np.clip(shot_of(image, rng), 0, 255).round().astype(np.uint8)
            cv2.imwrite(str(folder / f"part{number:03d}_{shot}.png"), cv2.cvtColor(taken, cv2.COLOR_RGB2BGR))
    return folder


def shot_of(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The part, moved, lit and seen by a camera once more."""
    height, width = image.shape[:2]
    moved = np.float32([[1, 0, rng.uniform(-0.02, 0.02) * width], [0, 1, rng.uniform(-0.02, 0.02) * height]])
    image = cv2.warpAffine(image, moved, (width, height), borderMode=cv2.BORDER_REFLECT_101)
    slope = rng.uniform(-0.05, 0.05) * np.linspace(-1, 1, width, dtype=np.float32)
    light = rng.uniform(0.92, 1.08) * (1 + slope)
    return image * light[None, :, None] + rng.normal(0, rng.uniform(2, 4), image.shape).astype(np.float32)


def report(table: Path) -> None:
    """Print the stated rates and the mean achieved ones over all splits, with standard errors."""
    rows = pd.read_csv(table)
    asked = sorted(rows["requested"].unique())
    print(
        f"\n| product | fit | parts counted | {' | '.join(f'asked {rate:.0%}: stated, achieved' for rate in asked)} |"
    )
    print(f"|---|---|---|{'---|' * len(asked)}")
    for (category, method), group in rows.groupby(["category", "method"], sort=False):
        cells = []
        for rate in asked:
            one = group[group["requested"] == rate]
            error = one["achieved"].std(ddof=1) / np.sqrt(len(one))
            cells.append(f"{one['stated'].mean():.1%}, {one['achieved'].mean():.1%} ± {error:.1%}")
        print(f"| {category} | {method} | {group['parts'].mean():.0f} | {' | '.join(cells)} |")
