"""Choosing features by synthetic defects: layers of a network, and channels inside a layer."""

from flawsight.core import lazy_names
from flawsight.defects import AUTO_KINDS, defect_kinds
from flawsight.features import ChannelSelection
from flawsight.metrics import Metrics
from flawsight.selection.fusion import SelectedLayer, criterion, depths, select_per_depth
from flawsight.selection.latency import Option, TimedChoice, pareto_front
from flawsight.selection.search import LayerSelection
from flawsight.selection.trials import Candidate, Trial
from flawsight.selection.validation import ValidationSet, make_validation_set

__all__ = [
    "AUTO_KINDS",
    "Candidate",
    "ChannelSelection",
    "LayerSelection",
    "Metrics",
    "Option",
    "SelectedLayer",
    "TimedChoice",
    "Trial",
    "ValidationSet",
    "criterion",
    "defect_kinds",
    "depths",
    "make_validation_set",
    "pareto_front",
    "select_per_depth",
]
__getattr__ = lazy_names(
    __name__, renamed={"Choice": "SelectedLayer", "Figures": "Metrics", "combine_depths": "select_per_depth"}
)
