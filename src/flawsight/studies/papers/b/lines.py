"""What the tables and figures of paper B have in common: which rows are single layers, and their means."""

from __future__ import annotations

import pandas as pd

from flawsight.studies.layers import PAIR
from flawsight.studies.papers.a.measure import AUTO
from flawsight.studies.papers.a.tables import with_networks
from flawsight.studies.papers.b.units import STAGES

FOUND = ("auroc", "aupro")
"""Classification and localisation, which the paper tells apart throughout."""


def real(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows of single layers on real defects, with the column `network` (without the image size)."""
    return _single(frame[frame["defects"] == ""])


def synthetic(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows of single layers on synthetic defects."""
    return _single(frame[frame["defects"] != ""])


def _single(frame: pd.DataFrame) -> pd.DataFrame:
    single = frame[~frame["layers"].isin([PAIR, STAGES, AUTO])]
    return single.assign(network=single["extractor"] + (" " + single["weights"]).str.rstrip())


def by_size(frame: pd.DataFrame) -> pd.DataFrame:
    """`real`, with each image size of a network as a network of its own, where there are several."""
    return with_networks(real(frame))


def by_layer(frame: pd.DataFrame) -> pd.DataFrame:
    """A line for each method, network (at its image size) and layer: means over the categories, and over the seeds.

    With the standard deviations of these means over the seeds, such as `auroc_deviation`, and whether all categories
    and seeds have that figure, `auroc_whole`.
    """
    single = by_size(frame)
    single = single.assign(**{f"{figure}_whole": single[figure].notna() for figure in FOUND})
    keys = ["method", "network", "layers"]
    figures = ["rrf", "order", *FOUND, "p_h"]
    over = single.groupby([*keys, "seed"], sort=False)[figures].mean()
    grouped = over.groupby(keys, sort=False)
    whole = single.groupby(keys, sort=False)[[f"{figure}_whole" for figure in FOUND]].all()
    return grouped.mean().join(grouped[list(FOUND)].std().add_suffix("_deviation")).join(whole).reset_index()
