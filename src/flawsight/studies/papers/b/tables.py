"""Paper B's tables of single layers: what each is worth, and how often it is the best."""

from __future__ import annotations

import pandas as pd

from flawsight.studies.papers.a.tables import TITLES
from flawsight.studies.papers.b.lines import FOUND, by_layer, by_size
from flawsight.studies.tables import NOT_ALL, NOT_ALL_SAYS, NOTHING, Table


def tables_by_layer(frame: pd.DataFrame) -> list[Table]:
    """Each layer's means over the categories, by network and receptive field, and how far apart best and worst are."""
    found = []
    for method, part in by_layer(frame).groupby("method", sort=False):
        body = []
        for _, network in part.groupby("network", sort=False):
            body += [_line(one) for _, one in network.sort_values("rrf", kind="stable").iterrows()]
        spans = [part[figure].max() - part[figure].min() for figure in FOUND]
        body.append(
            ("best - worst", "", "", *(NOTHING if pd.isna(span) else f"**{100 * span:.1f}**" for span in spans))
        )
        head = ("network", "layer", "RRF", *(TITLES[figure] for figure in FOUND))
        is_whole = part[[f"{figure}_whole" for figure in FOUND]].all(axis=None)
        note = "RRF: the relative receptive field, measured on noise."
        title = f"Single layers by {method}: means over the categories"
        found.append(Table(title, head, tuple(body), note if is_whole else f"{note} {NOT_ALL_SAYS}"))
    return found


def _line(one: pd.Series) -> tuple[str, ...]:
    values = []
    for figure in FOUND:
        deviation = one[f"{figure}_deviation"]
        spread = "" if pd.isna(deviation) else f" ± {100 * deviation:.1f}"
        mark = "" if one[f"{figure}_whole"] else f" {NOT_ALL}"
        values.append(NOTHING if pd.isna(one[figure]) else f"{100 * one[figure]:.1f}{spread}{mark}")
    return str(one["network"]), str(one["layers"]), NOTHING if pd.isna(one["rrf"]) else f"{one['rrf']:.2f}", *values


def times_best(frame: pd.DataFrame) -> pd.DataFrame:
    """A line for each method, figure and layer: in how many categories it is the best of all networks' (Fig. 4).

    The mean over the seeds; layers that are equally good share a category. `share`: of the categories with that figure.
    """
    rows = by_layer(frame)[["method", "network", "layers", "rrf"]]
    single = by_size(frame)
    found = []
    for figure in FOUND:
        known = single.dropna(subset=[figure])
        best = known.groupby(["method", "category", "seed"])[figure].transform("max")
        is_best = (known[figure] == best).astype(float)
        points = is_best / is_best.groupby([known[name] for name in ("method", "category", "seed")]).transform("sum")
        times = points.groupby([known[name] for name in ("method", "network", "layers")]).sum().rename("times")
        own = rows.merge(times.reset_index(), how="left").fillna({"times": 0.0}).assign(figure=figure)
        own["times"] /= single["seed"].nunique()
        own["share"] = own["times"] / max(1, known["category"].nunique())
        found.append(own.sort_values("rrf", kind="stable"))
    everything = pd.concat(found)
    networks = list(dict.fromkeys(rows["network"]))
    return everything.sort_values("network", key=lambda names: names.map(networks.index), kind="stable")


def tables_of_best(frame: pd.DataFrame) -> list[Table]:
    """In how many categories each layer is the best."""
    found = []
    is_whole = by_size(frame)[list(FOUND)].notna().all(axis=None)
    for method, part in times_best(frame).groupby("method", sort=False):
        wide = part.set_index(["network", "layers", "rrf", "figure"])["times"].unstack("figure", sort=False)
        body = tuple(
            (str(one["network"]), str(one["layers"]), f"{one['rrf']:.2f}", *(f"{one[figure]:.1f}" for figure in FOUND))
            for _, one in wide.reset_index().iterrows()
        )
        head = ("network", "layer", "RRF", *(TITLES[figure] for figure in FOUND))
        count = frame["category"].nunique()
        title = f"Of how many of {count} categories each layer is the best, {method}"
        note = "The mean over the seeds; layers that are equally good share a category."
        found.append(Table(title, head, body, note if is_whole else f"{note} {NOT_ALL_SAYS}"))
    return found
