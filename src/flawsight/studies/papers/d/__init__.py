"""Paper D, SimpleNet: Tables 1 to 5, Figures 2 and 4 to 7.

Tables 1 to 4 and Figures 4 to 7 are made of the same rows: SimpleNet as it is, and with one thing changed, learned from
all good images and measured on the test images. Its first levels are the stages of the network from stride 4 on.
"""

from typing import Any

from flawsight.studies.papers.d.figures import loss_over_epochs, over_neighbourhood, over_noise, spread_of_features
from flawsight.studies.papers.d.measure import COLUMNS, measure
from flawsight.studies.papers.d.novelty import by_class, class_units, measure_classes
from flawsight.studies.papers.d.speed import SPEED_COLUMNS, measure_speed, speed_figure, speed_table
from flawsight.studies.papers.d.tables import (
    by_adaptor,
    by_epoch,
    by_levels,
    by_method,
    by_neighbourhood,
    by_network,
    by_noise,
    by_spread,
)
from flawsight.studies.papers.d.units import (
    SIMPLENET,
    adaptor_units,
    level_units,
    method_units,
    neighbourhood_units,
    noise_units,
    plain_units,
)
from flawsight.studies.study import Study

_ALONE = {"detector": (SIMPLENET,)}
_BESIDE = {"detector": (SIMPLENET, "patchcore", "gaussian"), "parameter": {"gaussian.score": "map"}}
_SMALL = {"simplenet.epochs": 2, "simplenet.max_descriptors": 256, "simplenet.hidden": 32}
_QUICK = {"parameter": _SMALL}
_QUICK_BESIDE = {"parameter": {**_SMALL, "gaussian.score": "map", "patchcore.bank_size": 50}}
_LOCALISES = "masks for pixel AU-ROC and AU-PRO"
_COMMON: dict[str, Any] = {"columns": COLUMNS, "measure": measure, "rows": "d-rows", "takes": ("detector", "parameter")}

TABLE_1 = Study(
    title="SimpleNet beside other methods",
    source="paper D, Table 1",
    needs=_LOCALISES,
    units=method_units,
    tables=by_method,
    defaults=_BESIDE,
    quick=_QUICK_BESIDE,
    at_once=6,
    **_COMMON,
)
TABLE_2 = Study(
    title="SimpleNet on one level and on several",
    source="paper D, Table 2",
    needs=f"{_LOCALISES}; a network with three stages from stride 4 on",
    units=level_units,
    tables=by_levels,
    defaults=_ALONE,
    quick=_QUICK,
    at_once=6,
    **_COMMON,
)
TABLE_3 = Study(
    title="SimpleNet's adaptor and loss",
    source="paper D, Table 3",
    needs=_LOCALISES,
    units=adaptor_units,
    tables=by_adaptor,
    defaults=_ALONE,
    quick=_QUICK,
    at_once=4,
    **_COMMON,
)
TABLE_4 = Study(
    title="SimpleNet on several networks",
    source="paper D, Table 4",
    needs=f"{_LOCALISES}; several networks (--extractor)",
    units=method_units,
    tables=by_network,
    defaults=_ALONE,
    quick=_QUICK,
    at_once=4,
    **_COMMON,
)
TABLE_5 = Study(
    title="One class against the others",
    source="paper D, Table 5",
    needs="a classification data set, train/CLASS and test/CLASS, such as CIFAR-10",
    columns={"auroc": float},
    units=class_units,
    measure=measure_classes,
    tables=by_class,
    defaults={"detector": (SIMPLENET, "patchcore", "gaussian", "knn"), "image_size": (128,)},
    quick={"parameter": {**_SMALL, "patchcore.bank_size": 50}},
    at_once=4,
    takes=("detector", "parameter"),
)
FIGURE_2 = Study(
    title="How long a picture takes, and how well defects are detected",
    source="paper D, Figure 2",
    needs="a machine that does nothing else: milliseconds are its own, so no --workers",
    columns=SPEED_COLUMNS,
    units=method_units,
    measure=measure_speed,
    tables=speed_table,
    figure=speed_figure,
    defaults=_BESIDE,
    quick=_QUICK_BESIDE,
    at_once=1,
    takes=("detector", "parameter"),
    is_timed=True,
)
FIGURE_4 = Study(
    title="Spread of local and of adapted features",
    source="paper D, Figure 4",
    needs="nothing beside good images and images to test on",
    units=plain_units,
    tables=by_spread,
    figure=spread_of_features,
    defaults=_ALONE,
    quick=_QUICK,
    at_once=4,
    **_COMMON,
)
FIGURE_5 = Study(
    title="How much noise",
    source="paper D, Figure 5",
    needs=_LOCALISES,
    units=noise_units,
    tables=by_noise,
    figure=over_noise,
    defaults=_ALONE,
    quick=_QUICK,
    at_once=4,
    **_COMMON,
)
FIGURE_6 = Study(
    title="How large a neighbourhood",
    source="paper D, Figure 6",
    needs=_LOCALISES,
    units=neighbourhood_units,
    tables=by_neighbourhood,
    figure=over_neighbourhood,
    defaults=_ALONE,
    quick=_QUICK,
    at_once=4,
    **_COMMON,
)
FIGURE_7 = Study(
    title="Loss during training, by adaptor",
    source="paper D, Figure 7",
    needs="nothing beside good images and images to test on",
    units=adaptor_units,
    tables=by_epoch,
    figure=loss_over_epochs,
    defaults=_ALONE,
    quick=_QUICK,
    at_once=4,
    **_COMMON,
)
