"""Paper C, Gaussian-AD: Tables I to V, VII and VIII.

The good images are cut into five folds; what is learned without one of them meets all test images. Tables I to III,
and V where it says the same, are made of the same rows. Paper C has no figure of measurements.
"""

from typing import Any

from flawsight.studies.papers.c.baselines import measure_baselines
from flawsight.studies.papers.c.measure import COLUMNS, POINT_COLUMNS, measure_levels, measure_points
from flawsight.studies.papers.c.tables import approaches, by_distance, by_network, working_points
from flawsight.studies.papers.c.units import (
    SUPERVISED,
    baseline_units,
    component_units,
    distance_units,
    network_units,
    point_units,
)
from flawsight.studies.study import Study

_NEEDS = "at least 5 good images of each category"
_SPREAD = "Five folds of the good images for each of the seeds {seeds}; what ± is stands below each table"
_ONE_CUT = {"seeds": (0,)}
_AUGMENTED = {**_ONE_CUT, "augment": 10}
_QUICK = {"augment": 2}
_TAKES = ("augment", "label_preserving", "most_layers")
_OF_LEVELS: dict[str, Any] = {
    "columns": COLUMNS,
    "measure": measure_levels,
    "defaults": _ONE_CUT,
    "quick": _QUICK,
    "at_once": 200,
    "rows": "c-levels",
    "spread": _SPREAD,
    "takes": _TAKES,
}

TABLE_1 = Study(
    title="Levels by three distances",
    source="paper C, Table I",
    needs=_NEEDS,
    units=distance_units,
    tables=by_distance,
    **_OF_LEVELS,
)
TABLE_2 = Study(
    title="Levels by network",
    source="paper C, Tables II and VII",
    needs=f"{_NEEDS}; the paper compares EfficientNets and ResNets",
    units=network_units,
    tables=by_network,
    **_OF_LEVELS,
)
TABLE_3 = Study(
    title="Components of most and of least variance",
    source="paper C, Table III",
    needs=_NEEDS,
    units=component_units,
    tables=by_distance,
    **_OF_LEVELS,
)
TABLE_4 = Study(
    title="Working points, requested and reached",
    source="paper C, Table IV, with conformal thresholds beside it",
    needs=f"{_NEEDS}; a network with seven levels, or a layer named",
    columns=POINT_COLUMNS,
    units=point_units,
    measure=measure_points,
    tables=working_points,
    defaults=_AUGMENTED,
    quick=_QUICK,
    at_once=200,
    spread=_SPREAD,
    takes=_TAKES,
)
TABLE_5 = Study(
    title="Beside a one-class machine, an autoencoder and a supervised classifier",
    source="paper C, Tables V and VIII",
    needs=f"{_NEEDS}; masks for the autoencoder's second score; 5 labelled defects for the classifier",
    columns=COLUMNS,
    units=baseline_units,
    measure=measure_baselines,
    tables=approaches,
    defaults={**_AUGMENTED, "detector": ("ocsvm", "autoencoder", SUPERVISED)},
    quick={
        **_QUICK,
        "parameter": {
            "autoencoder.epochs": 1,
            "autoencoder.side": 32,
            "autoencoder.width": 4,
            f"{SUPERVISED}.epochs": 1,
        },
    },
    at_once=1,
    rows="c-levels",
    spread=_SPREAD,
    takes=(*_TAKES, "detector", "parameter"),
)
