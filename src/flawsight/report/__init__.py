"""What people read: heat maps, and the pages of a fit and of a check. Plain values in, pictures and pages out."""

from flawsight.report.check_page import render_check_page, write_check_page
from flawsight.report.fit_report import render_fit_report, write_fit_report
from flawsight.report.heatmap import outline, overlay
from flawsight.report.inputs import (
    DefectExample,
    FitReport,
    FoundBySize,
    LayerScore,
    SpeedOption,
    SuspectPicture,
    Trust,
    ViewScore,
)
from flawsight.report.trust.found import write_found_page
from flawsight.scoring import ColourScale

__all__ = [
    "ColourScale",
    "DefectExample",
    "FitReport",
    "FoundBySize",
    "LayerScore",
    "SpeedOption",
    "SuspectPicture",
    "Trust",
    "ViewScore",
    "outline",
    "overlay",
    "render_check_page",
    "render_fit_report",
    "write_check_page",
    "write_fit_report",
    "write_found_page",
]
