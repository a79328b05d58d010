"""Pictures to verdicts, with any backend: one by one, a folder, a labelled data set."""

from flawsight.inspection.backend import Backend
from flawsight.inspection.drift import drift_alarm, follow, open_drift
from flawsight.inspection.evaluation import evaluate
from flawsight.inspection.folder import ResultRow, ResultRows, inspect_to_folder
from flawsight.inspection.inspector import CHUNK, Inspector, Result

__all__ = [
    "CHUNK",
    "Backend",
    "Inspector",
    "Result",
    "ResultRow",
    "ResultRows",
    "drift_alarm",
    "evaluate",
    "follow",
    "inspect_to_folder",
    "open_drift",
]
