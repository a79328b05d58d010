"""How should the customary pair count for each method? Compared on products that no figure is reported on.

    python -m benchmarks.rules.stand_ins DATA/dtd_textures --out STAND_INS
    python -m benchmarks.rules.small_stand_ins DATA/dtd_textures --out STAND_INS
    python -m benchmarks.rules.methods STAND_INS --detectors gaussian --out docs/studies

Products as in `readings`; `--every 3` takes every third. On each, `--layers` layers, spread over the network,
and layers read as one (the fixed pair, the ends of stages, the ends of blocks from stride 8 on) learn from D_T and are
measured in full, on synthetic defects and on the test images at 128 x 128. Then rules pick and weigh by the synthetic
defects alone. P_h; of the solar cells AU-ROC. SETTINGS are short trainings. Rows are appended as they are made: run it
again to go on.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks._exam import append_rows, rows_done
from benchmarks.growth import evenly
from benchmarks.rules.fusion import MAP_SIDE, Product, solar_cells, stand_in
from benchmarks.rules.readings import names, weighed
from flawsight.core import Layer
from flawsight.detectors import Detector, make_detectors
from flawsight.features import Extractor, levels, stage_ends
from flawsight.inference import LayerSet, MemberSpec, fit_detectors, predict_raw
from flawsight.metrics import auroc, harmonic_mean
from flawsight.scoring import MapCalibrator, ScoreStandardizer, upsample
from flawsight.selection import AUTO_KINDS, ValidationSet, criterion, depths, make_validation_set
from flawsight.selection.evaluator import GOOD, LayerEvaluator
from flawsight.selection.fusion import DEPTHS, NEGLIGIBLE, TEMPERATURE
from flawsight.selection.trials import scaled

SETTINGS: dict[str, dict[str, Any]] = {
    "simplenet": {"max_descriptors": 8192, "batch_size": 1024, "epochs": 15},
    "fastflow": {"training_steps": 20, "max_grid": 16, "max_hidden": 64},
    "ast": {"epochs": 6, "width": 48},
}
PAIR, STAGES, BLOCKS = "pair", "stages", "blocks"
COLUMNS = ("product", "detector", "seed", "rule", "figure")


@dataclass(frozen=True, eq=False)
class Reading:
    """A layer, or the pair: its criterion, and the test images' calibrated maps and, of some methods, own scores."""

    layers: LayerSet
    depth: str
    size: int
    criterion: float
    maps: np.ndarray
    scores: np.ndarray | None


def main() -> None:
    options = parsed()
    table = options.out / "methods.csv"
    table.parent.mkdir(parents=True, exist_ok=True)
    for detector in options.detectors.split(","):
        for name in names(options.stand_ins)[:: options.every]:
            if (name, detector, options.seed) in rows_done(table, "product", "detector", "seed"):
                continue
            kind = name.removeprefix("elpv_")
            product = solar_cells(kind) if name.startswith("elpv") else stand_in(options.stand_ins / name)
            rows = list(measured_rules(product, read_all(product, detector, options.seed, options.layers)))
            common = {"product": name, "detector": detector, "seed": options.seed}
            append_rows(table, COLUMNS, [{**common, **row} for row in rows])
            print(detector, name, {row["rule"]: round(100 * row["figure"], 1) for row in rows}, flush=True)
    report(pd.read_csv(table))


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stand_ins", type=Path)
    parser.add_argument("--out", type=Path, default=Path("docs/studies"))
    parser.add_argument("--detectors", default="gaussian")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--layers", type=int, default=15, help="so many, spread evenly over the network")
    return parser.parse_args()


def read_all(product: Product, name: str, seed: int, count: int) -> list[Reading]:
    """So many layers spread evenly over the network, and those that are read as one."""
    extractor = Extractor()
    (detector,) = make_detectors(name, SETTINGS.get(name, {}), seed).values()
    validation = make_validation_set(product.good, AUTO_KINDS, seed, may_drop=True).with_originals()
    unique = [layer for layer in extractor.layers if not layer.same_as]
    depth_of = depths(unique)
    sets: dict[LayerSet, str] = {(one,): depth_of[one] for one in evenly([layer.name for layer in unique], count)}
    sets |= {extractor.default_pair: PAIR, stage_ends(unique): STAGES, blocks(unique): BLOCKS}
    return list(read(extractor, product, validation, detector, sets))


