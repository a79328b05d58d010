"""Choosing features by synthetic defects: layers of a network, and channels inside a layer."""

from flawsight.features.channels import ChannelSelection
from flawsight.selection.fusion import Choice, combine_depths, criterion, depths
from flawsight.selection.judge import Figures
from flawsight.selection.search import AUTO_KINDS, LayerSelection, Row, defect_kinds
from flawsight.selection.trials import Candidate, Trial
from flawsight.selection.validation import ValidationSet, make_validation_set

__all__ = [
    "AUTO_KINDS",
    "Candidate",
    "ChannelSelection",
    "Choice",
    "Figures",
    "LayerSelection",
    "Row",
    "Trial",
    "ValidationSet",
    "combine_depths",
    "criterion",
    "defect_kinds",
    "depths",
    "make_validation_set",
]
