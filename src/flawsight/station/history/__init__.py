"""Every verdict, kept in SQLite."""

from flawsight.station.history.answers import Rates, Scores
from flawsight.station.history.database import NotKept
from flawsight.station.history.history import History
from flawsight.station.history.record import DriftReset, DriftState, Entry, Label, Record, Source, Watched, new_id

__all__ = [
    "DriftReset",
    "DriftState",
    "Entry",
    "History",
    "Label",
    "NotKept",
    "Rates",
    "Record",
    "Scores",
    "Source",
    "Watched",
    "new_id",
]
