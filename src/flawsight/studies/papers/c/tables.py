"""Paper C's tables: means over the categories of the mean over folds, with their standard errors."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pandas as pd

from flawsight.core import JOIN
from flawsight.studies.papers.a.tables import with_networks
from flawsight.studies.papers.c.units import DISTANCES, LEVEL, MAHALANOBIS, NPCA, OPERATING, SIGMAS, SUPERVISED, Part
from flawsight.studies.tables import MADE, NOT_ALL, NOT_ALL_SAYS, NOTHING, Table, pivot

SUM = "Sum"
OVER_CATEGORIES = "± is the standard error over the categories of the mean over their folds and seeds, as in the paper."
FIGURES = ("chi_fpr", "chi_tpr", "conformal_fpr", "conformal_tpr", "stated")
AS_THEY_ARE = "images as they are"
SAID = {
    MAHALANOBIS: "Mahalanobis, all features",
    NPCA: f"Mahalanobis, {NPCA}",
    "ocsvm": "oc-SVM",
    "autoencoder": "AE, mean of the map",
    SUPERVISED: "supervised classifier",
}
COMPONENT = "AE, connected components"


def _parted(frame: pd.DataFrame) -> pd.DataFrame:
    """With the columns of what a unit learns from: `copies`, `sigma` and `learned`, a text."""
    parts = frame["variant"].map(Part.of)
    learned = [
        f"{part.copies} changed copies of each image ({', '.join(part.changes)})" if part.copies else AS_THEY_ARE
        for part in parts
    ]
    frame = with_networks(frame).assign(learned=learned, sigma=[part.sigma for part in parts])
    return frame.assign(is_made=frame["status"] == MADE)


def _leveled(frame: pd.DataFrame) -> pd.DataFrame:
    """With the column `row`: the number of the level with its name, or the sum."""
    known = frame[frame["level"].notna()].drop_duplicates(["network", "layers"])
    numbers = dict(zip(zip(known["network"], known["layers"], strict=True), known["level"].astype(int), strict=True))
    several = frame["network"].nunique() > 1

    def said(network: str, layers: str) -> str:
        number = numbers.get((network, layers))
        if JOIN in layers or number is None:
            return SUM if JOIN in layers else layers
        return str(number) if several else f"{number} ({layers})"

    names = [said(*pair) for pair in zip(frame["network"], frame["layers"], strict=True)]
    # The sum comes last where networks have different numbers of levels.
    return frame.assign(row=names, last=[name == SUM for name in names]).sort_values("last", kind="stable")


def _by_category(lines: pd.DataFrame, value: str) -> pd.Series:
    """The mean of a category over its folds and seeds; whether all of it was measured is asked for elsewhere."""
    return lines.groupby("category", sort=False)[value].mean().dropna()


def _cell(lines: pd.DataFrame, value: str, percent: bool = True) -> str:
    """Mean over categories ± its standard error."""
    found = _by_category(lines, value)
    if found.empty:
        return NOTHING
    text = f"{100 * found.mean():.1f}" if percent else f"{found.mean():.1f}"
    if percent and len(found) > 1:
        text += f" ± {100 * found.std() / math.sqrt(len(found)):.1f}"
    return text if lines["is_made"].all() and lines[value].notna().all() else f"{text} {NOT_ALL}"


def _grid(lines: pd.DataFrame, columns: str, title: str, value: str = "auroc") -> Table:
    """A row for each level, a cell for each of `columns`."""
    heads, percent = list(dict.fromkeys(lines[columns])), value == "auroc"
    body = []
    for row, own in lines.groupby("row", sort=False):
        cells = [_cell(own[own[columns] == head], value, percent) for head in heads]
        if set(cells) != {NOTHING}:
            body.append((str(row), *cells))
    return Table(title, ("level", *map(str, heads)), tuple(body), _note(body, OVER_CATEGORIES if percent else ""))


def _note(body: Sequence[tuple[str, ...]], *said: str) -> str:
    missing = NOT_ALL_SAYS if any(NOT_ALL in cell for row in body for cell in row) else ""
    return " ".join(part for part in (*said, missing) if part)


def by_distance(frame: pd.DataFrame) -> list[Table]:
    """Tables I and III: AU-ROC of each level by method, and how many dimensions are left where that varies."""
    found = []
    lines = _parted(frame)
    for (network, learned), part in lines.groupby(["network", "learned"], sort=False):
        own = _leveled(part)
        found.append(_grid(own, "method", f"AU-ROC on {network}, learned from {learned}"))
        if own["method"].isin(set(DISTANCES) - {"L2", "SED", MAHALANOBIS}).any():
            title = f"Dimensions on {network}, learned from {learned}"
            found.append(_grid(own[own["row"] != SUM], "method", title, "dimensions"))
    return found


def by_network(frame: pd.DataFrame) -> list[Table]:
    """Tables II and VII: AU-ROC of each level by network."""
    lines = _parted(frame)
    return [
        _grid(_leveled(part), "network", f"AU-ROC by Mahalanobis distance, learned from {learned}")
        for learned, part in lines.groupby("learned", sort=False)
    ]


def working_points(frame: pd.DataFrame) -> list[Table]:
    """Table IV: requested and reached shares of good images above each threshold, and of defective ones."""
    found = []
    lines = _parted(frame)
    for (network, layers, learned), part in lines.groupby(["network", "layers", "learned"], sort=False):
        methods = [method for method in OPERATING if method in set(part["method"])]
        head = ["σ", "requested"]
        for method in methods:
            head += [f"{method}: chi-square FPR / TPR", f"{method}: conformal FPR / TPR (stated)"]
        body = [_at_sigma(part[part["sigma"] == sigma], sigma, methods) for sigma in SIGMAS]
        aurocs = [(_cell(part[part["method"] == method], "auroc"), "") for method in methods]
        body.append(("AU-ROC", "", *(cell for pair in aurocs for cell in pair)))
        where = f"{network}, {layers}" + (" of the network" if layers == f"level {LEVEL}" else "")
        said = "Means over the categories of the mean over their folds and seeds."
        found.append(Table(f"{where}, learned from {learned}", tuple(head), tuple(body), _note(body, said)))
    return found


def _at_sigma(lines: pd.DataFrame, sigma: int, methods: Sequence[str]) -> tuple[str, ...]:
    cells = [str(sigma), f"{100 * math.erfc(sigma / math.sqrt(2)):.2g}"]
    for method in methods:
        own = lines[lines["method"] == method]
        figures = {
            name: _mean(own, name) for name in ("chi_fpr", "chi_tpr", "conformal_fpr", "conformal_tpr", "stated")
        }
        mark = "" if own["is_made"].all() else f" {NOT_ALL}"
        cells.append(f"{figures['chi_fpr']} / {figures['chi_tpr']}{mark}")
        cells.append(f"{figures['conformal_fpr']} / {figures['conformal_tpr']} ({figures['stated']}){mark}")
    return tuple(cells)


def _mean(lines: pd.DataFrame, value: str) -> str:
    found = _by_category(lines, value)
    return NOTHING if found.empty else f"{100 * found.mean():.1f}"


def approaches(frame: pd.DataFrame) -> list[Table]:
    """Tables V and VIII: each approach on each category, and over all."""
    lines = pd.concat(_approaches(_parted(frame)))
    lines = lines.assign(is_whole=lines["is_made"])
    found = []
    for (network, learned), own in lines.groupby(["network", "learned"], sort=False):
        title = f"AU-ROC on {network}, learned from {learned}: mean ± standard deviation over folds and seeds"
        table = pivot(own, "category", "by", "auroc", title)
        found.append(replace(table, note=" ".join([_labelled(own), table.note]).strip()))
    body = []
    for (network, by), part in lines.groupby(["network", "by"], sort=False):
        body.append((str(by), str(network), _cell(part, "auroc")))
    title = "AU-ROC of each approach over all categories"
    found.append(Table(title, ("approach", "network", "AU-ROC"), tuple(body), _note(body, OVER_CATEGORIES)))
    return found


def _approaches(lines: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """The lines with the column `by`; an autoencoder's twice, for its two scores."""
    for key, part in lines.groupby(["method", "learned"], sort=False):
        method, learned = map(str, key)
        augmented = "" if learned == AS_THEY_ARE else ", augmented"
        yield part.assign(by=f"{SAID.get(method, method)}{augmented}")
        if part["auroc_component"].notna().any():
            yield part.assign(by=f"{COMPONENT}{augmented}", auroc=part["auroc_component"])


def _labelled(lines: pd.DataFrame) -> str:
    """With how many labelled defects the classifier learned."""
    own = lines[lines["labelled"].notna()]
    if own.empty:
        return ""
    counts = own.groupby("category", sort=False)["labelled"].agg(["min", "max"]).astype(int)
    said = "; ".join(
        f"{category} {row['min']}" + (f" to {row['max']}" if row["max"] > row["min"] else "")
        for category, row in counts.iterrows()
    )
    return (
        f"The classifier learned from four fifths of all images, labelled defects among them: {said}. It is asked "
        "about the last fifth, the others about the test images."
    )
