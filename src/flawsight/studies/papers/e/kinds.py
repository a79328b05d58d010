"""Do paper E's defects choose layers better? Our search with other kinds of synthetic defects."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd
from filelock import FileLock

from flawsight.core import writable_folder
from flawsight.settings import StudySettings
from flawsight.studies.layers import units_of_methods
from flawsight.studies.papers.a.measure import AUTO, of_search
from flawsight.studies.papers.a.tables import TITLES, tables_of_figures, with_networks
from flawsight.studies.papers.e.measure import generator_folder
from flawsight.studies.papers.e.units import SDAS
from flawsight.studies.products import network_of, product_of
from flawsight.studies.study import Row, Unit
from flawsight.studies.tables import Table

KIND_SETS = (
    *("nsa", "nsa,scratch", "nsa,perlin,scratch", "nsa,scratch,sdas", "nsa,perlin,scratch,sdas"),
    *("perlin", SDAS),
)
COLUMNS: dict[str, type] = {"reads": str, **dict.fromkeys(TITLES, float)}


def kinds_units(settings: StudySettings) -> Iterator[Unit]:
    """Our search by each set of kinds."""
    return units_of_methods(settings, [{"layers": AUTO, "defects": kinds} for kinds in KIND_SETS])


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
    lines = with_networks(frame).assign(by=frame["defects"])
    return tables_of_figures(lines, "of our search by kinds of synthetic defects")
