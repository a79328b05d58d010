"""Paper E, RealNet: Tables 1, 3 and 5, and Figure 5.

The paper's are made of the same rows: a RealNet with one source of anomalies and one change, trained on all good
images. Two are ours: what its defects and its channels bring to other methods. The generators of SDAS are kept in
DIR/generators, one for each category and seed.
"""

from typing import Any

from flawsight.studies.papers.e import channels, kinds
from flawsight.studies.papers.e.measure import COLUMNS, measure_realnet
from flawsight.studies.papers.e.tables import over_retention, table_1, table_3, table_5, tables_of_rrs
from flawsight.studies.papers.e.units import figure_5_units, table_1_units, table_3_units, table_5_units
from flawsight.studies.study import Study

_DEFAULTS = {"detector": ("realnet",)}
_QUICK = {
    "parameter": {"realnet.training_steps": 2, "realnet.pairs": 8, "realnet.afs_pairs": 4},
    "generator_preset": "tiny",
    "generator_steps": 2,
}
_TAKES = ("detector", "parameter", "generator_preset", "generator_steps")
_NEEDS = "masks for the pixels' figures; minutes of training for each generator and for each row"
_COMMON: dict[str, Any] = {
    "columns": COLUMNS,
    "measure": measure_realnet,
    "defaults": _DEFAULTS,
    "quick": _QUICK,
    "at_once": 1,
    "rows": "e-realnet",
}

TABLE_1 = Study(
    title="RealNet by category",
    source="paper E, Table 1, the column of SIA",
    needs=_NEEDS,
    units=table_1_units,
    tables=table_1,
    takes=_TAKES,
    **_COMMON,
)
TABLE_3 = Study(
    title="Sources of anomalies",
    source="paper E, Tables 1 and 3",
    needs=f"--textures, a folder of foreign textures (DTD's in the paper); {_NEEDS}",
    units=table_3_units,
    tables=table_3,
    takes=(*_TAKES, "textures"),
    **_COMMON,
)
TABLE_5 = Study(
    title="Without AFS and RRS, and by strength",
    source="paper E, Table 5",
    needs=_NEEDS,
    units=table_5_units,
    tables=table_5,
    takes=_TAKES,
    **_COMMON,
)
FIGURE_5 = Study(
    title="Residuals that RRS keeps",
    source="paper E, Figure 5",
    needs=_NEEDS,
    units=figure_5_units,
    tables=tables_of_rrs,
    figure=over_retention,
    takes=_TAKES,
    **_COMMON,
)
CHANNELS = Study(
    title="Channels that AFS chooses, for another method",
    source="ours, after Eq. 4 of paper E",
    needs="masks for AU-PRO and P_h; a network with the customary pair",
    columns=channels.COLUMNS,
    units=channels.channel_units,
    measure=channels.measure_channels,
    tables=channels.tables_of_channels,
    defaults={"detector": ("patchcore",)},
    quick={"parameter": {"patchcore.bank_size": 50}},
    takes=("detector", "parameter"),
)
KINDS = Study(
    title="Our search with paper E's kinds of defects",
    source="ours, after Sec. 3.1 of paper E",
    needs="masks for AU-PRO and P_h; minutes of training for each generator",
    columns=kinds.COLUMNS,
    units=kinds.kinds_units,
    measure=kinds.measure_kinds,
    tables=kinds.tables_of_kinds,
    defaults={"detector": ("patchcore",)},
    quick={"parameter": {"patchcore.bank_size": 50}, "generator_preset": "tiny", "generator_steps": 2},
    takes=("detector", "parameter", "most_layers", "generator_preset", "generator_steps"),
)
