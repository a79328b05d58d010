"""Which rule makes the best choice from the same trials? Compared on products that no figure is reported on.

    python -m benchmarks.rules.stand_ins DATA/dtd_textures --out STAND_INS
    python -m benchmarks.rules.fusion STAND_INS --out docs/studies

Products: the stand-ins, and the solar cells of `elpv-dataset` (mono- and polycrystalline; no masks, so AU-ROC instead
of P_h). For each, every layer's detector learns from D_T and is tried on synthetic defects and on the test images; then
each rule picks and weighs layers by the former and is measured by the latter, at 128 x 128. Rows are appended as they
are made: run it again to go on.
"""

from __future__ import annotations

import argparse
import csv
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks._exam import SIDE, small_mask
from flawsight.data import open_dataset, read_image
from flawsight.detectors import PatchCore
from flawsight.features import Extractor, Layer
from flawsight.inference import LayerSet, MemberSpec, fit_detectors, predict_raw
from flawsight.metrics import PixelTruth, auroc, harmonic_mean
from flawsight.scoring import MapCalibrator, upsample
from flawsight.selection import AUTO_KINDS, criterion, depths, make_validation_set
from flawsight.selection.evaluator import LayerEvaluator
from flawsight.selection.fusion import LEAST_WEIGHT
from flawsight.selection.validation import GOOD
from flawsight.views import resize_image

MAP_SIDE = SIDE // 2
TOGETHER = 32


@dataclass(frozen=True, eq=False)
class Product:
    """Good images to learn from, test images with their labels, and the masks' truth where there are masks."""

    name: str
    good: list[np.ndarray]
    test: list[np.ndarray]
    labels: list[int]
    truth: PixelTruth | None


@dataclass(frozen=True, eq=False)
class Tried:
    """For each layer set: the logit P_h of each kind of synthetic defect, and the test images' calibrated maps."""

    logits: dict[LayerSet, dict[str, float]]
    maps: dict[LayerSet, np.ndarray]
    layers: Sequence[Layer]
    pair: LayerSet


