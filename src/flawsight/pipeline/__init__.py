"""What the commands do, told in stages: a folder of good pictures becomes an inspector, or a data set of defects."""

from flawsight.core import lazy_names
from flawsight.pipeline.fit import FitResult, fit, run_fit
from flawsight.pipeline.record import FitRecord
from flawsight.pipeline.region import propose_region, region_preview
from flawsight.pipeline.reporting import fit_report, write_report, write_selection
from flawsight.pipeline.synthesis import run_synthesize, synthesize

__all__ = [
    "FitRecord",
    "FitResult",
    "fit",
    "fit_report",
    "propose_region",
    "region_preview",
    "run_fit",
    "run_synthesize",
    "synthesize",
    "write_report",
    "write_selection",
]
__getattr__ = lazy_names(__name__, renamed={"synthesize_dataset": "synthesize"})
