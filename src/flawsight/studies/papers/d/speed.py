"""Paper D's Figure 2: how long a picture takes against how well defects are detected."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import pandas as pd

from flawsight.inference import MemberSpec, fit_detectors, predict_raw
from flawsight.settings import StudySettings
from flawsight.studies.figures import Point, scatter
from flawsight.studies.papers.d.tables import prepared
from flawsight.studies.papers.d.units import detector_of, read_layers
from flawsight.studies.products import network_of, product_of
from flawsight.studies.study import Row, Unit
from flawsight.studies.tables import MADE, NOT_ALL, NOT_ALL_SAYS, NOTHING, Table, mean_and_deviation

SPEED_COLUMNS: dict[str, type] = {"auroc": float, "milliseconds": float}
WARM, TIMED = 3, 20


def measure_speed(units: Sequence[Unit], settings: StudySettings) -> list[Row]:
    """AU-ROC, and the median time of a picture, from the resized picture to its map, one at a time."""
    return [_of(unit, settings) for unit in units]


def _of(unit: Unit, settings: StudySettings) -> Row:
    product, network = product_of(settings, unit), network_of(settings, unit)
    member = MemberSpec(read_layers(network, unit.layers), detector_of(settings, unit))
    fit_detectors(network, product.good, [member])
    (found,) = predict_raw(network, product.test, [member])
    taken = []
    for number in range(WARM + TIMED):
        start = time.perf_counter()
        predict_raw(network, [product.test[number % len(product.test)]], [member])
        taken.append(1000 * (time.perf_counter() - start))
    return {"auroc": product.measured(found)["auroc"], "milliseconds": float(np.median(taken[WARM:]))}


def speed_table(frame: pd.DataFrame) -> list[Table]:
    """Means over the categories and seeds."""
    body = []
    lines = prepared(frame)
    for (network, method), part in lines.groupby(["network", "method"], sort=False):
        of_category = part.groupby("category", sort=False)["auroc"].mean()
        mark = "" if part["is_whole"].all() else f" {NOT_ALL}"
        time_said = NOTHING if part["milliseconds"].isna().all() else f"{part['milliseconds'].mean():.1f}"
        body.append(
            (str(method), str(network), f"{mean_and_deviation(pd.Series([of_category.mean()]))}{mark}", time_said)
        )
    head = ("method", "network", "AU-ROC", "milliseconds a picture")
    note = "Milliseconds are of the machine and of what else it did: other rows of this study are not comparable."
    if any(NOT_ALL in row[2] for row in body):
        note += f" {NOT_ALL_SAYS}"
    return [Table("AU-ROC and time of a picture, means over categories and seeds", head, tuple(body), note)]


def speed_figure(frame: pd.DataFrame) -> str:
    """AU-ROC over milliseconds, a point for each method and network."""
    series: dict[str, list[Point]] = {}
    lines = prepared(frame[frame["status"] == MADE])
    for (network, method), part in lines.groupby(["network", "method"], sort=False):
        means = part.groupby("category")[["auroc", "milliseconds"]].mean()
        deviation = float(part.groupby("seed")["auroc"].mean().std())
        point = (float(means["milliseconds"].mean()), float(means["auroc"].mean()), deviation, str(network))
        series.setdefault(str(method), []).append(point)
    return scatter({"": series}, "milliseconds a picture on this machine", "AU-ROC", "AU-ROC over time")
