"""What should be read where good pictures are too few to choose by? Compared on products that no figure is reported on.

    python -m benchmarks.rules.stand_ins DATA/dtd_textures --out STAND_INS
    python -m benchmarks.rules.small_stand_ins DATA/dtd_textures --out STAND_INS
    python -m benchmarks.rules.few STAND_INS --out docs/studies

Products: every other one of those of `readings`, each with at most 60 test pictures. From 1 and 4 pictures each
fixed rule learns as they are, or turned and mirrored (8 orientations); from 1 also, alone, from changed copies of it,
as `fit` did before. From 8 the search is compared with the rules: alone, and in equal parts with the ends of stages.
Banks of 400, maps at 128 x 128. Rows are appended as they are made: run it again to go on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product as pairs_of
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone

from benchmarks._exam import SIDE, append_rows, rows_done
from benchmarks.rules.fusion import MAP_SIDE, Product, parsed, solar_cells, stand_in
from benchmarks.rules.readings import OFFICIAL, names
from flawsight.data import LABEL_PRESERVING, ORIENTATIONS, augmented, folds, turned
from flawsight.detectors import PatchCore
from flawsight.features import Extractor
from flawsight.inference import MemberSpec, fit_detectors, predict_raw
from flawsight.metrics import auroc, harmonic_mean
from flawsight.pipeline.learn import cross_fit
from flawsight.scoring import MapCalibrator, upsample
from flawsight.selection import LayerSelection
from flawsight.views import Inputs, View

Key = tuple[str, Any]
"""The layers, by name, and the window, or how they are joined."""
BANK: dict[str, Any] = {"bank_size": 400, "max_descriptors": 6000}
LAYERS = {
    "fine": ("blocks.1.1.add",),
    "medium": ("blocks.2.1.add",),
    "coarse": ("blocks.4.2.add",),
    "pair": ("blocks.2.1.add", "blocks.4.2.add"),
}
COPIES = 10
MOST_CELLS = 30
LEARNED = {1: ("as it is", "turned", "changed copies"), 4: ("as it is", "turned"), 8: ("as it is",)}
COLUMNS = ("product", "pictures", "seed", "learned", "rule", "figure")


def readings(layers: Sequence[str], windows: Sequence[int]) -> list[Key]:
    return list(pairs_of(layers, windows))


ENDS = ("fine", "medium", "coarse")
RULES: dict[str, list[Key]] = {
    "pair joined": [("pair", 3)],
    "pair joined, single positions": [("pair", 1)],
    "pair joined, both": readings(["pair"], (3, 1)),
    "pair joined, official": [("pair", "official")],
    "pair apart (the rule before)": readings(ENDS[1:], (3,)),
    "pair apart, both": readings(ENDS[1:], (3, 1)),
    "ends of stages": readings(ENDS, (3,)),
    "ends of stages, both": readings(ENDS, (3, 1)),
    "ends of stages and pair": readings([*ENDS, "pair"], (3,)),
    "ends of stages and pair, both": readings([*ENDS, "pair"], (3, 1)),
    "finest end and pair, both": readings(["fine", "pair"], (3, 1)),
    "finest end, both": readings(["fine"], (3, 1)),
    "two finest ends, both": readings(ENDS[:2], (3, 1)),
}


def main() -> None:
    options = parsed(__doc__)
    table = options.out / "few.csv"
    table.parent.mkdir(parents=True, exist_ok=True)
    extractor = Extractor()
    for name in names(options.stand_ins)[::2]:
        done = rows_done(table, "product", "pictures", "seed", "learned")
        cases = [(count, way) for count, ways in LEARNED.items() for way in ways]
        left = [(count, way) for count, way in cases if (name, count, options.seed, way) not in done]
        found = read(options.stand_ins, name) if left else None
        for count, way in left:
            assert found is not None
            drawn = np.random.default_rng(options.seed).permutation(len(found.good))[:count]
            good = [found.good[index] for index in drawn]
            known = {"product": name, "pictures": count, "seed": options.seed, "learned": way}
            rows = [{**known, **row} for row in measured(extractor, found, good, way, options.seed)]
            append_rows(table, COLUMNS, rows)
            print(*known.values(), {row["rule"]: round(100 * row["figure"], 1) for row in rows}, flush=True)
    report(pd.read_csv(table))


def read(stand_ins: Path, name: str) -> Product:
    if not name.startswith("elpv"):
        return stand_in(stand_ins / name)
    cells = solar_cells(name.removeprefix("elpv_"))
    kept = [place for label in (0, 1) for place in np.flatnonzero(np.equal(cells.labels, label))[:MOST_CELLS]]
    return replace(cells, test=[cells.test[at] for at in kept], labels=[cells.labels[at] for at in kept])


def measured(
    extractor: Extractor, product: Product, good: Sequence[np.ndarray], way: str, seed: int
) -> Iterator[dict[str, Any]]:
    """The figure of every rule."""
    keys = dict.fromkeys(key for rule in RULES.values() for key in rule)
    fixed = {key: MemberSpec(LAYERS[key[0]], reader(key[1])) for key in keys}
    chosen = searched(extractor, good, seed) if way == "as it is" and len(good) >= 8 else []
    maps = calibrated(extractor, good, product.test, [*fixed.values(), *chosen], way)
    of_key = dict(zip(fixed, maps, strict=False))
    for rule, keys in RULES.items():
        yield {"rule": rule, "figure": figure(product, np.mean([of_key[key] for key in keys], axis=0))}
    if chosen:
        alone = sum(member.weight * one for member, one in zip(chosen, maps[len(fixed) :], strict=True))
        ends = np.mean([of_key[key] for key in RULES["ends of stages, both"]], axis=0)
        yield {"rule": "search", "figure": figure(product, alone)}
        yield {"rule": "search and ends of stages, both", "figure": figure(product, (alone + ends) / 2)}


def reader(way: int | str) -> PatchCore:
    return PatchCore(embed_dim=OFFICIAL, **BANK) if way == "official" else PatchCore(neighbourhood=int(way), **BANK)


def searched(extractor: Extractor, good: Sequence[np.ndarray], seed: int) -> list[MemberSpec]:
    detector = PatchCore(seed=seed, **BANK)
    selection = LayerSelection(detector, seed=seed).fit(extractor, good)
    names = {"patchcore": detector}
    return [
        MemberSpec(one.candidate.layers, clone(one.candidate.reader(names)), one.weight) for one in selection.selected_
    ]


def calibrated(
    extractor: Extractor, good: Sequence[np.ndarray], test: Sequence[np.ndarray], members: list[MemberSpec], way: str
) -> list[np.ndarray]:
    """The test pictures' maps by each member, as -log of the share of held-out good pixels that exceed a value."""
    if way == "changed copies":
        good = changed(good[0])
    source = turned(good, ORIENTATIONS) if way == "turned" else good
    if len(good) == 1:
        fit_detectors(extractor, source, members)
        held_out = [one.maps for one in predict_raw(extractor, changed(good[0]), members)]
    else:
        inputs = Inputs(good, [View("squash", SIDE).frame((SIDE, SIDE))] * len(good))
        fitted = cross_fit(extractor, inputs, members, folds(len(good), 5, 0), copies=source)
        held_out = [np.stack([one[at].maps for one in fitted.held_out]) for at in range(len(members))]
        members = list(fitted.members)
    scales = [MapCalibrator.of(one) for one in held_out]
    found = predict_raw(extractor, test, members)
    return [
        np.stack([upsample(scale(one), MAP_SIDE) for one in raw.maps]) for scale, raw in zip(scales, found, strict=True)
    ]


