"""Do paper E's defects choose layers better? Our search with other kinds of synthetic defects."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pandas as pd
from filelock import FileLock

from flawsight.core import writable_folder
from flawsight.settings import StudySettings
from flawsight.studies.grid import bases
from flawsight.studies.layers import detectors_of
from flawsight.studies.papers.a.measure import AUTO, of_search
from flawsight.studies.papers.a.tables import TITLES, with_networks
from flawsight.studies.papers.e.measure import generator_folder
from flawsight.studies.papers.e.units import SDAS
from flawsight.studies.products import network_of, product_of
from flawsight.studies.study import Row, Unit
from flawsight.studies.tables import Table, pivot

KIND_SETS = (
    *("nsa", "nsa,scratch", "nsa,perlin,scratch", "nsa,scratch,sdas", "nsa,perlin,scratch,sdas"),
    *("perlin", SDAS),
)
COLUMNS: dict[str, type] = {"reads": str, **dict.fromkeys(TITLES, float)}


def kinds_units(settings: StudySettings) -> Iterator[Unit]:
    """Our search by each set of kinds, for each category, network, image size, method and seed."""
    detectors_of(settings, 0)  # what is unknown is said before long work
    for base in bases(settings):
        for method in settings.detector:
            for kinds in KIND_SETS:
                for seed in settings.seeds:
                    yield replace(base, method=method, layers=AUTO, defects=kinds, seed=seed)


def measure_kinds(units: Sequence[Unit], settings: StudySettings) -> list[Row]:
    """A search each. The generator learns from the same good images; whoever comes first trains it, others wait."""
    product, network = product_of(settings, units[0]), network_of(settings, units[0])
    rows = []
    for unit in units:
        if SDAS not in unit.defects:
            rows.append(of_search(unit, settings, product, network, defects=unit.defects))
            continue
        folder = generator_folder(settings, unit)
        options = {
            "defects": unit.defects,
            "generator": folder,
            "generator_preset": settings.generator_preset,
            "generator_steps": settings.generator_steps,
        }
        with FileLock(writable_folder(folder.parent) / f".{folder.name}.lock"):
            rows.append(of_search(unit, settings, product, network, **options))
    return rows


def tables_of_kinds(frame: pd.DataFrame) -> list[Table]:
    """Each figure by category and set of kinds."""
    found = []
    for (network, method), part in with_networks(frame).groupby(["network", "method"], sort=False):
        for figure, said in TITLES.items():
            title = f"{said} of our search by kinds of synthetic defects, {method} on {network}"
            found.append(pivot(part, "category", "defects", figure, title))
    return found
