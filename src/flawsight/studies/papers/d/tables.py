"""Paper D's tables: image and pixel AU-ROC, and AU-PRO, by what is varied."""

from __future__ import annotations

import pandas as pd

from flawsight.studies.papers.a.tables import with_networks
from flawsight.studies.papers.d.measure import FIGURES, numbers
from flawsight.studies.tables import MADE, NOT_ALL, NOT_ALL_SAYS, NOTHING, Table, pivot

ADAPTORS = {
    "": "linear",
    "adaptor=mlp": "two layers",
    "adaptor=none": "none",
    "loss=cross_entropy": "linear, cross-entropy",
}


def prepared(frame: pd.DataFrame) -> pd.DataFrame:
    """With the columns `network` and `is_whole`."""
    return with_networks(frame).assign(is_whole=frame["status"] == MADE)


def by_method(frame: pd.DataFrame) -> list[Table]:
    """Table 1: a table of each figure, by category and method."""
    return _tables(prepared(frame), "method", "network", "on")


def by_network(frame: pd.DataFrame) -> list[Table]:
    """Table 4: by category and network."""
    return _tables(prepared(frame), "network", "method", "of")


def by_levels(frame: pd.DataFrame) -> list[Table]:
    """Table 2: by category and levels, with the layers that these are."""
    lines = prepared(frame)
    found = _tables(lines, "layers", "network", "of levels on")
    made = lines[lines["is_whole"]].drop_duplicates(["network", "layers"])
    body = [(row["network"], row["layers"], row["reads"]) for _, row in made.iterrows()]
    return [*found, Table("What the levels are", ("network", "levels", "layers"), tuple(body))]


def by_adaptor(frame: pd.DataFrame) -> list[Table]:
    """Table 3: by category, adaptor and loss."""
    lines = prepared(frame)
    return _tables(lines.assign(adaptor=lines["variant"].map(ADAPTORS)), "adaptor", "network", "of adaptors on")


def by_noise(frame: pd.DataFrame) -> list[Table]:
    """Figure 5's values."""
    return _tables(with_varied(prepared(frame), "noise"), "noise", "network", "by noise on")


def by_neighbourhood(frame: pd.DataFrame) -> list[Table]:
    """Figure 6's values."""
    lines = with_varied(prepared(frame), "neighbourhood")
    return _tables(lines, "neighbourhood", "network", "by neighbourhood on")


def with_varied(lines: pd.DataFrame, name: str) -> pd.DataFrame:
    """With the value of what is varied, also of units that are missing, as a text and in order as it rises.

    The variant says it; a unit without one has the detector's own, which its row says.
    """
    said = lines["variant"].str.removeprefix(f"{name}=").where(lines["variant"] != "")
    usual = lines.loc[lines["variant"] == "", name].dropna()
    values = pd.to_numeric(said).fillna(usual.iloc[0] if len(usual) else float("nan"))
    lines = lines.assign(value=values).sort_values("value", kind="stable")
    return lines.assign(**{name: [f"{value:g}" for value in lines["value"]]})


def _tables(lines: pd.DataFrame, columns: str, apart: str, word: str) -> list[Table]:
    """A table of each figure that there is, for each of `apart`."""
    found = []
    for other, part in lines.groupby(apart, sort=False):
        for figure, title in FIGURES.items():
            if part[figure].notna().any():
                found.append(pivot(part, "category", columns, figure, f"{title} {word} {other}"))
    return found


def by_spread(frame: pd.DataFrame) -> list[Table]:
    """Figure 4's values: how uneven the descriptors' dimensions are, before and after the adaptor."""
    body = []
    for (network, category), part in prepared(frame).groupby(["network", "category"], sort=False):
        cells = [_evenness(part, name) for name in ("spread", "adapted_spread")]
        body.append((str(category), str(network), *cells))
    head = ("category", "network", "local features", "adapted features")
    title = "The 95 % quantile of the dimensions' standard deviations over the 5 % quantile"
    note = NOT_ALL_SAYS if any(NOT_ALL in cell for row in body for cell in row) else ""
    return [Table(title, head, tuple(body), f"1 is as even as can be; means over the seeds. {note}".strip())]


def _evenness(lines: pd.DataFrame, name: str) -> str:
    ratios = [float(found[-2] / found[1]) for found in map(numbers, lines[name]) if len(found) and found[1] > 0]
    if not ratios:
        return NOTHING
    return f"{sum(ratios) / len(ratios):.1f}" + ("" if lines["is_whole"].all() else f" {NOT_ALL}")


def by_epoch(frame: pd.DataFrame) -> list[Table]:
    """Figure 7's values: the share of the first epoch's loss that is left, at some epochs."""
    lines = prepared(frame)
    length = max((len(numbers(text)) for text in lines["losses"]), default=0)
    epochs = [epoch for epoch in (1, 2, 5, 10, 20, 40, 80, 160) if epoch <= length]
    body = []
    for (network, variant), part in lines.groupby(["network", "variant"], sort=False):
        losses = [found for found in map(numbers, part["losses"]) if len(found)]
        cells = [
            f"{100 * sum(own[epoch - 1] / own[0] for own in losses) / len(losses):.1f}" if losses else NOTHING
            for epoch in epochs
        ]
        mark = "" if part["is_whole"].all() else f" {NOT_ALL}"
        body.append((f"{ADAPTORS[str(variant)]}{mark}", str(network), *cells))
    head = ("adaptor and loss", "network", *(f"epoch {epoch}" for epoch in epochs))
    note = NOT_ALL_SAYS if any(NOT_ALL in row[0] for row in body) else ""
    return [Table("Loss in percent of the first epoch's, mean over categories and seeds", head, tuple(body), note)]
