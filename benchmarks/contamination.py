"""What do defects among the good pictures cost, and what is found of them?

    python -m benchmarks contamination DATA --out docs/studies

For every category (MVTec AD layout), seed and share: so many of the good pictures, rounded up, are replaced by test
pictures of real defects, which then are no longer tested on; the test set is the same for all shares. `default` is
`fit` as it is, which counts every picture, `dropped` is --drop-suspects, measured where a tenth is replaced. To save
time layers are searched among the ends of the network's blocks, nothing is found out of the size of defects, and by
default nobody looks for suspects, which changes nothing of the inspector. Rows are appended: run it again to go on.
"""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

from benchmarks._exam import SIDE, append_rows, rows_done
from flawsight.core import Silent
from flawsight.data import Dataset, open_dataset
from flawsight.inspection import evaluate
from flawsight.pipeline import run_fit
from flawsight.settings import FitSettings

CATEGORIES = ("cookie", "paper_pa_bft01_tl", "kolektorsdd_tiles", "magnetic_tile")
MOST_SHARE = 0.2
"""So many defects are never tested on, whatever the share."""
LAYERS = "blocks.*.add"
METHODS = {"default": {"all_good": True}, "dropped": {"drop_suspects": True}}
DROPPED_AT = 0.1
FIGURES = ("auroc", "aupro_0.30", "p_h", "false_alarm_rate", "detection_rate")
COLUMNS = (
    "category", "seed", "share", "pictures", "defective", "method", "left_out", "left_out_defective",
    "stated", "threshold", *FIGURES, "seconds",
)  # fmt: skip


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks contamination",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, default=Path("docs/studies"))
    parser.add_argument("--categories", nargs="*", default=CATEGORIES)
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--shares", type=float, nargs="*", default=[0.0, 0.1, 0.05, 0.2, 0.01])
    parser.add_argument("--most-good", type=int, default=40)
    parser.add_argument("--most-test", type=int, default=60)
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    table = options.out / "contamination.csv"
    for seed in options.seeds:
        for category in options.categories:
            for share in options.shares:
                if (category, seed, share) in rows_done(table, "category", "seed", "share"):
                    continue
                rows = study(options.data / category, seed, share, options.most_good, options.most_test)
                append_rows(
                    table, COLUMNS, [{"category": category, "seed": seed, "share": share, **row} for row in rows]
                )
                said = {row["method"]: (round(100 * row["p_h"], 1), round(row["detection_rate"], 2)) for row in rows}
                print(category, seed, share, said, flush=True)
    report(table)


def study(folder: Path, seed: int, share: float, most_good: int, most_test: int) -> list[dict]:
    dataset = open_dataset(folder)
    rng = np.random.default_rng([seed, 7])
    good = np.array(sorted(sample.path for sample in dataset.select(split="train")))
    rng.shuffle(good)
    bad = [sample for sample in dataset.select(split="test") if sample.label == 1]
    bad = [bad[number] for number in rng.permutation(len(bad))]
    count = min(most_good, len(good))
    mixed = [sample.path for sample in bad[: share_of(count, share)]]
    tested = [*(one for one in dataset.select(split="test") if one.label == 0), *bad[share_of(count, MOST_SHARE) :]]
    drawn = np.sort(np.random.default_rng(0).permutation(len(tested))[:most_test])
    test = Dataset([tested[number] for number in drawn], dataset.root, dataset.layout)
    paths = [*good[: count - len(mixed)], *mixed]
    rows: list[dict] = []
    with TemporaryDirectory() as work:  # the same search serves all methods
        for method, how in METHODS.items():
            if method == "dropped" and share != DROPPED_AT:
                continue
            rows.append({"method": method, **measured(paths, set(mixed), test, how, seed, Path(work))})
    return rows


def share_of(count: int, share: float) -> int:
    """So many of them, rounded up: of few pictures the smallest share is one."""
    return math.ceil(round(share * count, 6))


def measured(paths: list[Path], mixed: set[Path], test: Dataset, how: dict, seed: int, work: Path) -> dict:
    start = time.perf_counter()
    result = run_fit(
        FitSettings.of({"good": paths, "out": None, "seed": seed, "layers": LAYERS, "pod": False, **how}),
        Silent(),
        work,
    )
    seconds = time.perf_counter() - start
    left_out = [one for one in result.record.suspects or () if one.is_left_out]
    point, figures = result.inspector.manifest.operating_point, evaluate(result.inspector, test, SIDE)
    return {
        "pictures": len(paths),
        "defective": len(mixed),
        "left_out": len(left_out),
        "left_out_defective": sum(one.path in mixed for one in left_out),
        "stated": point.rate,
        "threshold": point.threshold,
        **{name: figures[name] for name in FIGURES},
        "seconds": seconds,
    }


def report(table: Path) -> None:
    """Print the means over seeds, what any threshold could reach that counts all, and what is lost against clean.

    That is against the same seeds.
    """
    rows = pd.read_csv(table)
    clean = rows[rows["share"] == 0].set_index(["category", "seed"])["p_h"]
    rows["lost"] = rows["p_h"] - clean.reindex(pd.MultiIndex.from_frame(rows[["category", "seed"]])).to_numpy()
    print(
        "\n| category | share | fit | seeds | defective | of these left out | good left out | P_h | against clean | "
        "detected | at most | false alarms |\n|---|---|---|---|---|---|---|---|---|---|---|---|"
    )
    order = {category: number for number, category in enumerate(dict.fromkeys(rows["category"]))}
    rows = rows.assign(order=rows["category"].map(order)).sort_values(["order", "share"], kind="stable")
    for (category, share, method), group in rows.groupby(["category", "share", "method"], sort=False):
        wrong = group["left_out"] - group["left_out_defective"]
        most = f"{most_found(group):.0%}" if method == "default" else "-"
        print(
            f"| {category} | {share:.0%} | {method} | {len(group)} | "
            f"{group['defective'].iloc[0]} of {group['pictures'].iloc[0]} | {group['left_out_defective'].mean():.1f} | "
            f"{wrong.mean():.1f} | {100 * group['p_h'].mean():.1f} | {100 * group['lost'].mean():+.1f} | "
            f"{group['detection_rate'].mean():.0%} | {most} | {group['false_alarm_rate'].mean():.1%} |"
        )


def most_found(group: pd.DataFrame) -> float:
    """The largest share of such defects that any threshold stops which counts all pictures as good, as they are."""
    allowed = (group["stated"] * (group["pictures"] + 1)).round()
    return float((allowed / (group["defective"] + 1)).clip(upper=1).mean())
