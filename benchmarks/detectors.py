"""Every detector on real defects: how much the choice of layers matters to it, and what it costs.

    python -m benchmarks.detectors DATA --out docs/studies/detectors.csv

For each category and seed: the mean over four layers spread evenly over the default network, the last layer of stride
16, the customary pair, the layer that paper A's rule picks (best P_h on NSA's defects among those measured in full),
and `auto`; `--methods fixed-pair auto` measures these two alone. AU-ROC and AU-PRO (limit 0.3) at 256 x 256; seconds of
one fit (of `auto`: search, fit and calibration), and milliseconds to inspect an image. Rows are appended as they are
made: run it again to go on. SETTINGS are what differs from a detector's defaults. Nothing is chosen on test images.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from benchmarks._exam import SIDE, append_rows, draw_test, measure, rows_done, small_mask
from benchmarks._inputs import good_paths
from benchmarks.growth import evenly
from flawsight.data import Dataset, Sample, open_dataset, read_image
from flawsight.detectors import DETECTORS, make_detectors
from flawsight.features import INPUT, Extractor
from flawsight.inference import LayerSet, MemberSpec, fit_detectors, predict_raw
from flawsight.inspection import Inspector, evaluate
from flawsight.metrics import PixelTruth, auroc, harmonic_mean
from flawsight.pipeline import FitResult, run_fit
from flawsight.settings import FitSettings
from flawsight.studies import SupervisedClassifier
from flawsight.views import resize_image

CATEGORIES = ("magnetic_tile", "kolektorsdd_tiles", "cookie", "paper_pa_bft01_tl")
STUDIED = [name for name in DETECTORS if make_detectors(name, {}, 0)[name].tags.input != "image+features"]
"""The others make no use of one layer: RealNet has a study of its own."""
ALONE = {"classifier": "labelled defects"} | {
    name: "pictures" for name in STUDIED if make_detectors(name, {}, 0)[name].tags.input == "image"
}
"""What reads pictures has one row, whatever is asked for."""
LAYERS = 4
LABELLED = 150
CLASSIFIER_IMAGES = 2400
"""How often the classifier is shown an image; 150 steps of 16."""
TIMED = 32
METHODS = {
    "mean": "mean over layers",
    "layer": "default layer",
    "fixed-pair": "fixed pair",
    "nsa": "NSA",
    "auto": "auto",
}
"""By what they are asked for."""
SETTINGS: dict[str, dict[str, Any]] = {
    "simplenet": {"max_descriptors": 8192, "batch_size": 1024, "epochs": 30},
    "fastflow": {"training_steps": 25, "max_grid": 16, "max_hidden": 64},
    "ast": {"epochs": 6, "width": 48},
    "autoencoder": {"epochs": 30},
}
"""Short trainings: those of the papers would take a core days."""
COLUMNS = (
    "category",
    "detector",
    "seed",
    "method",
    "layers",
    "auroc",
    "aupro_0.30",
    "p_h",
    "fit_seconds",
    "ms_per_image",
)


@dataclass(frozen=True)
class Product:
    """Good images to learn from, test images with their labels and masks; all at the network's size."""

    paths: list[Path]
    good: list[np.ndarray]
    test: list[np.ndarray]
    labels: list[int]
    truth: PixelTruth
    shown: Dataset
    spare: list[Sample]

    def others(self) -> list[tuple[np.ndarray, int]]:
        """Labelled test images that nobody is measured on, and their labels."""
        return [(resize_image(read_image(sample.path), SIDE), int(sample.label or 0)) for sample in self.spare]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, default=Path("docs/studies/detectors.csv"))
    parser.add_argument("--detectors", default=",".join([*STUDIED, "classifier"]))
    parser.add_argument("--categories", default=",".join(CATEGORIES))
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--good", type=int, default=80, help="at most so many good images")
    parser.add_argument("--test", type=int, default=100, help="at most so many test images")
    parser.add_argument("--budget", type=float, default=1.0, help="minutes that a search may take")
    options = parser.parse_args()
    for seed in options.seeds:
        for name in options.detectors.split(","):
            for category in options.categories.split(","):
                done = rows_done(options.out, "category", "detector", "seed", "method")
                wanted = {METHODS[method] for method in options.methods}
                wanted -= {method for *unit, method in done if unit == [category, name, seed]}
                if not wanted or (category, name, seed, ALONE.get(name)) in done:
                    continue
                product = open_product(options.data / category, seed, options.good, options.test)
                rows = list(study(product, name, seed, wanted, options.budget))
                append_rows(
                    options.out, COLUMNS, [{"category": category, "detector": name, "seed": seed} | r for r in rows]
                )
                print(category, name, seed, {row["method"]: round(100 * row["p_h"], 1) for row in rows}, flush=True)
    report(options.out)


