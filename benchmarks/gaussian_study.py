"""The tables of paper C (Gaussian-AD) on real defects, with the conformal operating point beside its chi-square one.

    python -m benchmarks.gaussian_study DATA --out docs/studies/gaussian.csv

For every category folder of DATA (MVTec AD layout), five folds of the same good images (as the paper's code cuts them)
are left out in turn; what is learned from the rest meets the whole test set. Features are read once.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from sklearn.model_selection import KFold

from benchmarks._inputs import good_paths
from benchmarks.selection_study import draw_test
from flawsight.data import AUGMENTATIONS, LABEL_PRESERVING, folds, open_dataset
from flawsight.data import augmented as copies_of
from flawsight.detectors.gaussian.distance import GaussianDistance, fit_gaussian
from flawsight.features import Extractor, levels
from flawsight.metrics import auroc, chi_square_threshold, operating_point
from flawsight.views import ImageCache

CATEGORIES = ("magnetic_tile", "kolektorsdd_tiles", "cookie", "paper_pa_bft01_tl")
MAHALANOBIS = "Mahalanobis"
METHODS: dict[str, dict] = {
    "L2": {"distance": "euclidean"},
    "SED": {"distance": "standardised"},
    MAHALANOBIS: {},
    "PCA 99 %": {"reduction": "pca", "variance": 0.99},
    "PCA 95 %": {"reduction": "pca", "variance": 0.95},
    "NPCA 1 %": {"reduction": "npca", "variance": 0.99},
    "NPCA 0.1 %": {"reduction": "npca", "variance": 0.999},
    "NPCA 0.01 %": {"reduction": "npca", "variance": 0.9999},
}
"""The first three are Table I, the others and Mahalanobis Table III."""
OPERATING_POINTS = ("PCA 99 %", MAHALANOBIS, "NPCA 1 %")
LEVEL = 7
"""The level, counted from 1, whose operating point the paper sets."""
SIGMAS = range(1, 6)
INNER_FOLDS = 5
Levels = list[torch.Tensor]
"""Pooled vectors (N, C) float64, one tensor per level."""


@dataclass(frozen=True)
class Pooled:
    """What the study needs of a category: `passes` holds the augmented good images, pass after pass."""

    good: Levels
    passes: Levels
    test: Levels
    labels: np.ndarray

    def learned_from(self, images: np.ndarray, augmented: bool) -> Levels:
        """Vectors of these good images as they are, or of all augmented copies of them."""
        if not augmented:
            return [level[images] for level in self.good]
        count = len(self.good[0])
        rows = (np.arange(len(self.passes[0]) // count)[:, None] * count + images).ravel()
        return [level[rows] for level in self.passes]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, default=Path("docs/studies/gaussian.csv"))
    parser.add_argument("--categories", nargs="*", default=CATEGORIES)
    parser.add_argument("--most-good", type=int, default=200)
    parser.add_argument("--most-test", type=int, default=300)
    parser.add_argument("--passes", type=int, default=10, help="augmented copies of every good image; the paper: 100")
    parser.add_argument(
        "--safe", nargs="*", choices=AUGMENTATIONS, default=LABEL_PRESERVING, help="what makes no defect"
    )
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    extractor = Extractor()
    rows: list[dict] = []
    for category in options.categories:
        pooled = read(extractor, options.data / category, options)
        found = [*detection(pooled), *operating_points(pooled)]
        rows += [{"category": category, **row} for row in found]
        print(category, len(pooled.good[0]), "good,", len(pooled.labels), "test images", flush=True)
    table = pd.DataFrame(rows)
    keys = [name for name in table.columns if name not in {"fold", "value"}]
    table = table.groupby(keys, sort=False, dropna=False)["value"].mean().reset_index()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(options.out, index=False, float_format="%.6g")
    report(table)


def read(extractor: Extractor, folder: Path, options: argparse.Namespace) -> Pooled:
    good = ImageCache(good_paths(folder, options.most_good, options.seed), extractor.image_size)
    test = draw_test(open_dataset(folder), options.most_test)
    return Pooled(
        pooled_levels(extractor, good),
        pooled_levels(extractor, copies_of(good, options.passes, options.safe, options.seed)),
        pooled_levels(extractor, ImageCache([sample.path for sample in test], extractor.image_size)),
        np.array([sample.label for sample in test]),
    )


def pooled_levels(extractor: Extractor, images: Sequence[np.ndarray]) -> Levels:
    """Global averages of the network's levels."""
    names = levels(extractor.layers)
    parts = [
        [maps[name].mean((2, 3), dtype=torch.float64).clone() for name in names]
        for maps in extractor.batches(images, names, batch_size=4)
    ]
    return [torch.cat(level) for level in zip(*parts, strict=True)]


def outer_folds(pooled: Pooled) -> Iterator[tuple[int, np.ndarray]]:
    """The numbers of the folds, and of the images that each learns from."""
    cut = KFold(5, shuffle=True, random_state=0).split(np.arange(len(pooled.good[0])))
    for number, (learned, _) in enumerate(cut):
        yield number, learned


