"""Paper A's figures: what layers are worth by where they lie in the network, and by how much they see."""

from __future__ import annotations

import pandas as pd

from flawsight.studies.figures import Point, bars, scatter
from flawsight.studies.papers.a.measure import FIGURES, RRF
from flawsight.studies.papers.a.tables import TITLES, with_networks
from flawsight.studies.tables import MADE, NOT_ALL, NOT_ALL_SAYS, Table, mean_and_deviation

GROUPS = {"block": "by block", "kind": "by type"}


def _measured(frame: pd.DataFrame) -> pd.DataFrame:
    return with_networks(frame[frame["status"] == MADE])


def tables_by_block(frame: pd.DataFrame) -> list[Table]:
    """Mean and standard deviation over the layers of a block, and of a type, and the seeds (Fig. 4 and A.1)."""
    measured, found = _measured(frame), []
    is_whole = len(measured) == len(frame)
    for (category, network, method), part in measured.groupby(["category", "network", "method"], sort=False):
        for group, said in GROUPS.items():
            body = [
                (str(name), str(own["layers"].nunique()), *(mean_and_deviation(own[figure]) for figure in FIGURES))
                for name, own in part.groupby(group, sort=False)
            ]
            head = (group, "layers", *(TITLES[figure] for figure in FIGURES))
            title = f"{category} {said}, {method} on {network}: mean ± standard deviation over layers and seeds"
            found.append(Table(title if is_whole else f"{title} {NOT_ALL}", head, tuple(body), _note(is_whole)))
    return found


def by_block_and_kind(frame: pd.DataFrame) -> str:
    """P_h of the layers of each block and type, a panel for each category, network and method."""
    panels = {}
    for (category, network, method), part in _measured(frame).groupby(["category", "network", "method"], sort=False):
        for group, said in GROUPS.items():
            some = part.groupby(group, sort=False)["p_h"].agg(["mean", "std"])
            panels[f"{category} {said}, {method} on {network}"] = [
                (str(name), float(one["mean"]), float(one["std"])) for name, one in some.iterrows()
            ]
    return bars(panels, "P_h", "P_h of layers by block and by type")


def _by_layer(frame: pd.DataFrame) -> pd.DataFrame:
    """Each layer's mean over the categories, the standard deviation over the seeds of that mean, and its RRF."""
    measured = _measured(frame)
    is_field = measured["method"] == RRF
    over = measured[~is_field].groupby(["method", "network", "layers", "seed"], sort=False)[list(FIGURES)].mean()
    grouped = over.groupby(["method", "network", "layers"], sort=False)
    layers = grouped.mean().assign(deviation=grouped["p_h"].std()).reset_index()
    return layers.merge(measured[is_field][["network", "layers", "rrf"]], on=["network", "layers"], how="left")


def tables_by_field(frame: pd.DataFrame) -> list[Table]:
    """The ten best layers over all categories, with their RRF."""
    found = []
    is_whole = bool((frame["status"] == MADE).all())
    for (method, network), part in _by_layer(frame).groupby(["method", "network"], sort=False):
        best = part.sort_values("p_h", ascending=False, kind="stable").head(10)
        body = [
            (str(one["layers"]), _percent(one["rrf"]), *(_percent(one[figure]) for figure in FIGURES))
            for _, one in best.iterrows()
        ]
        head = ("layer", "RRF, %", *(TITLES[figure] for figure in FIGURES))
        title = f"The ten best layers over all categories, in hindsight, {method} on {network}"
        found.append(Table(title if is_whole else f"{title} {NOT_ALL}", head, tuple(body), _note(is_whole)))
    return found


def over_field(frame: pd.DataFrame) -> str:
    """P_h of every layer, the mean over the categories, over its relative receptive field."""
    panels: dict[str, dict[str, list[Point]]] = {}
    for _, one in _by_layer(frame).dropna(subset="rrf").iterrows():
        series = panels.setdefault(str(one["method"]), {}).setdefault(str(one["network"]), [])
        series.append((float(one["rrf"]), float(one["p_h"]), float(one["deviation"]), str(one["layers"])))
    return scatter(panels, "relative receptive field", "P_h", "P_h of every layer over its relative receptive field")


def _percent(value: float) -> str:
    return "–" if pd.isna(value) else f"{100 * value:.1f}"


def _note(is_whole: bool) -> str:
    return "" if is_whole else NOT_ALL_SAYS
