"""What people read: heat maps over pictures, and the report of a fit. Plain values in, pictures and pages out."""

from flawsight.report.fit_report import render_fit_report, write_fit_report
from flawsight.report.heatmap import outline, overlay
from flawsight.report.inputs import DefectExample, FitReport, LayerScore
from flawsight.scoring import ColourScale

__all__ = [
    "ColourScale",
    "DefectExample",
    "FitReport",
    "LayerScore",
    "outline",
    "overlay",
    "render_fit_report",
    "write_fit_report",
]