def main() -> None:
    options = parsed(__doc__)
    table = options.out / "rules.csv"
    table.parent.mkdir(parents=True, exist_ok=True)
    done = set(pd.read_csv(table)["product"]) if table.exists() else set()
    extractor = Extractor()
    for product in products(options.stand_ins, done):
        tried = try_all(extractor, product, options.seed)
        rows = [{"product": product.name, "seed": options.seed, **row} for row in measure_rules(product, tried)]
        with table.open("a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            if not done:
                writer.writeheader()
            writer.writerows(rows)
        done.add(product.name)
        print(product.name, flush=True)
    report(pd.read_csv(table))


def parsed(about: str | None) -> argparse.Namespace:
    """The options of a study on stand-ins."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stand_ins", type=Path)
    parser.add_argument("--out", type=Path, default=Path("docs/studies"))
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def products(stand_ins: Path, done: set[str]) -> Iterator[Product]:
    for kind in ("mono", "poly"):
        if f"elpv_{kind}" not in done:
            yield solar_cells(kind)
    for folder in sorted(path for path in stand_ins.iterdir() if path.is_dir()):
        if folder.name not in done:
            yield stand_in(folder)


def solar_cells(kind: str) -> Product:
    """100 good cells to learn from; 80 other good and 80 surely defective ones to test on."""
    from elpv_dataset.utils import load_dataset

    cells, probability, types = load_dataset()
    rng = np.random.default_rng(0)
    good = rng.permutation(np.flatnonzero((probability == 0) & (types == kind)))
    bad = rng.permutation(np.flatnonzero((probability == 1) & (types == kind)))
    images = [resize_image(np.repeat(cells[i][..., None], 3, 2), SIDE) for i in [*good[:180], *bad[:80]]]
    return Product(f"elpv_{kind}", images[:100], images[100:], [0] * 80 + [1] * 80, None)


def stand_in(folder: Path) -> Product:
    dataset = open_dataset(folder)
    good = [read_image(sample.path) for sample in dataset.select(split="train")]
    samples = list(dataset.select(split="test"))
    images = [read_image(sample.path) for sample in samples]
    masks = [small_mask(sample, image)[::2, ::2] for sample, image in zip(samples, images, strict=True)]
    return Product(folder.name, good, images, [int(sample.label or 0) for sample in samples], PixelTruth(masks))


def try_all(extractor: Extractor, product: Product, seed: int) -> Tried:
    """Every single layer and the fixed pair, a few at a time."""
    validation = make_validation_set(product.good, AUTO_KINDS, seed).with_originals()
    judge = LayerEvaluator(validation, MAP_SIDE)
    layers = [layer for layer in extractor.layers if not layer.same_as]
    sets: list[LayerSet] = [*((layer.name,) for layer in layers), extractor.default_pair]
    logits, maps = {}, {}
    for start in range(0, len(sets), TOGETHER):
        readings = [MemberSpec(names, PatchCore(seed=seed)) for names in sets[start : start + TOGETHER]]
        fit_detectors(extractor, validation.train, readings)
        tried = predict_raw(extractor, validation.measured, readings)
        tested = predict_raw(extractor, product.test, readings)
        for names, *_ in readings:
            parts = validation.parted(tried.pop(0).maps)
            calibrator = MapCalibrator.of(parts[GOOD])
            parts = {part: np.stack([calibrator(one) for one in stack]) for part, stack in parts.items()}
            figures = judge.figures(judge.upsampled(parts))
            logits[names] = {kind: criterion({kind: found}) for kind, found in figures.items()}
            maps[names] = np.stack([upsample(calibrator(one), MAP_SIDE) for one in tested.pop(0).maps]).astype(
                np.float16
            )
    return Tried(logits, maps, layers, extractor.default_pair)


def measure_rules(product: Product, tried: Tried) -> Iterator[dict]:
    singles = [measure(product, tried, {names: 1.0}) for names in tried.maps if len(names) == 1]
    yield {"rule": "mean over single layers", "layers": "", "figure": float(np.mean(singles))}
    yield {"rule": "best single layer in hindsight", "layers": "", "figure": max(singles)}
    for rule, choose in RULES.items():
        weights = choose(tried)
        chosen = " ".join(f"{'+'.join(names)}:{weight:.2f}" for names, weight in weights.items())
        yield {"rule": rule, "layers": chosen, "figure": measure(product, tried, weights)}


def measure(product: Product, tried: Tried, weights: Mapping[LayerSet, float]) -> float:
    """P_h of the weighted mean of the maps; AU-ROC where there are no masks."""
    total = sum(np.float32(weight) * tried.maps[names].astype(np.float32) for names, weight in weights.items())
    image = auroc(np.asarray(total).max(axis=(1, 2)), product.labels)
    return image if product.truth is None else harmonic_mean(image, product.truth.aupro(np.asarray(total)))


def criteria(tried: Tried, kinds: Sequence[str] = AUTO_KINDS) -> dict[LayerSet, float]:
    return {names: float(np.mean([logits[kind] for kind in kinds])) for names, logits in tried.logits.items()}


def fixed_pair(tried: Tried) -> dict[LayerSet, float]:
    return {tried.pair: 1.0}


def best_layers(tried: Tried, count: int, kinds: Sequence[str] = AUTO_KINDS) -> dict[LayerSet, float]:
    """The best layers whatever their depth, in equal shares."""
    value = criteria(tried, kinds)
    ranked = sorted((names for names in value if len(names) == 1), key=lambda names: value[names], reverse=True)
    return dict.fromkeys(ranked[:count], 1 / count)


def depth_teams(tried: Tried, per_depth: int, temperature: float, pair: bool = False) -> dict[LayerSet, float]:
    """The best layers of each depth, and if asked the fixed pair as a fourth team; a team weighs exp(criterion / T)."""
    value, depth = criteria(tried), depths(tried.layers)
    ranked = sorted((names for names in value if len(names) == 1), key=lambda names: value[names], reverse=True)
    teams = [[names for names in ranked if depth[names[0]] == d][:per_depth] for d in dict.fromkeys(depth.values())]
    teams += [[tried.pair]] if pair else []
    strength = [float(np.mean([value[names] for names in team])) for team in teams]
    weights = [math.exp((one - max(strength)) / temperature) for one in strength]
    kept = [weight if weight / sum(weights) >= LEAST_WEIGHT else 0.0 for weight in weights]
    return {
        names: weight / sum(kept) / len(team)
        for team, weight in zip(teams, kept, strict=True)
        for names in team
        if weight
    }


RULES: dict[str, Callable[[Tried], dict[LayerSet, float]]] = {
    "fixed pair": fixed_pair,
    "paper A": partial(best_layers, count=1, kinds=("nsa",)),
    "best layer, three kinds": partial(best_layers, count=1),
    "three best layers": partial(best_layers, count=3),
    "ten best layers": partial(best_layers, count=10),
    **{
        f"{count} per depth, T {temperature}{', and the pair' if pair else ''}": partial(
            depth_teams, per_depth=count, temperature=temperature, pair=pair
        )
        for count in (1, 2, 3)
        for temperature in (0.3, 0.6, 1.2)
        for pair in (False, True)
    },
}


def report(rows: pd.DataFrame) -> None:
    """Print the mean figure of each rule in percent, and its worst loss against the fixed pair."""
    figures = 100 * rows.pivot_table(index="rule", columns="product", values="figure", sort=False)
    cells = [name for name in figures if name.startswith("elpv")]
    others = figures.drop(columns=cells)
    worst = (figures - figures.loc["fixed pair"]).min(axis=1)
    print(f"\n| rule | P_h, {others.shape[1]} stand-ins | AU-ROC, solar cells | worst against the fixed pair |")
    print("|---|---|---|---|")
    for rule in figures.index:
        means = others.loc[rule].mean(), figures.loc[rule, cells].mean()
        print(f"| {rule} | {means[0]:.1f} | {means[1]:.1f} | {worst[rule]:+.1f} |")


if __name__ == "__main__":
    main()