def open_product(folder: Path, seed: int, most_good: int, most_test: int) -> Product:
    paths = good_paths(folder, most_good, seed)
    dataset = open_dataset(folder)
    samples = draw_test(dataset, most_test)
    drawn = {sample.path for sample in samples}
    spare = [sample for sample in dataset.select(split="test") if sample.path not in drawn]
    few = np.random.default_rng(seed).permutation(len(spare))[:LABELLED]
    pictures = [read_image(sample.path) for sample in samples]
    return Product(
        paths,
        [resize_image(read_image(path), SIDE) for path in paths],
        [resize_image(picture, SIDE) for picture in pictures],
        [int(sample.label or 0) for sample in samples],
        PixelTruth([small_mask(sample, picture) for sample, picture in zip(samples, pictures, strict=True)]),
        samples,
        [spare[i] for i in few],
    )


def study(product: Product, name: str, seed: int, wanted: Collection[str], budget: float) -> Iterator[dict]:
    """Rows of one detector on one product, of the wanted methods."""
    extractor = Extractor()
    if name == "classifier":
        yield {"method": ALONE[name]} | upper_bound(extractor, product, seed)
        return
    if name in ALONE:
        yield {"method": ALONE[name]} | measured(extractor, product, name, (INPUT,), seed)
        return
    pair = extractor.default_pair
    if "mean over layers" in wanted:
        yield {"method": "mean over layers"} | mean_over_layers(extractor, product, name, seed)
    if "default layer" in wanted:
        yield {"method": "default layer"} | measured(extractor, product, name, pair[1:], seed)
    if "fixed pair" in wanted:
        yield {"method": "fixed pair"} | measured(extractor, product, name, pair, seed)
    if not {"NSA", "auto"} & set(wanted):
        return
    start = time.perf_counter()
    options = {"detector": name, "parameter": SETTINGS.get(name, {}), "seed": seed, "budget": budget}
    searched = run_fit(FitSettings.of({"good": product.paths, "out": None, **options}))
    seconds = time.perf_counter() - start
    if "NSA" in wanted:
        yield {"method": "NSA"} | measured(extractor, product, name, (paper_a(searched),), seed)
    if "auto" in wanted:
        yield {"method": "auto"} | inspected(searched.inspector, product, seconds)


def mean_over_layers(extractor: Extractor, product: Product, name: str, seed: int) -> dict:
    unique = [layer.name for layer in extractor.layers if not layer.same_as]
    single = [measured(extractor, product, name, (layer,), seed) for layer in evenly(unique, LAYERS)]
    figures = ("auroc", "aupro_0.30", "p_h", "fit_seconds", "ms_per_image")
    means = {figure: float(np.mean([row[figure] for row in single])) for figure in figures}
    return {"layers": f"{LAYERS} layers", **means}


def measured(extractor: Extractor, product: Product, name: str, layers: LayerSet, seed: int) -> dict:
    """Figures of a detector with these layers."""
    (detector,) = make_detectors(name, SETTINGS.get(name, {}), seed).values()
    start = time.perf_counter()
    fit_detectors(extractor, product.good, [MemberSpec(layers, detector)])
    fitted = time.perf_counter() - start
    predict_raw(extractor, product.test[:2], [MemberSpec(layers, detector)])
    start = time.perf_counter()
    predict_raw(extractor, product.test[:TIMED], [MemberSpec(layers, detector)])
    each = (time.perf_counter() - start) / len(product.test[:TIMED])
    (found,) = predict_raw(extractor, product.test, [MemberSpec(layers, detector)])
    image, pixel, _ = measure(found.maps, product.labels, product.truth, found.scores)
    return row("+".join(layers), image, pixel, fitted, each)


