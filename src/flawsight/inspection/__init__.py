"""The deliverable: fit, calibrate, inspect, save, load, evaluate."""

from flawsight.inspection.bundle import load, save
from flawsight.inspection.evaluation import evaluate
from flawsight.inspection.fit import fit
from flawsight.inspection.inspector import Inspector, Result

__all__ = ["Inspector", "Result", "evaluate", "fit", "load", "save"]
