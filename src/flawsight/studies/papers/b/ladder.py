"""Figure 6 and Table 1 of paper B: what it is worth to know the network, the layer and the image size.

Each oracle looks at the real test figures and takes the best by them, separately for AU-ROC and AU-PRO, as the paper
does. What synthetic defects and our search choose has not seen them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd

from flawsight.studies.layers import PAIR
from flawsight.studies.papers.a.measure import AUTO
from flawsight.studies.papers.a.tables import TITLES
from flawsight.studies.papers.b.lines import FOUND, real, synthetic
from flawsight.studies.papers.b.units import STAGES
from flawsight.studies.tables import NOT_ALL, NOT_ALL_SAYS, NOTHING, Table, mean_and_deviation

RANDOM, NETWORK, LAYER = "random layer", "best network", "best layer"
OBJECT, SIZE = "best layer per category", "best size and layer per category"
ORACLES = (RANDOM, NETWORK, LAYER, OBJECT, SIZE)
CHOSEN, CHOSEN_SIZE = "layer by synthetic defects", "size and layer by synthetic defects"
OURS = (CHOSEN, CHOSEN_SIZE, AUTO)
ENSEMBLE = "ensemble of networks"
Line = dict[str, object]
Values = tuple[float, bool]
"""A mean over the categories, and whether all that belongs to it was measured."""


def ladder(frame: pd.DataFrame) -> pd.DataFrame:
    """A line for each method, figure, seed and level: `value`, and `is_whole`."""
    lines = []
    for (method, seed), part in frame.groupby(["method", "seed"], sort=False):
        for figure in FOUND:
            levels = {**_oracles(part, figure), **_chosen(part, figure), **_beside(part, figure)}
            run = {"method": method, "seed": seed, "figure": figure}
            lines += [
                {**run, "level": level, "value": value, "is_whole": is_whole}
                for level, (value, is_whole) in levels.items()
            ]
    return pd.DataFrame(lines)


def _grid(part: pd.DataFrame, value: str) -> pd.DataFrame:
    """A row for each category and a column for each image size, network and layer; NaN where nothing was measured."""
    wide = part.set_index(["category", "image_size", "network", "layers"])[value]
    return wide.unstack("category").T.reindex(part["category"].unique())


def _oracles(part: pd.DataFrame, figure: str) -> dict[str, Values]:
    """What is taken by its real figures, among candidates that have one of every category."""
    single = real(part)
    every = _grid(single, figure).dropna(how="all")  # a category without masks has no AU-PRO
    candidates = every.dropna(axis=1)
    is_whole = len(candidates.columns) == len(every.columns) and len(every) == single["category"].nunique()
    sides = single["image_size"].unique()
    here = candidates.loc[:, candidates.columns.get_level_values("image_size") == sides[0]]
    if here.empty:
        return dict.fromkeys(ORACLES if len(sides) > 1 else ORACLES[:-1], (float("nan"), False))
    means = here.mean()
    found = {
        RANDOM: means.mean(),
        NETWORK: means.groupby(level="network").mean().max(),
        LAYER: means.max(),
        OBJECT: here.max(axis=1).mean(),
    }
    if len(sides) > 1:
        found[SIZE] = candidates.max(axis=1).mean()
    return {level: (float(value), is_whole) for level, value in found.items()}


def _chosen(part: pd.DataFrame, figure: str) -> dict[str, Values]:
    """The real figure of what our criterion ranks first in each category, among the same candidates."""
    if synthetic(part).empty:
        return {}
    every, said = _grid(real(part), figure), _grid(synthetic(part), "criterion")
    sides = real(part)["image_size"].unique()
    found = {}
    for level, some in ((CHOSEN, sides[:1]), (CHOSEN_SIZE, sides))[: len(sides)]:
        own = said.loc[:, said.columns.isin(some, level="image_size")].reindex(every.index)
        first = own.dropna(how="all").idxmax(axis=1)
        values = pd.Series(
            {str(category): every.loc[str(category)].get(column) for category, column in first.items()}, dtype=float
        )
        is_whole = own.notna().all(axis=None) and len(values.dropna()) == len(every)
        found[level] = float(values.mean()), bool(is_whole)
    return found


def _beside(part: pd.DataFrame, figure: str) -> dict[str, Values]:
    """The original configurations, and our search."""
    several = part[part["layers"].isin([PAIR, STAGES, AUTO])]
    found = {}
    for (extractor, layers, variant), own in several.groupby(["extractor", "layers", "variant"], sort=False):
        level = ", ".join(filter(None, (str(layers), str(variant))))
        if extractor not in set(real(part)["extractor"]):
            level = ENSEMBLE
        found[level] = float(own[figure].mean()), bool(own[figure].notna().all())
    return found


def tables(frame: pd.DataFrame) -> list[Table]:
    """Table 1 with all levels of Figure 6, and the points that each is above the best single layer."""
    levels = ladder(frame)
    return [_table_1(levels), _gains(levels)]


def _table_1(levels: pd.DataFrame) -> Table:
    body: list[tuple[str, ...]] = [
        (str(level), *(_cell(own[own["method"] == method]) for method in _methods(levels)))
        for level, own in levels.groupby("level", sort=False)
    ]
    note = "Each is the mean over the categories. "
    note += "The oracles know the real defects; the levels below them have seen none."
    return Table(
        f"{TITLES['auroc']} ({TITLES['aupro']})", ("level", *_methods(levels)), _ordered(body), _noted(body, note)
    )


def _cell(own: pd.DataFrame) -> str:
    texts = []
    for figure in FOUND:
        one = own[own["figure"] == figure]
        text = mean_and_deviation(one["value"])
        is_marked = text != NOTHING and NOT_ALL not in text and not one["is_whole"].all()
        texts.append(f"{text} {NOT_ALL}" if is_marked else text)
    return NOTHING if set(texts) == {NOTHING} else f"{texts[0]} ({texts[1]})"


def _gains(levels: pd.DataFrame) -> Table:
    """Differences to the best layer, seed by seed."""
    index = ["method", "figure", "seed"]
    best = levels[levels["level"] == LAYER].set_index(index)["value"]
    over = levels.assign(gain=levels["value"] - best.reindex(pd.MultiIndex.from_frame(levels[index])).to_numpy())
    methods = _methods(levels)
    body = []
    for level, own in over.groupby("level", sort=False):
        cells = []
        for method in methods:
            for figure in FOUND:
                one = own[(own["method"] == method) & (own["figure"] == figure)]
                text = signed(100 * one["gain"].mean(), 100 * one["gain"].std())
                cells.append(text if text == NOTHING or one["is_whole"].all() else f"{text} {NOT_ALL}")
        body.append((str(level), *cells))
    head = ("level", *(f"{method}, {TITLES[figure]}" for method in methods for figure in FOUND))
    return Table(f"Points above the {LAYER}", head, _ordered(body), _noted(body, ""))


def signed(mean: float, deviation: float, digits: int = 1) -> str:
    """`+1.2 ± 0.3`; without a deviation where there is none, and – where there is no mean."""
    if pd.isna(mean):
        return NOTHING
    return f"{mean:+.{digits}f}" + ("" if pd.isna(deviation) else f" ± {deviation:.{digits}f}")


def _methods(levels: pd.DataFrame) -> list[str]:
    return list(dict.fromkeys(levels["method"]))


def _ordered(body: Sequence[tuple[str, ...]]) -> tuple[tuple[str, ...], ...]:
    """The oracles from the least to the most knowing, then what has seen no defect."""
    order = {level: place for place, level in enumerate((*ORACLES, *OURS))}
    return tuple(sorted(body, key=lambda row: order.get(row[0].partition(", ")[0], len(order))))


def _noted(body: Sequence[tuple[str, ...]], note: str) -> str:
    is_marked = any(NOT_ALL in cell for row in body for cell in row)
    return f"{note} {NOT_ALL_SAYS}".strip() if is_marked else note


def levels_of(frame: pd.DataFrame) -> Iterator[tuple[str, str, list[tuple[str, float, float]]]]:
    """For each method and figure: the levels in order, marked where not whole, with means and deviations over seeds."""
    levels = ladder(frame)
    for (method, figure), own in levels.groupby(["method", "figure"], sort=False):
        some = own.groupby("level", sort=False)["value"].agg(["mean", "std"])
        is_whole = own.groupby("level")["is_whole"].all()
        rows = _ordered([(str(level),) for level in some.index])
        yield (
            str(method),
            str(figure),
            [(level if is_whole[level] else f"{level} {NOT_ALL}", *some.loc[level].astype(float)) for (level,) in rows],
        )