def blocks(layers: Sequence[Layer]) -> LayerSet:
    """The ends of blocks from stride 8 on, without the network's head."""
    deep = {layer.name for layer in layers if layer.stride >= 8 and layer.block != "output"}
    return tuple(name for name in levels(layers) if name in deep)


def read(
    extractor: Extractor, product: Product, validation: ValidationSet, detector: Detector, sets: Mapping[LayerSet, str]
) -> Iterator[Reading]:
    judge = LayerEvaluator(validation, MAP_SIDE)
    members = [MemberSpec(layers, detector.__class__(**detector.get_params())) for layers in sets]
    fit_detectors(extractor, validation.train, members)
    on_made = predict_raw(extractor, validation.measured, members)
    on_real = predict_raw(extractor, product.test, members)
    for layers, made, real in zip(sets, on_made, on_real, strict=True):
        parts = validation.parted(made.maps)
        calibrator = MapCalibrator.of(parts[GOOD])
        calibrated = {kind: np.stack([calibrator(one) for one in stack]) for kind, stack in parts.items()}
        own = None if made.scores is None else validation.parted(made.scores)
        figures = judge.figures(judge.upsampled(calibrated), own and scaled(own))
        maps = np.stack([upsample(calibrator(one), MAP_SIDE) for one in real.maps]).astype(np.float16)
        scores = None if own is None or real.scores is None else ScoreStandardizer.of(own[GOOD])(real.scores)
        layer = extractor.layer(layers[0])
        yield Reading(
            layers, sets[layers], layer.channels * layer.height * layer.width, criterion(figures), maps, scores
        )


def measured_rules(product: Product, readings: Sequence[Reading]) -> Iterator[dict]:
    singles = [measure(product, {one: 1.0}) for one in readings if one.depth in DEPTHS]
    yield {"rule": "best of these layers in hindsight", "figure": max(singles)}
    for rule, choose in RULES.items():
        yield {"rule": rule, "figure": measure(product, choose(readings))}


def measure(product: Product, weights: Mapping[Reading, float]) -> float:
    """P_h of the weighted mean of the maps, and of the scores where a method has its own; AU-ROC without masks."""
    total = np.asarray(sum(np.float32(weight) * one.maps.astype(np.float32) for one, weight in weights.items()))
    own = [weight * one.scores for one, weight in weights.items() if one.scores is not None]
    image = auroc(sum(own) if own else total.max(axis=(1, 2)), product.labels)
    return image if product.truth is None else harmonic_mean(image, product.truth.aupro(total))


def winners(readings: Sequence[Reading], asked: Sequence[str] = DEPTHS) -> list[Reading]:
    """The best layer of each depth, the smaller of equals."""
    chosen = []
    for depth in asked:
        rivals = [one for one in readings if one.depth == depth]
        if rivals:
            best = max(one.criterion for one in rivals)
            near = [one for one in rivals if one.criterion >= best - NEGLIGIBLE]
            chosen.append(min(near, key=lambda one: (one.size, -one.criterion)))
    return chosen


def pair_of(readings: Sequence[Reading], name: str = PAIR) -> Reading:
    return next(one for one in readings if one.depth == name)


def alone(readings: Sequence[Reading], joined: Sequence[str]) -> dict[Reading, float]:
    return {pair_of(readings, name): 1 / len(joined) for name in joined}


def singles_only(
    readings: Sequence[Reading], asked: Sequence[str] = DEPTHS, temperature: float = TEMPERATURE
) -> dict[Reading, float]:
    return weighed(winners(readings, asked) or winners(readings), temperature)


