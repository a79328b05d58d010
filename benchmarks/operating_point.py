"""Does the stated false-alarm rate hold? Repeated random splits of good images, none of them used twice.

    python -m benchmarks.operating_point DATA --out docs/studies

Products: those of DATA with enough good images, and the solar cells of `elpv-dataset`. For every split `--learn` good
images are learned from and calibrated on, and others stand for tomorrow's parts. cross: as `fit` does, by five folds;
split: from one half is learned, on the other calibrated, which makes the promise exact. The layers are the fixed pair,
at 128 pixels: the question is the calibration's, not the choice's. Detectors that train are trained briefly, on fewer
splits. Rows are appended as they are made: run it again to go on.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
import pandas as pd

from benchmarks._exam import append_rows, rows_done
from benchmarks.detectors import SETTINGS
from flawsight.data import GOOD, open_dataset
from flawsight.detectors import make_detectors
from flawsight.features import Extractor
from flawsight.inspection import Inspector
from flawsight.metrics import operating_point
from flawsight.pipeline import fit
from flawsight.views import ImageCache

CATEGORIES = ("magnetic_tile", "kolektorsdd_tiles", "elpv_mono", "elpv_poly")
CALIBRATIONS = ("cross", "split")
SIDE = 128
QUICK = ("patchcore", "gaussian", "knn", "ocsvm")
TRAINED = ("simplenet", "fastflow", "ast", "autoencoder", "realnet")
BRIEFLY = SETTINGS | {"realnet": {"training_steps": 100, "pairs": 128, "afs_pairs": 32}}
RATES = (0.01, 0.02, 0.05, 0.10)
COLUMNS = ("category", "detector", "calibration", "split", "learned_from", "unseen", "requested", "stated", "achieved")
KEY = ["category", "detector", "calibration", "split"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, default=Path("docs/studies"))
    parser.add_argument("--categories", nargs="*", default=CATEGORIES)
    parser.add_argument("--detectors", nargs="*", default=[*QUICK, *TRAINED])
    parser.add_argument("--splits", type=int, default=10)
    parser.add_argument("--splits-trained", type=int, default=3)
    parser.add_argument("--learn", type=int, default=100)
    parser.add_argument("--most-unseen", type=int, default=150)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    table = options.out / "operating_point.csv"
    with TemporaryDirectory() as folder:
        good = {name: good_pictures(name, options.data, Path(folder)) for name in options.categories}
        for split in range(max(options.splits, options.splits_trained)):
            for detector in options.detectors:
                if split >= (options.splits if detector in QUICK else options.splits_trained):
                    continue
                for category, paths in good.items():
                    study(table, category, paths, detector, split, options.learn, options.most_unseen)
    report(pd.read_csv(table))


def good_pictures(name: str, data: Path, folder: Path) -> np.ndarray:
    """Paths of all good pictures of a product."""
    if not name.startswith("elpv"):
        return np.array(sorted(sample.path for sample in open_dataset(data / name) if sample.label == GOOD))
    from elpv_dataset.utils import load_dataset

    cells, probability, types = load_dataset()
    paths = []
    for number in np.flatnonzero((probability == 0) & (types == name.removeprefix("elpv_"))):
        paths.append(folder / f"{name}-{number:04d}.png")
        cv2.imwrite(str(paths[-1]), cells[number])
    return np.array(paths)


def study(
    table: Path, category: str, good: np.ndarray, detector: str, split: int, learn: int, most_unseen: int
) -> None:
    """Rows of one detector on one split of a product, if they are not there."""
    order = np.random.default_rng([split, 1]).permutation(len(good))
    learned, unseen = good[order[:learn]].tolist(), good[order[learn:]][:most_unseen].tolist()
    for calibration in CALIBRATIONS:
        if (category, detector, calibration, split) in rows_done(table, *KEY):
            continue
        about = {"category": category, "detector": detector, "calibration": calibration, "split": split}
        rows = [about | row for row in achieved(learned, unseen, detector, calibration, split)]
        append_rows(table, COLUMNS, rows)
        print(*about.values(), [round(row["achieved"], 3) for row in rows], flush=True)


def achieved(learned: list[Path], unseen: list[Path], detector: str, calibration: str, seed: int) -> list[dict]:
    """Stated and achieved rates of one split, for all rates from one fit."""
    reads_layers = make_detectors(detector, {}, 0)[detector].tags.input == "features"  # RealNet reads all stages
    layers = {"fixed_layers": [Extractor(image_size=SIDE).default_pair]} if reads_layers else {}
    options = {"parameter": BRIEFLY.get(detector, {}), "image_size": SIDE, "seed": seed, "pod": False, **layers}
    half = len(learned) // 2 if calibration == "split" else len(learned)
    inspector = fit(learned[:half], detector=detector, **options)
    calibrated_on = (
        score(inspector, learned[half:]) if calibration == "split" else inspector.manifest.calibration.scores
    )
    scores = score(inspector, unseen)
    counts = {"learned_from": len(learned), "unseen": len(unseen)}
    points = [(rate, operating_point(calibrated_on, rate)) for rate in RATES]
    return [
        counts | {"requested": rate, "stated": point.rate, "achieved": float(np.mean(scores > point.threshold))}
        for rate, point in points
    ]


def score(inspector: Inspector, paths: Sequence[Path]) -> np.ndarray:
    images = ImageCache(paths, inspector.manifest.extractor.image_size)
    return np.array([result.score for result in inspector.inspect_many(images)])


def report(rows: pd.DataFrame) -> None:
    """Requested, stated and achieved rates, with standard errors over all splits of all products."""
    print("\n| detector | calibration | requested | stated | achieved | standard error | splits |")
    print("|---|---|---|---|---|---|---|")
    rows = rows[rows["stated"] <= rows["requested"]]
    for (detector, calibration, requested), group in rows.groupby(["detector", "calibration", "requested"], sort=False):
        error = group["achieved"].std(ddof=1) / len(group) ** 0.5
        print(
            f"| {detector} | {calibration} | {requested:.0%} | {group['stated'].mean():.2%} | "
            f"{group['achieved'].mean():.2%} | {error:.2%} | {len(group)} |"
        )
    worst = rows.groupby(["category", "detector", "calibration", "requested"])[["stated", "achieved"]].mean()
    excess = (worst["achieved"] - worst["stated"]).groupby(["category", "calibration"]).max()
    print("\n| product | calibration | most above the stated rate, of all detectors and rates |\n|---|---|---|")
    for (category, calibration), most in excess.items():
        print(f"| {category} | {calibration} | {100 * most:+.1f} points |")


if __name__ == "__main__":
    main()
