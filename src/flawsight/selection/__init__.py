"""Choosing features by synthetic defects."""

from flawsight.selection.fusion import FusionStep, criterion
from flawsight.selection.search import AUTO_KINDS, LayerSelection, Row, defect_kinds
from flawsight.selection.trials import Figures, Trial
from flawsight.selection.validation import ValidationSet, make_validation_set

__all__ = [
    "AUTO_KINDS",
    "Figures",
    "FusionStep",
    "LayerSelection",
    "Row",
    "Trial",
    "ValidationSet",
    "criterion",
    "defect_kinds",
    "make_validation_set",
]
