"""Paper A, feature selection by synthetic defects: Tables 1 to 4, Figures 4 and 5.

All but the multi-layer columns of Table 2 are made of the same rows: each layer alone, learned from 70 % of the good
images, measured on the synthetic validation sets of the other 30 % and on the real test images.
"""

from typing import Any

from flawsight.studies.papers.a.figures import by_block_and_kind, over_field, tables_by_block, tables_by_field
from flawsight.studies.papers.a.measure import (
    COLUMNS,
    figure_5_units,
    layer_units,
    measure_layers,
    table_2_units,
)
from flawsight.studies.papers.a.tables import table_1, table_2, table_3, table_4
from flawsight.studies.study import Study

_BOTH = {"detector": ("patchcore", "simplenet")}
_ONE = {"detector": ("patchcore",)}
_QUICK = {"parameter": {"patchcore.bank_size": 50, "simplenet.epochs": 1, "simplenet.max_descriptors": 512}}
_LOCALISES = "masks for AU-PRO and P_h; at least 8 good images of each category"
_COMMON: dict[str, Any] = {"columns": COLUMNS, "measure": measure_layers, "quick": _QUICK, "rows": "a-layers"}

TABLE_1 = Study(
    title="The layer that synthetic defects choose",
    source="paper A, Table 1",
    needs=_LOCALISES,
    units=layer_units,
    tables=table_1,
    defaults=_BOTH,
    **_COMMON,
)
TABLE_2 = Study(
    title="The chosen layer against several layers",
    source="paper A, Table 2",
    needs=f"{_LOCALISES}; a network with the customary pair",
    units=table_2_units,
    tables=table_2,
    defaults=_BOTH,
    **_COMMON,
)
TABLE_3 = Study(
    title="What the choice is made by",
    source="paper A, Table 3",
    needs=_LOCALISES,
    units=layer_units,
    tables=table_3,
    defaults=_ONE,
    **_COMMON,
)
TABLE_4 = Study(
    title="The best k layers on synthetic defects",
    source="paper A, Table 4 and Table A.1",
    needs=_LOCALISES,
    units=layer_units,
    tables=table_4,
    defaults=_ONE,
    **_COMMON,
)
FIGURE_4 = Study(
    title="Layers by block and by type",
    source="paper A, Figure 4",
    needs=_LOCALISES,
    units=layer_units,
    tables=tables_by_block,
    figure=by_block_and_kind,
    defaults=_ONE,
    **_COMMON,
)
FIGURE_5 = Study(
    title="Every layer over its relative receptive field",
    source="paper A, Figure 5",
    needs=f"{_LOCALISES}; the paper compares two networks",
    units=figure_5_units,
    tables=tables_by_field,
    figure=over_field,
    defaults=_ONE,
    **_COMMON,
)
