"""In which ways should the chosen layers be read? Compared on products that no figure is reported on.

    python -m benchmarks.rules.stand_ins DATA/dtd_textures --out STAND_INS
    python -m benchmarks.rules.small_stand_ins DATA/dtd_textures --out STAND_INS
    python -m benchmarks.rules.readings STAND_INS --out docs/studies

Products: every stand-in with small defects, every other one of the large textures, and the solar cells of
`elpv-dataset` (no masks: AU-ROC). On each, the layers that a race measures in full, and the fixed pair, are read with
neighbourhoods of 1, 3 and 5, the pair also as the official code joins it; then rules pick and weigh readings by the
synthetic defects alone and are measured on the test images at 128 x 128. Banks of 400. Rows are appended as they are
made: run it again to go on.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks._exam import append_rows, rows_done
from benchmarks.rules.fusion import MAP_SIDE, Product, parsed, solar_cells, stand_in
from flawsight.detectors import PatchCore
from flawsight.features import Extractor
from flawsight.inference import LayerSet, MemberSpec, fit_detectors, predict_raw
from flawsight.metrics import auroc, harmonic_mean
from flawsight.scoring import MapCalibrator, upsample
from flawsight.selection import AUTO_KINDS, LayerSelection, criterion, depths, make_validation_set
from flawsight.selection.evaluator import GOOD, LayerEvaluator
from flawsight.selection.fusion import DEPTHS, LEAST_WEIGHT, NEGLIGIBLE, TEMPERATURE

BANK: dict[str, Any] = {"bank_size": 400, "max_descriptors": 6000}
WINDOWS = (1, 3, 5)
OFFICIAL = 1024
TOGETHER = 20
COLUMNS = ("product", "seed", "rule", "figure")


@dataclass(frozen=True, eq=False)
class Reading:
    """A layer, or the pair, read in one way: its criterion on synthetic defects, and the test images' maps."""

    layers: LayerSet
    depth: str
    size: int
    window: int
    criterion: float
    maps: np.ndarray

    @property
    def is_pair(self) -> bool:
        return len(self.layers) > 1


def main() -> None:
    options = parsed(__doc__)
    table = options.out / "readings.csv"
    table.parent.mkdir(parents=True, exist_ok=True)
    for name in names(options.stand_ins):
        if (name, options.seed) in rows_done(table, "product", "seed"):
            continue
        kind = name.removeprefix("elpv_")
        product = solar_cells(kind) if name.startswith("elpv") else stand_in(options.stand_ins / name)
        rows = list(measured_rules(product, read_all(product, options.seed)))
        append_rows(table, COLUMNS, [{"product": name, "seed": options.seed, **row} for row in rows])
        print(name, {row["rule"]: round(100 * row["figure"], 1) for row in rows}, flush=True)
    report(pd.read_csv(table))


def names(stand_ins: Path) -> list[str]:
    folders = sorted(path.name for path in stand_ins.iterdir() if path.is_dir())
    small = [name for name in folders if name.startswith(("specks", "disc", "cell"))]
    large = [name for name in folders if name not in small]
    return [*small, "elpv_mono", "elpv_poly", *large[::2]]


def read_all(product: Product, seed: int) -> list[Reading]:
    """What a race measures in full, and the pair, in every way."""
    extractor = Extractor()
    detector = PatchCore(seed=seed, **BANK)
    selection = LayerSelection(detector, seed=seed).fit(extractor, product.good)
    layers = [trial.candidate.layers for trial in selection.trials_ if trial.stage == "full"]
    singles = list(dict.fromkeys(one for one in layers if len(one) == 1))
    ways: list[tuple[LayerSet, int, int | None]] = [(one, window, None) for one in singles for window in WINDOWS]
    ways += [(extractor.default_pair, window, None) for window in WINDOWS]
    ways += [(extractor.default_pair, 3, OFFICIAL)]
    validation = make_validation_set(product.good, AUTO_KINDS, seed, may_drop=True).with_originals()
    judge = LayerEvaluator(validation, MAP_SIDE)
    depth_of = depths(extractor.layers)
    found = []
    for start in range(0, len(ways), TOGETHER):
        part = ways[start : start + TOGETHER]
        members = [
            MemberSpec(names, PatchCore(seed=seed, neighbourhood=window, embed_dim=pooled, **BANK))
            for names, window, pooled in part
        ]
        fit_detectors(extractor, validation.train, members)
        tried = predict_raw(extractor, validation.measured, members)
        tested = predict_raw(extractor, product.test, members)
        for (names, window, pooled), on_made, on_real in zip(part, tried, tested, strict=True):
            parts = validation.parted(on_made.maps)
            calibrator = MapCalibrator.of(parts[GOOD])
            calibrated = {name: np.stack([calibrator(one) for one in stack]) for name, stack in parts.items()}
            figures = judge.figures(judge.upsampled(calibrated))
            maps = np.stack([upsample(calibrator(one), MAP_SIDE) for one in on_real.maps]).astype(np.float16)
            layer = extractor.layer(names[0])
            depth = ("official" if pooled else "pair") if len(names) > 1 else depth_of[layer.name]
            size = layer.channels * layer.height * layer.width
            found.append(Reading(names, depth, size, window, criterion(figures), maps))
    return found


