"""The history as a table for others, and what people marked as a labelled set."""

from __future__ import annotations

from pathlib import Path

from flawsight.station.history.database import Database
from flawsight.station.history.pictures import Pictures


def write_table(database: Database, path: Path, since: float) -> int:
    """Write it; how many records."""
    raise NotImplementedError


def write_marked(database: Database, pictures: Pictures, folder: Path, bundle: str) -> int:
    """Write them; how many pictures."""
    raise NotImplementedError
