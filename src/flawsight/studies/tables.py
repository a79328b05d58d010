"""Rows as tables: means with standard deviations over the seeds, and what they are not the mean of."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import pandas as pd

MADE, FAILED, MISSING = "made", "failed", "missing"
"""What became of a unit: the column `status` of a study's frame."""
NOTHING, NOT_ALL = "–", "†"
NOT_ALL_SAYS = f"{NOT_ALL} not of all units that belong here: some are missing, failed or have no such figure."


@dataclass(frozen=True)
class Table:
    """A title and a grid of texts; `note` says what the reader must know.

    >>> print(Table("Best layers", ("category", "P_h"), (("bottle", "97.4 ± 0.2"),)).markdown)
    **Best layers**
    <BLANKLINE>
    | category | P_h |
    |---|---|
    | bottle | 97.4 ± 0.2 |
    """

    title: str
    head: tuple[str, ...]
    body: tuple[tuple[str, ...], ...]
    note: str = ""

    @property
    def markdown(self) -> str:
        """The table as Markdown."""
        rows = [self.head, ("---",) * len(self.head), *self.body]
        lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
        lines[1] = "|---" * len(self.head) + "|"
        return "\n".join([f"**{self.title}**", "", *lines, *(["", self.note] if self.note else [])])


def mean_and_deviation(values: pd.Series) -> str:
    """`97.4 ± 0.2`: mean and sample standard deviation (n - 1) of what is there; one value has none, no value is –.

    >>> import pandas as pd
    >>> mean_and_deviation(pd.Series([0.97, 0.99])), mean_and_deviation(pd.Series([0.5, None]))
    ('98.0 ± 1.4', '50.0 †')
    """
    there = values.dropna()
    if there.empty:
        return NOTHING
    text = f"{100 * there.mean():.1f}"
    if len(there) > 1:
        text += f" ± {100 * there.std():.1f}"
    return text if len(there) == len(values) else f"{text} {NOT_ALL}"


def pivot(
    frame: pd.DataFrame,
    rows: str,
    columns: str,
    value: str,
    title: str,
    with_mean: bool = True,
    with_best: bool = True,
    unrivalled: Collection[str] = (),
) -> Table:
    """A table with a cell for each of `rows` and `columns`: `value` over the seeds, NaN where there is none.

    `frame` has one line for each cell and seed; where the column `is_whole` is False, the cell is marked. The last row
    (unless `with_mean` is False) is the mean over the rows, its deviation the root mean square of theirs, as in paper
    A. The best of a row is bold, where they differ (unless `with_best` is False), columns in `unrivalled` apart.

    >>> import pandas as pd
    >>> frame = pd.DataFrame({"category": ["a", "a"], "kind": ["nsa", "simple"], "seed": 0, "p_h": [0.9, 0.8]})
    >>> pivot(frame, "category", "kind", "p_h", "P_h").body
    (('a', '**90.0**', '80.0'),)
    """
    names, heads = list(dict.fromkeys(frame[rows])), list(dict.fromkeys(frame[columns]))
    cells: dict[tuple[str, str], str] = {}
    means: dict[tuple[str, str], tuple[float, float]] = {}
    for name in names:
        for head in heads:
            part = frame[(frame[rows] == name) & (frame[columns] == head)]
            cells[name, head] = mean_and_deviation(part[value])
            is_whole = part["is_whole"].all() if "is_whole" in part else True
            if not is_whole and cells[name, head] != NOTHING and NOT_ALL not in cells[name, head]:
                cells[name, head] += f" {NOT_ALL}"
            means[name, head] = float(part[value].mean()), float(part[value].std())
    lines = [
        (str(name), [cells[name, head] for head in heads], [means[name, head][0] for head in heads]) for name in names
    ]
    if with_mean and len(names) > 1:
        lines.append(("mean", *_mean_row(names, heads, cells, means)))
    rivals = [head not in unrivalled for head in heads]
    body = [(name, *(_with_best(texts, centres, rivals) if with_best else texts)) for name, texts, centres in lines]
    note = NOT_ALL_SAYS if any(NOT_ALL in cell for row in body for cell in row) else ""
    return Table(title, (rows, *map(str, heads)), tuple(body), note)


def _mean_row(
    names: Sequence[str],
    heads: Sequence[str],
    cells: dict[tuple[str, str], str],
    means: dict[tuple[str, str], tuple[float, float]],
) -> tuple[list[str], list[float]]:
    found, centres = [], []
    for head in heads:
        column = pd.Series([means[name, head][0] for name in names])
        deviations = pd.Series([means[name, head][1] for name in names]).dropna()
        centres.append(float(column.mean()))
        text = mean_and_deviation(pd.Series([column.mean()]))
        if not deviations.empty:
            text += f" ± {100 * math.sqrt((deviations**2).mean()):.1f}"
        is_whole = not column.isna().any() and not any(NOT_ALL in cells[name, head] for name in names)
        found.append(text if is_whole or text == NOTHING else f"{text} {NOT_ALL}")
    return found, centres


def _with_best(cells: Sequence[str], means: Sequence[float], rivals: Sequence[bool]) -> list[str]:
    known = [mean for mean, takes_part in zip(means, rivals, strict=True) if takes_part and not math.isnan(mean)]
    best = max(known, default=math.nan)
    is_told = len(set(known)) > 1
    texts = zip(cells, means, rivals, strict=True)
    return [f"**{cell}**" if is_told and takes_part and mean == best else cell for cell, mean, takes_part in texts]


def said_of_missing(frame: pd.DataFrame) -> list[str]:
    """Sentences on the units that are missing or failed: how many of all, which, and why.

    >>> import pandas as pd
    >>> frame = pd.DataFrame({"category": ["a", "b"], "seed": 0, "status": ["made", "missing"], "error": ""})
    >>> said_of_missing(frame)
    ['1 of 2 units missing: b, seed 0 (1). The same command goes on with them.']
    """
    said = []
    missing, failed = frame[frame["status"] == MISSING], frame[frame["status"] == FAILED]
    if len(missing):
        counts = missing.groupby(["category", "seed"], sort=False).size()
        places = "; ".join(f"{key[0]}, seed {key[1]} ({count})" for key, count in counts.items())  # type: ignore[index]
        said.append(f"{len(missing)} of {len(frame)} units missing: {places}. The same command goes on with them.")
    for (category, reason), part in failed.groupby(["category", "error"], sort=False):
        said.append(f"{len(part)} of {len(frame)} units failed: {category}: {reason}")
    return said