def measured_rules(product: Product, readings: Sequence[Reading]) -> Iterator[dict]:
    singles = [one for one in readings if one.depth in DEPTHS]
    as_usual = [measure(product, {one: 1.0}) for one in singles if one.window == 3]
    yield {"rule": "best of these layers in hindsight", "figure": max(as_usual)}
    for rule, choose in RULES.items():
        yield {"rule": rule, "figure": measure(product, weighed(choose(readings)))}


def measure(product: Product, weights: Mapping[Reading, float]) -> float:
    """P_h of the weighted mean of the maps; AU-ROC where there are no masks."""
    total = np.asarray(sum(np.float32(weight) * one.maps.astype(np.float32) for one, weight in weights.items()))
    image = auroc(total.max(axis=(1, 2)), product.labels)
    return image if product.truth is None else harmonic_mean(image, product.truth.aupro(total))


def weighed(chosen: Sequence[Reading], temperature: float = TEMPERATURE) -> dict[Reading, float]:
    most = max(one.criterion for one in chosen)
    weights = {one: math.exp((one.criterion - most) / temperature) for one in chosen}
    total = sum(weights.values())
    kept = {one: weight for one, weight in weights.items() if weight / total >= LEAST_WEIGHT}
    return {one: weight / sum(kept.values()) for one, weight in kept.items()}


def winners(readings: Sequence[Reading], windows: Sequence[int] = (3,)) -> list[Reading]:
    """The best layer of each depth as it is usually read, the smaller of equals; it is then read with these windows."""
    chosen = []
    for depth in DEPTHS:
        rivals = [one for one in readings if one.depth == depth and one.window == 3]
        if rivals:
            best = max(one.criterion for one in rivals)
            near = [one for one in rivals if one.criterion >= best - NEGLIGIBLE]
            winner = min(near, key=lambda one: (one.size, -one.criterion))
            chosen += [one for one in readings if one.layers == winner.layers and one.window in windows]
    return chosen


def free(readings: Sequence[Reading], windows: Sequence[int] = WINDOWS) -> list[Reading]:
    """Of each depth the best layer in its best way."""
    found = []
    for depth in DEPTHS:
        rivals = [one for one in readings if one.depth == depth and one.window in windows]
        if rivals:
            best = max(one.criterion for one in rivals)
            near = [one for one in rivals if one.criterion >= best - NEGLIGIBLE]
            found.append(min(near, key=lambda one: (one.size, -one.criterion)))
    return found


def pair(readings: Sequence[Reading], window: int = 3, depth: str = "pair") -> list[Reading]:
    return [one for one in readings if one.depth == depth and one.window == window]


def with_pair(readings: Sequence[Reading], is_asked: bool) -> list[Reading]:
    """Winners read twice, and the pair, always or where its criterion is the highest."""
    chosen, joined = winners(readings, (1, 3)), pair(readings)
    leads = joined[0].criterion >= max(one.criterion for one in winners(readings))
    return [*chosen, *joined, *pair(readings, 1)] if leads or not is_asked else chosen


RULES: dict[str, Callable[[Sequence[Reading]], list[Reading]]] = {
    "fixed pair": pair,
    "fixed pair, official": partial(pair, depth="official"),
    "fixed pair, neighbourhood 1": partial(pair, window=1),
    "a layer of each depth (the rule before)": winners,
    "the same with neighbourhood 1": partial(winners, windows=(1,)),
    "the best neighbourhood of each layer": free,
    "the best of 1 and 3": partial(free, windows=(1, 3)),
    "with 1 and 3": partial(winners, windows=(1, 3)),
    "with 1, 3 and 5": partial(winners, windows=(1, 3, 5)),
    "with 1 and 3, and the pair where it leads": partial(with_pair, is_asked=True),
    "with 1 and 3, and the pair": partial(with_pair, is_asked=False),
}


def report(rows: pd.DataFrame) -> None:
    """Mean figures of each rule in percent, and its worst loss against the fixed pair."""
    figures = 100 * rows.pivot_table(index="rule", columns="product", values="figure", sort=False)
    cells = [name for name in figures if name.startswith("elpv")]
    small = [name for name in figures if name.startswith(("specks", "disc", "cell"))]
    large = figures.drop(columns=[*cells, *small])
    worst = (figures - figures.loc["fixed pair"]).min(axis=1)
    heads = f"P_h, {len(small)} with small defects | P_h, {large.shape[1]} with large ones | AU-ROC, solar cells"
    print(f"\n| rule | {heads} | worst against the fixed pair |\n|---|---|---|---|---|")
    for rule in figures.index:
        means = [figures.loc[rule, small].mean(), large.loc[rule].mean(), figures.loc[rule, cells].mean()]
        print(f"| {rule} | {' | '.join(f'{one:.1f}' for one in means)} | {worst[rule]:+.1f} |")


if __name__ == "__main__":
    main()
