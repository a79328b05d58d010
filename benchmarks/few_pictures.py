"""One to sixteen good pictures: what `fit` makes of them, beside a fixed pair of layers and anomalib's PatchCore.

    python -m benchmarks few_pictures DATA --out docs/studies

For every category folder of DATA (MVTec AD layout), number of good pictures and seed, all methods learn from the same
pictures and are measured on the same at most 60 test pictures, at 256 x 256, by one network with the same weights:
  auto                    the default fit
  auto, turned            the same where the owner says that parts may be mirrored and turned
  fixed pair              the customary pair of layers, read as one
  fixed pair, official    joined as PatchCore's authors do
  anomalib                its PatchCore on that pair as it ships: a tenth of the descriptors, 9 neighbours
  anomalib, bank of 1000  the same with as many descriptors as ours
Rows are appended as they are made: run it again to go on.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from benchmarks import _anomalib
from benchmarks._exam import CATEGORIES, SIDE, append_rows, chosen, draw_test, measure, rows_done, small_mask
from benchmarks._inputs import good_paths
from benchmarks.inference import NEIGHBOURS, SHARE
from flawsight.data import LABEL_PRESERVING, ORIENTATIONS, open_dataset, read_image
from flawsight.detectors import PatchCore
from flawsight.features import Extractor
from flawsight.inference import MemberSpec, fit_detectors, predict_raw
from flawsight.metrics import PixelTruth
from flawsight.pipeline import fit
from flawsight.views import View, resize_image

COUNTS = (1, 2, 4, 8, 16)
COLUMNS = ("category", "pictures", "seed", "method", "layers", "auroc", "aupro_0.30", "p_h")
BANK, TOGETHER = 1000, 8
Answers = tuple[np.ndarray, np.ndarray | None]
"""Maps of the test pictures, and scores where they are not the maps' maxima."""
Found = tuple[str, Answers]
"""The layers that were read, and what was found."""


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks few_pictures",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, default=Path("docs/studies"))
    parser.add_argument("--categories", nargs="*", default=CATEGORIES)
    parser.add_argument("--methods", nargs="*", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--counts", type=int, nargs="*", default=COUNTS)
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--most-test", type=int, default=60)
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    table = options.out / "few_pictures.csv"
    for seed, category in product(options.seeds, options.categories):
        done = rows_done(table, "category", "pictures", "seed", "method")
        wanted = product(options.counts, options.methods)
        left = [(count, name) for count, name in wanted if (category, count, seed, MADE_BY[name]) not in done]
        test = Test(options.data / category, options.most_test) if left else None
        for count, name in left:
            assert test is not None
            paths = good_paths(options.data / category, count, seed)
            known = {"category": category, "pictures": count, "seed": seed}
            rows = [
                {**known, "method": method, "layers": layers, **test.figures(answers)}
                for method, (layers, answers) in METHODS[name](paths, test.squares, seed).items()
            ]
            append_rows(table, COLUMNS, rows)
            print(*known.values(), {row["method"]: round(100 * row["p_h"], 1) for row in rows}, flush=True)
    report(table)


class Test:
    """The test pictures as squares, and what is true of them."""

    def __init__(self, folder: Path, most: int) -> None:
        samples = list(draw_test(open_dataset(folder), most))
        pictures = [read_image(sample.path) for sample in samples]
        self.squares = [resize_image(picture, SIDE) for picture in pictures]
        self.labels = [sample.label for sample in samples]
        self.truth = PixelTruth(
            [small_mask(sample, picture) for sample, picture in zip(samples, pictures, strict=True)]
        )

    def figures(self, answers: Answers) -> dict[str, float]:
        found = measure(answers[0], self.labels, self.truth, answers[1])
        return dict(zip(COLUMNS[-3:], found, strict=True))


def by_default(paths: Sequence[Path], squares: Sequence[np.ndarray], seed: int, **options: Any) -> dict[str, Found]:
    inspector = fit(paths, seed=seed, pod=False, **options)
    assert inspector.view == View("squash", SIDE), f"{inspector.view.text} is not what the others see"
    return {"auto": (chosen(inspector), inspector.backend.predict(squares))}


def turned_too(paths: Sequence[Path], squares: Sequence[np.ndarray], seed: int) -> dict[str, Found]:
    changes = (*LABEL_PRESERVING, *ORIENTATIONS)
    return {"auto, turned": by_default(paths, squares, seed, label_preserving=changes)["auto"]}


def pairs(paths: Sequence[Path], squares: Sequence[np.ndarray], seed: int) -> dict[str, Found]:
    extractor = Extractor(image_size=SIDE)
    detectors = {
        "fixed pair": PatchCore(bank_size=BANK, seed=seed),
        "fixed pair, official": PatchCore(bank_size=BANK, embed_dim=1024, seed=seed),
    }
    members = [MemberSpec(extractor.default_pair, detector) for detector in detectors.values()]
    fit_detectors(extractor, read(paths), members)
    found = predict_raw(extractor, squares, members)
    pair = "+".join(extractor.default_pair)
    return {method: (pair, (one.maps, None)) for method, one in zip(detectors, found, strict=True)}


def peers(paths: Sequence[Path], squares: Sequence[np.ndarray], seed: int) -> dict[str, Found]:
    extractor = Extractor(image_size=SIDE)
    model = _anomalib.torch_model(extractor)
    descriptors = _anomalib.embeddings(model, extractor, read(paths))
    sizes = {"anomalib": int(SHARE * len(descriptors)), "anomalib, bank of 1000": min(BANK, len(descriptors))}
    found = {}
    for method, size in sizes.items():
        fitted = _anomalib.with_bank(model, descriptors, size, NEIGHBOURS, seed)
        with torch.no_grad():
            starts = range(0, len(squares), TOGETHER)
            parts = [fitted(extractor.preprocess(squares[start : start + TOGETHER])) for start in starts]
        maps = torch.cat([one.anomaly_map for one in parts])[:, 0].numpy()
        scores = torch.cat([one.pred_score for one in parts]).flatten().numpy()
        found[method] = "+".join(extractor.default_pair), (maps, scores)
    return found


def read(paths: Sequence[Path]) -> list[np.ndarray]:
    return [resize_image(read_image(path), SIDE) for path in paths]


METHODS: dict[str, Callable[[Sequence[Path], Sequence[np.ndarray], int], dict[str, Found]]] = {
    "auto": by_default,
    "turned": turned_too,
    "pairs": pairs,
    "anomalib": peers,
}
MADE_BY = {"auto": "auto", "turned": "auto, turned", "pairs": "fixed pair", "anomalib": "anomalib"}


def report(table: Path) -> None:
    """Print P_h by the number of pictures, the mean over seeds: of every product, and the mean where all have one."""
    rows = pd.read_csv(table)
    figures = 100 * rows.pivot_table(index=["category", "method"], columns="pictures", values="p_h", sort=False)
    figures = figures[sorted(figures.columns)]
    methods = [name for name in dict.fromkeys(rows["method"]) if name != "auto"]
    head = f"{' | '.join(map(str, figures.columns))} |\n|---|{'---|' * figures.shape[1]}"
    print(f"\nP_h of {' / '.join(['auto', *methods])}:\n\n| product | {head}")
    for category in dict.fromkeys(rows["category"]):
        one = figures.loc[category].reindex(["auto", *methods])
        print(f"| {category} | {' | '.join(' / '.join(map(shown, one[count])) for count in figures)} |")
    print(f"\n| mean over products | {head}")
    for method in ["auto", *methods]:
        means = figures.xs(method, level="method").reindex(dict.fromkeys(rows["category"])).mean(skipna=False)
        print(f"| {method} | {' | '.join(map(shown, means))} |")
    leads = figures.xs("auto", level="method") - figures.drop("auto", level="method")
    print(f"\n| products on which auto is ahead of | {head}")
    for method in methods:
        lead = leads.xs(method, level="method")
        print(f"| {method} | {' | '.join(f'{(lead[at] > 0).sum()} of {lead[at].count()}' for at in figures)} |")
    print("\nSeeds: " + ", ".join(map(str, sorted(rows["seed"].unique()))))


def shown(value: float) -> str:
    return "–" if np.isnan(value) else f"{value:.1f}"
