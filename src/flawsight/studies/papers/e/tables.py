"""Paper E's tables and its Figure 5."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import pandas as pd

from flawsight.studies.figures import Point, scatter
from flawsight.studies.papers.a.tables import with_networks
from flawsight.studies.papers.e.measure import FIGURES
from flawsight.studies.papers.e.units import ABLATIONS, MODES, SHARES, SOURCES, STRENGTHS, retained
from flawsight.studies.tables import NOT_ALL, NOT_ALL_SAYS, NOTHING, Table, mean_and_deviation, pivot

TITLES = {"auroc": "image AU-ROC", "pixel_auroc": "pixel AU-ROC", "aupro": "AU-PRO", "p_h": "P_h"}
PAPERS_OWN, OF_ALL = "RealNet: AFS and RRS", "all residuals"
USUAL = "s from 0.1 to 0.2 (RealNet)"
MEAN = "mean over the categories"


def table_1(frame: pd.DataFrame) -> list[Table]:
    """The figures of each category, and their mean."""
    found = []
    for network, part in _of_networks(frame):
        lines = part.melt(["category", "seed"], list(FIGURES), "figure")
        lines["figure"] = lines["figure"].map(TITLES)
        title = f"RealNet with SDAS on {network}"
        table = pivot(lines, "category", "figure", "value", title, with_best=False)
        found.append(_with_note(table, part))
    return found


def table_3(frame: pd.DataFrame) -> list[Table]:
    """Each figure by category and source of anomalies."""
    found = []
    for network, part in _of_networks(frame):
        lines = part.assign(source=part["defects"].map(SOURCES))
        for figure in FIGURES:
            title = f"{TITLES[figure]} of RealNet by source of anomalies, on {network}"
            found.append(_with_note(pivot(lines, "category", "source", figure, title), part))
    return found


def table_5(frame: pd.DataFrame) -> list[Table]:
    """Means over the categories: without AFS and RRS, and by strength of the anomalies."""
    ablations = {variant: variant or PAPERS_OWN for variant in ABLATIONS}
    strengths = {**{variant: variant for variant in STRENGTHS}, "": USUAL}
    found = []
    for network, part in _of_networks(frame):
        for title, said in (("What AFS and RRS bring", ablations), ("Strength of the anomalies", strengths)):
            rows = {name: part[part["variant"] == variant] for variant, name in said.items()}
            found.append(_with_note(_means(rows, "variant", f"{title}, on {network}: {MEAN}"), part))
    return found


def tables_of_rrs(frame: pd.DataFrame) -> list[Table]:
    """Means over the categories for each mode of RRS and share of the residuals."""
    found = []
    for network, part in _of_networks(frame):
        rows = {name: part[part["variant"] == variant] for _, _, variant, name in _kept(part)}
        rows[OF_ALL] = part[part["variant"] == "without RRS"]
        found.append(_with_note(_means(rows, "kept by RRS", f"Residuals that RRS keeps, on {network}: {MEAN}"), part))
    return found


def over_retention(frame: pd.DataFrame) -> str:
    """A panel for each figure: its mean over the categories by mode over the retention ratio P."""
    panels: dict[str, dict[str, list[Point]]] = {TITLES[figure]: {} for figure in FIGURES[:3]}
    several = len(list(_of_networks(frame))) > 1
    for network, part in _of_networks(frame):
        points = [(MODES[mode], float(Fraction(share)), variant, name) for mode, share, variant, name in _kept(part)]
        for mode, share, variant, name in [*points, (OF_ALL, 1.0, "without RRS", OF_ALL)]:
            for figure in FIGURES[:3]:
                over = part[part["variant"] == variant].groupby("seed")[figure].mean()
                series = panels[TITLES[figure]].setdefault(f"{mode}, {network}" if several else mode, [])
                series.append((share, float(over.mean()), float(over.std()), name))
    return scatter(panels, "retention ratio P", MEAN, "RealNet by mode and retention ratio of RRS")


def _kept(part: pd.DataFrame) -> list[tuple[str, str, str, str]]:
    """Mode, share, variant and name of what RRS keeps, as far as it is in the grid."""
    grid = set(part["variant"])
    every = [(mode, share, retained(mode, share), f"{said}, P = {share}") for mode, said in MODES.items()
             for share in SHARES]  # fmt: skip
    return [one for one in every if one[2] in grid]


def _of_networks(frame: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    for network, part in with_networks(frame).groupby("network", sort=False):
        yield str(network), part


def _means(rows: dict[str, pd.DataFrame], head: str, title: str) -> Table:
    """A line for each of the rows: means over the categories, and deviations of these over the seeds."""
    body = [(name, *(_mean(part, figure) for figure in FIGURES)) for name, part in rows.items()]
    note = NOT_ALL_SAYS if any(NOT_ALL in cell for line in body for cell in line) else ""
    return Table(title, (head, *(TITLES[figure] for figure in FIGURES)), tuple(body), note)


def _mean(part: pd.DataFrame, figure: str) -> str:
    text = mean_and_deviation(part.groupby("seed")[figure].mean().dropna())
    return text if text == NOTHING or part[figure].notna().all() else f"{text} {NOT_ALL}"


def _with_note(table: Table, part: pd.DataFrame) -> Table:
    """Says which generators are of no use."""
    if part["generator"].isna().all():
        return table
    from flawsight.generation.quality import WORST  # diffusers is slow to load

    poor = part[part["generator"] > WORST].groupby("category", sort=False)["generator"].max()
    if poor.empty:
        return table
    named = ", ".join(f"{category} ({value:.1f})" for category, value in poor.items())
    said = f"The generator's pictures are useless: {named} times as far from good images as other good images are."
    return Table(table.title, table.head, table.body, " ".join(filter(None, [table.note, said])))
