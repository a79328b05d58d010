"""Does the receptive field tell the layer? Paper B leaves it as a hypothesis, paper A denies it.

B: "a certain defect size is captured best on a specific hierarchy level". If so, the nearer a layer's relative
receptive field is to the relative size of the defects, the better it is. Over all layers of all networks, for each
category, image size and seed, this is compared with what needs no knowledge of the real defects: the receptive field
alone (the smaller the better), and our criterion on synthetic defects.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pandas as pd
from scipy.stats import spearmanr

from flawsight.studies.figures import Point, scatter
from flawsight.studies.papers.b.ladder import signed
from flawsight.studies.papers.b.lines import real, synthetic
from flawsight.studies.tables import MADE, NOT_ALL, NOT_ALL_SAYS, Table, pivot

MATCH, SMALL, OURS = "RRF near the defects' size", "small RRF", "synthetic defects"
RULES: dict[str, Callable[[pd.DataFrame], pd.Series]] = {
    MATCH: lambda layers: -(layers["rrf"] - layers["defect_size"]).abs(),
    SMALL: lambda layers: -layers["rrf"],
    OURS: lambda layers: layers["criterion"],
}
"""What ranks layers, the higher the better."""
BEST, MEAN = "best layer, in hindsight", "mean of all layers"
RUN = ("method", "category", "image_size", "seed")
LEAST = 3
"""Fewer layers have no rank correlation to speak of."""


def layers_of(frame: pd.DataFrame) -> pd.DataFrame:
    """A line for each layer and run, with its real figures and its criterion."""
    keys = [*RUN, "network", "layers"]
    return real(frame).drop(columns="criterion").merge(synthetic(frame)[[*keys, "criterion"]], on=keys, how="left")


def correlations(frame: pd.DataFrame) -> pd.DataFrame:
    """A line for each run and rule: Spearman's `rho` of what it ranks by with P_h, over all layers that have both."""
    lines = []
    for run, layers in layers_of(frame).groupby(list(RUN), sort=False):
        for rule, of in RULES.items():
            both = pd.DataFrame({"by": of(layers), "p_h": layers["p_h"]}).dropna()
            is_said = len(both) >= LEAST and bool((both.nunique() > 1).all())
            rho = float(spearmanr(both["by"], both["p_h"]).statistic) if is_said else math.nan
            whole = len(both) == len(layers)
            lines.append({**dict(zip(RUN, run, strict=True)), "rule": rule, "rho": rho, "is_whole": whole})
    return pd.DataFrame(lines)


def choices(frame: pd.DataFrame) -> pd.DataFrame:
    """A line for each run and rule: P_h of the layer that it ranks first, with the best and the mean of all layers."""
    lines = []
    for run, layers in layers_of(frame).groupby(list(RUN), sort=False):
        is_whole = bool((layers["status"] == MADE).all())
        found = {rule: _first(layers, of(layers)) for rule, of in RULES.items()}
        found |= {BEST: layers["p_h"].max(), MEAN: layers["p_h"].mean()}
        own = {**dict(zip(RUN, run, strict=True)), "is_whole": is_whole}
        lines += [{**own, "rule": rule, "p_h": value} for rule, value in found.items()]
    return pd.DataFrame(lines)


def _first(layers: pd.DataFrame, by: pd.Series) -> float:
    known = by.dropna()
    return float(layers["p_h"].to_numpy()[by.index.get_loc(known.idxmax())]) if len(known) else math.nan


def tables(frame: pd.DataFrame) -> list[Table]:
    """The correlations, and what a choice by each rule is worth."""
    return [*_of_correlations(correlations(frame), _sizes(frame)), *_of_choices(choices(frame))]


def _sizes(frame: pd.DataFrame) -> dict[str, float]:
    means = frame.groupby("category", sort=False)["defect_size"].mean()
    return dict(zip(map(str, means.index), means.tolist(), strict=True))


def _of_correlations(found: pd.DataFrame, sizes: dict[str, float]) -> list[Table]:
    tables = []
    for method, part in found.groupby("method", sort=False):
        body = []
        for (category, side), own in part.groupby(["category", "image_size"], sort=False):
            size = sizes[str(category)]
            said = "–" if pd.isna(size) else f"{size:.2f}"
            body.append((str(category), said, str(side), *(_cell(own[own["rule"] == rule]) for rule in RULES)))
        if len(body) > 1:
            body.append(("mean and spread", "", "", *(_over_runs(part[part["rule"] == rule]) for rule in RULES)))
        note = (
            "1: it ranks layers as their P_h on real defects does; 0: not at all. Defects: the median of their sizes, "
        )
        note += "sqrt(area) / side. The last row is over categories, image sizes and seeds."
        if not part["is_whole"].all():
            note += f" {NOT_ALL_SAYS}"
        title = f"Spearman's rank correlation with P_h over layers, {method}"
        tables.append(Table(title, ("category", "defects", "image size", *RULES), tuple(body), note))
    return tables


def _cell(own: pd.DataFrame) -> str:
    text = signed(own["rho"].mean(), own["rho"].std(), 2)
    return text if own["is_whole"].all() or own["rho"].isna().all() else f"{text} {NOT_ALL}"


def _over_runs(own: pd.DataFrame) -> str:
    return f"**{signed(own['rho'].mean(), own['rho'].std(), 2)}**"


def _of_choices(found: pd.DataFrame) -> list[Table]:
    tables = []
    for (method, side), part in found.groupby(["method", "image_size"], sort=False):
        title = f"P_h of the layer that ranks first, {method} at {side} pixels"
        tables.append(pivot(part, "category", "rule", "p_h", title))
    return tables


def figure(frame: pd.DataFrame) -> str:
    """P_h of each layer over how much larger its receptive field is than the defects, a panel for each category."""
    layers = layers_of(frame).dropna(subset=["p_h"])
    several = layers["image_size"].nunique() > 1
    panels: dict[str, dict[str, list[Point]]] = {}
    keys = ["method", "category", "network", "image_size", "layers"]
    grouped = layers.groupby(keys, sort=False)
    over, deviations = grouped[["rrf", "defect_size", "p_h"]].mean(), grouped["p_h"].std()
    places: list[Any] = over.index.tolist()
    for at, (method, category, network, side, layer) in enumerate(places):
        one = over.iloc[at]
        name = f"{network} at {side}" if several else str(network)
        title = f"{category} (defects {one['defect_size']:.2f}), {method}"
        point = (float(one["rrf"] - one["defect_size"]), float(one["p_h"]), float(deviations.iloc[at]), str(layer))
        panels.setdefault(title, {}).setdefault(name, []).append(point)
    across = "relative receptive field minus relative size of the defects: 0 would be best"
    return scatter(panels, across, "P_h", "P_h of layers over receptive field minus defect size")
