"""What people read: heat maps over pictures, what an inspection leaves behind, and the report of a fit."""

from flawsight.report.after_fit import write_report, write_selection
from flawsight.report.fit_report import write_fit_report
from flawsight.report.heatmap import ColourScale, overlay
from flawsight.report.inputs import DefectExample, DefectScore, FitReport, LayerScore
from flawsight.report.inspected import ResultRow, inspect_to_folder

__all__ = [
    "ColourScale",
    "DefectExample",
    "DefectScore",
    "FitReport",
    "LayerScore",
    "ResultRow",
    "inspect_to_folder",
    "overlay",
    "write_fit_report",
    "write_report",
    "write_selection",
]