def changed(image: np.ndarray) -> list[np.ndarray]:
    made = augmented([image], 10 * COPIES, LABEL_PRESERVING, seed=0)
    return [copy for one in made if not np.array_equal(copy := np.asarray(one), image)][:COPIES]


def figure(product: Product, maps: np.ndarray) -> float:
    """P_h; AU-ROC where there are no masks."""
    image = auroc(maps.max(axis=(1, 2)), product.labels)
    return image if product.truth is None else harmonic_mean(image, product.truth.aupro(maps))


def report(rows: pd.DataFrame) -> None:
    """Print the mean P_h of each rule in percent, and after the slash the solar cells' AU-ROC.

    Of other ways to learn the mean difference from learning from the pictures as they are, on the same products.
    """
    rows = rows.assign(figure=100 * rows["figure"], cells=rows["product"].str.startswith("elpv"))
    keys = ["rule", "pictures", "product", "cells"]
    plain = rows[rows["learned"] == "as it is"].set_index(keys)["figure"]
    heads, columns = [], []
    for (count, way), group in rows.groupby(["pictures", "learned"], sort=False):
        values = group.set_index(keys)["figure"]
        if way != "as it is":
            values = (values - plain).dropna()
        heads.append(f"{count}, {way} ({values.index.get_level_values('product').nunique()} products)")
        mean, sign = values.groupby(["rule", "cells"]).mean(), "" if way == "as it is" else "+"
        columns.append({key: f"{value:{sign}.1f}" for key, value in mean.items()})
    print(f"\n| rule | {' | '.join(heads)} |\n|---|{'---|' * len(heads)}")
    for rule in dict.fromkeys(rows["rule"]):
        cells = [" / ".join(column.get((rule, kind), "–") for kind in (False, True)) for column in columns]
        print(f"| {rule} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
