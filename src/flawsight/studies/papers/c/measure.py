"""The rows of paper C: distances on levels, and what the two thresholds let through."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from flawsight.core import JOIN, FlawsightError
from flawsight.features import levels
from flawsight.metrics import chi_square_threshold, operating_point
from flawsight.settings import StudySettings
from flawsight.studies.papers.c.learned import Pooled, auroc_of, pooled
from flawsight.studies.papers.c.units import Part, levels_of, named_level
from flawsight.studies.products import network_of, product_of
from flawsight.studies.rows import ERROR
from flawsight.studies.study import Row, Unit

COLUMNS: dict[str, type] = dict.fromkeys(("level", "auroc", "dimensions", "auroc_component", "labelled"), float)
"""`level`: its number in the network. `auroc_component`: of an autoencoder's connected components. `labelled`: how many
defective images were learned from."""
POINT_COLUMNS: dict[str, type] = {
    "reads": str,
    **dict.fromkeys(
        ("requested", "dimensions", "auroc", "chi_fpr", "chi_tpr", "stated", "conformal_fpr", "conformal_tpr"), float
    ),
}
"""Shares of good (FPR) and of defective test images (TPR) above either threshold; `stated`: the conformal rate."""


def measure_levels(units: Sequence[Unit], settings: StudySettings) -> list[Row]:
    """AU-ROC and dimensions of distances on levels, and of sums of them."""
    network = network_of(settings, units[0])
    asked = (name for unit in units for name in unit.layers.split(JOIN))
    names = tuple(dict.fromkeys((*levels_of(settings, network), *asked)))
    at = pooled(product_of(settings, units[0]), network, names, units[0].seed)
    numbers = {name: float(number) for number, name in enumerate(levels(network.layers), start=1)}
    return [_on_levels(at, unit, numbers) for unit in units]


def _on_levels(at: Pooled, unit: Unit, numbers: dict[str, float]) -> Row:
    names, part = unit.layers.split(JOIN), Part.of(unit.variant)
    fitted = [at.fitted(name, unit.method, part) for name in names]
    found = {"auroc": auroc_of(np.sum([scores for _, scores in fitted], axis=0), at.labels)}
    if len(names) > 1:
        return found
    return {**found, "level": numbers.get(names[0]), "dimensions": float(fitted[0][0].dimensions)}


def measure_points(units: Sequence[Unit], settings: StudySettings) -> list[Row]:
    """Alarms at the chi-square threshold of a rate, and at the conformal one."""
    network = network_of(settings, units[0])
    rows: dict[Unit, Row] = {}
    reads: dict[Unit, str] = {}
    for unit in units:
        try:
            reads[unit] = named_level(unit.layers, network)
        except FlawsightError as error:
            rows[unit] = {ERROR: str(error)}
    if reads:
        names = tuple(dict.fromkeys(reads.values()))
        at = pooled(product_of(settings, units[0]), network, names, units[0].seed)
        rows |= {unit: _at_point(at, unit, name) for unit, name in reads.items()}
    return [rows[unit] for unit in units]


def _at_point(at: Pooled, unit: Unit, name: str) -> Row:
    """Both thresholds belong to the same distribution."""
    part = Part.of(unit.variant)
    normal, scores = at.fitted(name, unit.method, part.learned)
    rate = math.erfc(part.sigma / math.sqrt(2))
    point = operating_point(at.held_out(name, unit.method, part.learned), rate)
    found = {"chi": scores > chi_square_threshold(normal.dimensions, rate), "conformal": scores > point.threshold}
    return {
        "reads": name,
        "requested": rate,
        "dimensions": float(normal.dimensions),
        "auroc": auroc_of(scores, at.labels),
        "stated": point.rate,
        **{f"{by}_fpr": _share(alarms[at.labels == 0]) for by, alarms in found.items()},
        **{f"{by}_tpr": _share(alarms[at.labels == 1]) for by, alarms in found.items()},
    }


def _share(called: np.ndarray) -> float | None:
    return float(called.mean()) if len(called) else None