def detection(pooled: Pooled) -> Iterator[dict]:
    """AU-ROC and dimensions per method, level and fold, with and without augmentation."""
    for fold, images in outer_folds(pooled):
        for augmented in (False, True):
            vectors = pooled.learned_from(images, augmented)
            for method, parameters in METHODS.items():
                fitted = [fit_gaussian(level, **parameters) for level in vectors]
                scores = [scores_of(normal, level) for normal, level in zip(fitted, pooled.test, strict=True)]
                key = {"fold": fold, "augmented": augmented, "method": method}
                for number, (normal, values) in enumerate(zip(fitted, scores, strict=True), start=1):
                    yield {**key, "level": str(number), "figure": "auroc", "value": auroc(values, pooled.labels)}
                    yield {**key, "level": str(number), "figure": "dimensions", "value": normal.dimensions}
                yield {**key, "level": "Sum", "figure": "auroc", "value": auroc(sum(scores), pooled.labels)}


def operating_points(pooled: Pooled) -> Iterator[dict]:
    """Alarms at both thresholds among good and defective test images, per method, fold and asked rate.

    Both belong to the same distribution, learned from four fifths of the good images; the conformal one is calibrated
    within them, on images as they are.
    """
    for fold, images in outer_folds(pooled):
        for augmented in (False, True):
            for method in OPERATING_POINTS:

                def fit(learned: np.ndarray, augmented: bool = augmented, method: str = method) -> GaussianDistance:
                    return fit_gaussian(pooled.learned_from(learned, augmented)[LEVEL - 1], **METHODS[method])

                normal = fit(images)
                held_out = cross_scores(pooled, images, fit)
                scores = scores_of(normal, pooled.test[LEVEL - 1])
                for sigma in SIGMAS:
                    rate = math.erfc(sigma / math.sqrt(2))
                    point = operating_point(held_out, rate)
                    alarms = {
                        "chi-square": scores > chi_square_threshold(normal.dimensions, rate),
                        "conformal": scores > point.threshold,
                    }
                    key = {"fold": fold, "augmented": augmented, "method": method, "level": str(LEVEL), "sigma": sigma}
                    yield {**key, "figure": "conformal stated", "value": point.rate}
                    for name, called in alarms.items():
                        yield {**key, "figure": f"{name} FPR", "value": called[pooled.labels == 0].mean()}
                        yield {**key, "figure": f"{name} TPR", "value": called[pooled.labels == 1].mean()}


def cross_scores(pooled: Pooled, images: np.ndarray, fit: Callable[[np.ndarray], GaussianDistance]) -> np.ndarray:
    """Scores of these good images by distributions that have not seen them."""
    scores = np.empty(len(images))
    for part in folds(len(images), INNER_FOLDS, 0):
        scores[part] = scores_of(fit(np.delete(images, part)), pooled.good[LEVEL - 1][images[part]])
    return scores


def scores_of(normal: GaussianDistance, vectors: torch.Tensor) -> np.ndarray:
    return normal.distances(vectors).numpy()


def report(table: pd.DataFrame) -> None:
    """Print the paper's tables: means over categories of the means over folds, with their standard errors."""
    for augmented in (False, True):
        chosen = table[table["augmented"] == augmented]
        print(f"\nAU-ROC in percent, {'with' if augmented else 'without'} augmentation\n")
        aurocs = chosen[chosen["figure"] == "auroc"]
        print(f"| level | {' | '.join(METHODS)} |\n|---|{'---|' * len(METHODS)}")
        for level in aurocs["level"].unique():
            cells = [aurocs[(aurocs["level"] == level) & (aurocs["method"] == method)]["value"] for method in METHODS]
            print(f"| {level} | {' | '.join(map(mean_and_error, cells))} |")
        sums = chosen[(chosen["figure"] == "auroc") & (chosen["level"] == "Sum")]
        print(f"\nSum, by category\n\n| category | {' | '.join(METHODS)} |\n|---|{'---|' * len(METHODS)}")
        for category, group in sums.groupby("category", sort=False):
            by_method = group.set_index("method")["value"]
            print(f"| {category} | {' | '.join(f'{100 * by_method[method]:.1f}' for method in METHODS)} |")
        sizes = chosen[(chosen["figure"] == "dimensions") & (chosen["level"] == str(LEVEL))]
        means = sizes.groupby("method", sort=False)["value"].mean()
        print(f"\nDimensions of level {LEVEL}: " + ", ".join(f"{name} {value:.1f}" for name, value in means.items()))
        report_operating_points(chosen)


def report_operating_points(chosen: pd.DataFrame) -> None:
    columns = [f"{method}: {kind}" for method in OPERATING_POINTS for kind in ("chi-square", "conformal (stated)")]
    print(f"\nFPR / TPR in percent at level {LEVEL}\n\n| n | target FPR | {' | '.join(columns)} |")
    print(f"|---|---|{'---|' * len(columns)}")
    for sigma in SIGMAS:
        at = chosen[chosen["sigma"] == sigma]
        cells = []
        for method in OPERATING_POINTS:
            means = 100 * at[at["method"] == method].groupby("figure")["value"].mean()
            cells.append(f"{means['chi-square FPR']:.1f} / {means['chi-square TPR']:.1f}")
            figures = f"{means['conformal FPR']:.1f} / {means['conformal TPR']:.1f}"
            cells.append(f"{figures} ({means['conformal stated']:.1f})")
        print(f"| {sigma} | {100 * math.erfc(sigma / math.sqrt(2)):.2g} | {' | '.join(cells)} |")


def mean_and_error(values: pd.Series) -> str:
    """Mean over categories, and its standard error, in percent."""
    error = values.std(ddof=1) / math.sqrt(len(values)) if len(values) > 1 else float("nan")
    return f"{100 * values.mean():.1f} ± {100 * error:.1f}"


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