def where_it_leads(readings: Sequence[Reading], bonus: float = 0.0) -> dict[Reading, float]:
    """The pair joins where its criterion and the bonus are the highest, and counts as much."""
    pair, chosen = pair_of(readings), winners(readings)
    best = max(one.criterion for one in readings if one.depth in DEPTHS)
    raised = replace(pair, criterion=pair.criterion + bonus)
    return weighed([raised, *chosen] if raised.criterion >= best else chosen)


def always(
    readings: Sequence[Reading],
    bonus: float = 0.0,
    asked: Sequence[str] = DEPTHS,
    temperature: float = TEMPERATURE,
) -> dict[Reading, float]:
    """The pair is one of the choices; the bonus raises its criterion."""
    pair = pair_of(readings)
    return weighed([replace(pair, criterion=pair.criterion + bonus), *winners(readings, asked)], temperature)


def those_above(readings: Sequence[Reading], margin: float = 0.0) -> dict[Reading, float]:
    """The pair, and of the depths' winners those that see more than it by the margin."""
    pair = pair_of(readings)
    return weighed([pair, *(one for one in winners(readings) if one.criterion >= pair.criterion + margin)])


def shared(readings: Sequence[Reading], share: float) -> dict[Reading, float]:
    """The pair has this share, the depths' winners the rest."""
    rest = {one: (1 - share) * weight for one, weight in weighed(winners(readings)).items()}
    return {pair_of(readings): share, **rest}


DEEP = ("medium", "coarse")
RULES: dict[str, Callable[[Sequence[Reading]], dict[Reading, float]]] = {
    "fixed pair": partial(alone, joined=(PAIR,)),
    "stages": partial(alone, joined=(STAGES,)),
    "blocks": partial(alone, joined=(BLOCKS,)),
    "pair and stages": partial(alone, joined=(PAIR, STAGES)),
    "pair and blocks": partial(alone, joined=(PAIR, BLOCKS)),
    "a layer of each depth (without the pair)": singles_only,
    "no fine layers": partial(singles_only, asked=DEEP),
    "coarse only": partial(singles_only, asked=("coarse",)),
    "a layer of each depth, T 1.2": partial(singles_only, temperature=1.2),
    "a layer of each depth, T 0.3": partial(singles_only, temperature=0.3),
    "pair where it leads": where_it_leads,
    **{f"pair where it leads, bonus {bonus}": partial(where_it_leads, bonus=bonus) for bonus in (0.3, 0.6, 1.0)},
    "pair always": always,
    **{f"pair always, bonus {bonus}": partial(always, bonus=bonus) for bonus in (0.3, 0.6, 1.0, 1.5, 2.0)},
    "pair always, no fine layers": partial(always, asked=DEEP),
    "pair always, bonus 0.6, no fine layers": partial(always, asked=DEEP, bonus=0.6),
    "pair always, coarse only": partial(always, asked=("coarse",)),
    "pair always, T 1.2": partial(always, temperature=1.2),
    "pair, and layers that see more": those_above,
    "pair, and layers that see more by 0.6": partial(those_above, margin=0.6),
    "pair half": partial(shared, share=0.5),
    "pair two thirds": partial(shared, share=2 / 3),
    "pair three quarters": partial(shared, share=0.75),
}


def report(rows: pd.DataFrame) -> None:
    """Mean figures of each rule in percent, its worst loss against the fixed pair, and where it wins, by method."""
    for detector, own in rows.groupby("detector", sort=False):
        figures = 100 * own.pivot_table(index="rule", columns="product", values="figure", sort=False)
        gain = figures - figures.loc["fixed pair"]
        print(f"\n{detector}, {figures.shape[1]} products\n\n| rule | mean | worst against the pair | wins |")
        print("|---|---|---|---|")
        for rule in figures.index:
            wins = (gain.loc[rule] > 0).sum()
            print(f"| {rule} | {figures.loc[rule].mean():.1f} | {gain.loc[rule].min():+.1f} | {wins} |")


if __name__ == "__main__":
    main()
