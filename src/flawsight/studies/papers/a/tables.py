"""Paper A's tables, from the rows of single layers: who is chosen by what, and what that is worth on real defects."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Sequence

import pandas as pd

from flawsight.metrics import Metrics, harmonic_mean
from flawsight.selection import criterion
from flawsight.studies.layers import PAIR
from flawsight.studies.papers.a.measure import AUTO, AUTO_KINDS, FIGURES
from flawsight.studies.tables import MADE, Table, pivot

SAID = {"simple": "Simple", "cutpaste": "CutPaste", "nsa": "NSA"}
OURS, BASELINE, HINDSIGHT = "ours", "mean of all layers", "best layer in hindsight"
TITLES = {"p_h": "P_h", "auroc": "AU-ROC", "aupro": "AU-PRO"}
BEST = (1, 2, 3, 4)
RUN = ("category", "network", "method", "seed")
Criterion = Callable[[pd.DataFrame], pd.Series]


def with_networks(frame: pd.DataFrame) -> pd.DataFrame:
    """With the column `network`: its name, weights and image size, as far as they differ."""
    sizes = frame["image_size"].nunique() > 1
    network = frame["extractor"] + frame["weights"].where(frame["weights"] == "", " (" + frame["weights"] + ")")
    if sizes:
        network += " at " + frame["image_size"].astype(str)
    return frame.assign(network=network)


def p_h_on(kind: str) -> Criterion:
    """P_h on one kind of synthetic defect (Eq. 3)."""

    def of(layers: pd.DataFrame) -> pd.Series:
        pairs = zip(layers[f"auroc_{kind}"], layers[f"aupro_{kind}"], strict=True)
        return pd.Series([harmonic_mean(*pair) for pair in pairs], layers.index, dtype=float)

    return of


def auroc_on(kind: str) -> Criterion:
    """AU-ROC on one kind of synthetic defect."""
    return lambda layers: layers[f"auroc_{kind}"]


def on_real_defects(layers: pd.DataFrame) -> pd.Series:
    """P_h on the test images: what nobody knows who chooses."""
    return layers["p_h"]


def ours(layers: pd.DataFrame) -> pd.Series:
    """Our criterion on our mixture of kinds, those that found a place on this product."""
    kinds = [kind for kind in AUTO_KINDS if layers[f"auroc_{kind}"].notna().any()]

    def of(row: pd.Series) -> float:
        figures = {kind: Metrics(float(row[f"auroc_{kind}"]), float(row[f"aupro_{kind}"])) for kind in kinds}
        return criterion(figures) if figures else math.nan

    return pd.Series([of(row) for _, row in layers.iterrows()], layers.index, dtype=float)


def runs(frame: pd.DataFrame) -> Iterator[tuple[dict[str, object], pd.DataFrame, bool]]:
    """For each category, network, method and seed: who it is, its measured single layers, and whether these are all."""
    single = with_networks(frame[~frame["layers"].isin([PAIR, AUTO])])
    for key, layers in single.groupby(list(RUN), sort=False):
        made = layers[layers["status"] == MADE]
        yield dict(zip(RUN, key, strict=True)), made, len(made) == len(layers)


def chosen(frame: pd.DataFrame, criteria: dict[str, Criterion], most: Sequence[int] = (1,)) -> pd.DataFrame:
    """A line for each run, criterion and k in `most`: the mean figures on real defects of its best k layers.

    And the mean of all layers (Sec. 4.2). Of layers that are equally good the first in the network is taken.
    """
    lines = []
    for run, made, is_whole in runs(frame):
        for name, of in criteria.items():
            ranked = of(made).dropna().sort_values(ascending=False, kind="stable").index
            some = [(name, str(count), ranked[:count]) for count in most if count <= max(1, len(made))]
            lines += [_line(run, *one, made, is_whole) for one in some]
        lines.append(_line(run, BASELINE, "all", made.index, made, is_whole))
    return pd.DataFrame(lines)


def _line(
    run: dict[str, object], by: str, best: str, index: pd.Index, layers: pd.DataFrame, is_whole: bool
) -> dict[str, object]:
    """The mean of these layers; NaN where a figure is missing of one of them, as where there are none."""
    some = layers.loc[index]
    figures = some[list(FIGURES)].mean(skipna=False)
    return {**run, "by": by, "best": best, "reads": " ".join(some["reads"]), "is_whole": is_whole, **figures}


def _of_kinds() -> dict[str, Criterion]:
    return {said: p_h_on(kind) for kind, said in SAID.items()}


def table_1(frame: pd.DataFrame) -> list[Table]:
    """The layer that each kind of defect chooses."""
    return tables_of_figures(chosen(frame, {**_of_kinds(), OURS: ours}), "of the layer chosen by defects of this kind")


def table_2(frame: pd.DataFrame) -> list[Table]:
    """One chosen layer, the pair joined in two ways, and our search; beside an average layer and the best one."""
    criteria = {"one layer (paper A)": p_h_on("nsa"), "one layer (ours)": ours, HINDSIGHT: on_real_defects}
    one = chosen(frame, criteria)
    several = with_networks(frame[frame["layers"].isin([PAIR, AUTO])])
    by = several["layers"] + several["variant"].where(several["variant"] == "", ", " + several["variant"])
    several = several.assign(by=by, is_whole=several["status"] == MADE)
    bounds = {name: one[one["by"] == name] for name in (BASELINE, HINDSIGHT)}
    picked = one[~one["by"].isin(list(bounds))]
    lines = [bounds[BASELINE], picked, several[[*RUN, "by", "is_whole", *FIGURES]], bounds[HINDSIGHT]]
    return tables_of_figures(pd.concat(lines), "of one chosen layer and of several", unrivalled=(HINDSIGHT,))


def table_3(frame: pd.DataFrame) -> list[Table]:
    """The choice by P_h and by AU-ROC on NSA's defects, and ours."""
    criteria = {"P_h on NSA": p_h_on("nsa"), "AU-ROC on NSA": auroc_on("nsa"), OURS: ours}
    return tables_of_figures(chosen(frame, criteria), "of the layer chosen by this criterion")


def table_4(frame: pd.DataFrame) -> list[Table]:
    """The mean of the best k layers."""
    lines = chosen(frame, _of_kinds() | {OURS: ours}, BEST)
    baseline = lines["by"] == BASELINE
    kinds = list(dict.fromkeys(lines["by"][~baseline]))
    everywhere = [lines[baseline].assign(by=kind) for kind in kinds]  # the mean of all is the same for every kind
    lines = pd.concat([lines[~baseline], *everywhere])
    found = []
    for (network, method), part in lines.groupby(["network", "method"], sort=False):
        for category, own in part.groupby("category", sort=False):
            title = f"P_h of the best layers on {category}, {method} on {network}"
            found.append(pivot(own, "best", "by", "p_h", title, with_mean=False))
    return found


def tables_of_figures(lines: pd.DataFrame, what: str, unrivalled: Collection[str] = ()) -> list[Table]:
    """For each network and method a table of P_h, AU-ROC and AU-PRO by category and the column `by`."""
    found = []
    for (network, method), part in lines.groupby(["network", "method"], sort=False):
        for figure, title in TITLES.items():
            said = f"{title} {what}, {method} on {network}"
            found.append(pivot(part, "category", "by", figure, said, unrivalled=unrivalled))
    return found
