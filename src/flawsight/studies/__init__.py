"""The papers' tables and figures on anyone's data, and what the papers compare with."""

from flawsight.studies.classifier import SupervisedClassifier
from flawsight.studies.engine import StudyResult, make_study, run_study
from flawsight.studies.figures import bars, scatter
from flawsight.studies.study import STUDIES, Study, Unit
from flawsight.studies.tables import Table, mean_and_deviation, pivot, said_of_missing

__all__ = [
    "STUDIES",
    "Study",
    "StudyResult",
    "SupervisedClassifier",
    "Table",
    "Unit",
    "bars",
    "make_study",
    "mean_and_deviation",
    "pivot",
    "run_study",
    "said_of_missing",
    "scatter",
]
