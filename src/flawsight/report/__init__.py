"""What people read: heat maps over pictures, and the report that a fit leaves behind."""

from flawsight.report.fit_report import write_fit_report
from flawsight.report.heatmap import ColourScale, overlay
from flawsight.report.inputs import DefectExample, DefectScore, FitReport, LayerScore

__all__ = ["ColourScale", "DefectExample", "DefectScore", "FitReport", "LayerScore", "overlay", "write_fit_report"]
