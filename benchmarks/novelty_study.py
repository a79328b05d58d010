"""One-class novelty on CIFAR-10 (Table 5 of paper D): one class is good, the other nine are new.

    python -m benchmarks.novelty_study DATA/cifar10 --out docs/studies/novelty.csv

DATA/cifar10 holds train/CLASS and test/CLASS. The default network at 128 x 128, its customary pair of layers, each
detector's defaults; AU-ROC over the whole test set, all classes, mean last.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from flawsight.data import read_image
from flawsight.detectors import make_detectors
from flawsight.features import Extractor
from flawsight.inference import MemberSpec, fit_detectors, predict_raw
from flawsight.metrics import auroc
from flawsight.scoring import RawPrediction, upsample
from flawsight.views import resize_image

DETECTORS = "simplenet,patchcore,gaussian,knn"
SIDE = 128


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, default=Path("docs/studies/novelty.csv"))
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    extractor = Extractor(image_size=SIDE)
    classes = sorted(folder.name for folder in (options.data / "train").iterdir())
    test = {name: images(options.data / "test" / name) for name in classes}
    labels = np.repeat(classes, [len(test[name]) for name in classes])
    rows = []
    for good in classes:
        readings = [
            MemberSpec(extractor.default_pair, detector)
            for detector in make_detectors(DETECTORS, {}, options.seed).values()
        ]
        fit_detectors(extractor, images(options.data / "train" / good), readings)
        found = predict_raw(extractor, [image for name in classes for image in test[name]], readings)
        scores = (auroc(image_scores(one), labels != good) for one in found)
        rows.append({"class": good, **dict(zip(DETECTORS.split(","), scores, strict=True))})
        print(rows[-1], flush=True)
    table = pd.DataFrame(rows)
    table.to_csv(options.out, index=False)
    means = table[DETECTORS.split(",")].mean()
    print("\n| " + " | ".join(means.index) + " |\n" + "|---" * len(means) + "|")
    print("| " + " | ".join(f"{100 * value:.1f}" for value in means) + " |")


def images(folder: Path) -> list[np.ndarray]:
    return [resize_image(read_image(path), SIDE) for path in sorted(folder.iterdir())]


def image_scores(found: RawPrediction) -> np.ndarray:
    """The detector's own scores, or the maxima of the smoothed maps."""
    return np.array([upsample(one, SIDE).max() for one in found.maps]) if found.scores is None else found.scores


if __name__ == "__main__":
    main()
