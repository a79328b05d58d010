"""The relative receptive fields of all layers of a network (Sec. 3.1 of paper B), on noise and on good pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from flawsight.data import good_images, learn_pixel_format, read_image
from flawsight.features import effective_receptive_fields
from flawsight.settings import StudySettings
from flawsight.studies.figures import Point, scatter
from flawsight.studies.grid import bases, chosen_categories
from flawsight.studies.layers import studied_layers
from flawsight.studies.papers.a.tables import with_networks
from flawsight.studies.products import drawn, network_of
from flawsight.studies.study import Row, Unit
from flawsight.studies.tables import MADE, NOT_ALL, NOT_ALL_SAYS, NOTHING, Table

NOISE = "noise"
PICTURES = 20
"""As many as Luo et al. average over."""
COLUMNS: dict[str, type] = {"block": str, "order": float, "stride": float, "pixels": float, "rrf": float}


def units(settings: StudySettings) -> Iterator[Unit]:
    """Every layer of every network at every image size: on noise (no category), and on each category's pictures."""
    for base in bases(settings, ["", *chosen_categories(settings)]):
        layers = studied_layers(settings, network_of(settings, base))
        for seed in settings.seeds:
            yield from (replace(base, layers=layer.name, seed=seed) for layer in layers)


def measure(units: Sequence[Unit], settings: StudySettings) -> list[Row]:
    """The receptive fields of some layers."""
    network, first = network_of(settings, units[0]), units[0]
    pictures = _pictures(settings, first) if first.category else None
    names = [unit.layers for unit in units]
    fields = effective_receptive_fields(network, pictures, names, _count(settings), first.seed)
    return [
        {
            "block": layer.block,
            "order": float(layer.order),
            "stride": layer.stride,
            "pixels": fields[layer.name].pixels,
            "rrf": fields[layer.name].relative,
        }
        for layer in map(network.layer, names)
    ]


def _count(settings: StudySettings) -> int:
    return min(PICTURES, settings.most_good or PICTURES)


def _pictures(settings: StudySettings, unit: Unit) -> list[np.ndarray]:
    """Some good pictures, drawn by the seed; those of a test set are not needed."""
    assert settings.data is not None
    paths = sorted(good_images(settings.data, category=unit.category))
    pixels = learn_pixel_format(paths)
    return [read_image(paths[at], pixels=pixels) for at in drawn(len(paths), _count(settings), unit.seed)]


def tables(frame: pd.DataFrame) -> list[Table]:
    """For each network the range of the fields in each block, on noise and on pictures, and whether these agree."""
    return [_of_network(str(network), part) for network, part in _by_source(frame).groupby("network", sort=False)]


def _by_source(frame: pd.DataFrame) -> pd.DataFrame:
    return with_networks(frame).assign(source=frame["category"].where(frame["category"] != "", NOISE))


def _of_network(network: str, part: pd.DataFrame) -> Table:
    made = part[part["status"] == MADE]
    sources = list(dict.fromkeys(part["source"]))
    body = []
    for block, own in made.groupby("block", sort=False):
        cells = []
        for source in sources:
            fields = own[own["source"] == source]["rrf"]
            cells.append(f"{fields.min():.2f} to {fields.max():.2f}" if len(fields) else NOTHING)
        body.append((str(block), str(own["layers"].nunique()), *cells))
    body.append(("Spearman's rho with noise", str(made["layers"].nunique()), *_agreement(made, sources)))
    note = f"Measured on {NOISE}, which `evenly:N` goes by, and on good pictures of each category."
    if len(made) < len(part):
        note = f"{NOT_ALL} {note} {NOT_ALL_SAYS}"
    return Table(
        f"Relative receptive fields of {network}, smallest to largest", ("block", "layers", *sources), tuple(body), note
    )


def _agreement(made: pd.DataFrame, sources: Sequence[str]) -> list[str]:
    """Rank correlation over layers between the fields on noise and on others."""
    wide = made.groupby(["layers", "source"])["rrf"].mean().unstack("source")
    found = []
    for source in sources:
        both = wide[[NOISE, source]].dropna() if {NOISE, source} <= set(wide) else wide.iloc[:0]
        is_said = source != NOISE and len(both) > 2 and bool((both.nunique() > 1).all())
        found.append(f"{spearmanr(both.iloc[:, 0], both.iloc[:, 1]).statistic:.2f}" if is_said else NOTHING)
    return found


def figure(frame: pd.DataFrame) -> str:
    """The relative receptive field of every layer, by its place in the network."""
    panels: dict[str, dict[str, list[Point]]] = {}
    keys = ["network", "source", "layers"]
    grouped = _by_source(frame[frame["status"] == MADE]).groupby(keys, sort=False)
    fields = grouped[["order", "rrf"]].mean().assign(deviation=grouped["rrf"].std())
    for _, one in fields.reset_index().iterrows():
        point = (float(one["order"]), float(one["rrf"]), float(one["deviation"]), str(one["layers"]))
        panels.setdefault(str(one["network"]), {}).setdefault(str(one["source"]), []).append(point)
    return scatter(panels, "place in the network, from the picture on", "relative receptive field", "RRF of all layers")