def inspected(inspector: Inspector, product: Product, seconds: float) -> dict:
    """Figures of a finished inspector."""
    figures = evaluate(inspector, product.shown, SIDE)
    start = time.perf_counter()
    list(inspector.inspect_many(product.test[:TIMED]))
    each = (time.perf_counter() - start) / len(product.test[:TIMED])
    layers = " ".join(
        f"{'+'.join(member.layers)}:{member.calibration.weight:.2f}" for member in inspector.manifest.members
    )
    return row(layers, figures["auroc"], figures["aupro_0.30"], seconds, each)


def upper_bound(extractor: Extractor, product: Product, seed: int) -> dict:
    """Paper C's supervised classifier: it learns from labelled defects, half of the test images and at most LABELLED
    that nobody is measured on, and from the good images; it is measured on the other half."""
    half = np.random.default_rng(seed).permutation(len(product.test))
    seen, new = half[: len(half) // 2], half[len(half) // 2 :]
    others = product.others()
    learn = [*(product.test[i] for i in seen), *(image for image, _ in others), *product.good]
    labels = [*(product.labels[i] for i in seen), *(label for _, label in others), *[0] * len(product.good)]
    start = time.perf_counter()
    classifier = SupervisedClassifier(
        extractor.network.module,
        extractor.network.mean,
        extractor.network.std,
        epochs=max(1, round(CLASSIFIER_IMAGES / len(learn))),
        seed=seed,
    ).fit(as_tensor(learn), labels)
    fitted = time.perf_counter() - start
    start = time.perf_counter()
    scores = classifier.image_scores(as_tensor([product.test[i] for i in new])).numpy()
    each = (time.perf_counter() - start) / len(new)
    image = auroc(scores, [product.labels[i] for i in new])
    return row("whole network", image, float("nan"), fitted, each)


def as_tensor(images: Sequence[np.ndarray]) -> torch.Tensor:
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2) / 255


def row(layers: str, image: float, pixel: float, fitted: float, each: float) -> dict:
    return {
        "layers": layers,
        "auroc": image,
        "aupro_0.30": pixel,
        "p_h": float("nan") if math.isnan(pixel) else harmonic_mean(image, pixel),
        "fit_seconds": fitted,
        "ms_per_image": 1000 * each,
    }


def paper_a(searched: FitResult) -> str:
    """The layer that tells NSA's defects best among those measured in full, or coarsely where time was too short."""
    selection = searched.record.selection
    assert selection is not None
    single = [trial for trial in selection.trials_ if len(trial.candidate.layers) == 1]
    trials = [trial for trial in single if trial.stage == "full" and not trial.candidate.variant]
    return max(trials or single, key=lambda trial: trial.figures["nsa"].p_h).layer


def report(table: Path) -> None:
    """Print a Markdown table of each figure's mean over categories and seeds, and P_h by category."""
    rows = pd.read_csv(table)
    methods: Sequence[str] = list(dict.fromkeys(rows["method"]))
    print("\n| detector | layers | AU-ROC | AU-PRO | P_h | fit s | ms an image |\n|---|---|---|---|---|---|---|")
    means = rows.groupby(["detector", "method"], sort=False).mean(numeric_only=True)
    for (detector, method), values in means.iterrows():
        shown = [f"{100 * values[name]:.1f}" for name in ("auroc", "aupro_0.30", "p_h")]
        print(f"| {detector} | {method} | {' | '.join(shown)} | {values.fit_seconds:.1f} | {values.ms_per_image:.0f} |")
    print(f"\nP_h by category\n\n| category | detector | {' | '.join(methods)} |\n|---|---|{'---|' * len(methods)}")
    for (category, detector), group in rows.groupby(["category", "detector"], sort=False):
        cells = (100 * group[group["method"] == method]["p_h"].mean() for method in methods)
        print(
            f"| {category} | {detector} | {' | '.join('' if math.isnan(cell) else f'{cell:.1f}' for cell in cells)} |"
        )
    print(f"\nSeeds: {sorted(set(rows['seed']))}")


if __name__ == "__main__":
    main()
