"""Records as rows of a table."""

from __future__ import annotations

import json
import sqlite3
import struct
from typing import Any

from flawsight.core import readable, readable_document
from flawsight.station.history.record import Entry, Record

COLUMNS = (
    "id", "at", "kept", "bundle", "bundle_digest", "picture", "source", "sha256", "verdict", "height", "width",
    "score", "score_bits", "p_value", "threshold", "reason", "regions", "mark", "marked_by", "marked_at",
    "has_picture", "has_heatmap",
)  # fmt: skip
_SAME = ("id", "at", "bundle", "bundle_digest", "source", "sha256", "verdict", "score", "p_value", "threshold", "mark",
         "marked_by", "marked_at")  # fmt: skip
KEEP_DRIFT = "INSERT OR REPLACE INTO drift (bundle, state, raised_at) VALUES (:bundle, :state, :raised_at)"
INSERT = f"INSERT INTO records ({', '.join(COLUMNS)}) VALUES ({', '.join(f':{name}' for name in COLUMNS)})"


def row_of(entry: Entry, kept: float) -> dict[str, Any]:
    """The columns of an entry's record; that it has a picture or a heat map is as the entry has them."""
    record = entry.record
    height, width = record.size or (None, None)
    return {
        **{name: getattr(record, name) for name in _SAME},
        "kept": kept,
        "score_bits": None if record.score is None else struct.unpack("<q", struct.pack("<d", record.score))[0],
        "bundle": readable(record.bundle),
        "picture": readable(record.picture),
        "reason": readable(record.reason),
        "height": height,
        "width": width,
        "regions": json.dumps(readable_document(record.regions), separators=(",", ":")),
        "has_picture": entry.picture is not None,
        "has_heatmap": entry.heatmap is not None,
    }


def record_of(row: sqlite3.Row) -> Record:
    """The record of a row with all `COLUMNS`."""
    return Record(
        **{name: row[name] for name in _SAME},
        picture=row["picture"],
        reason=row["reason"],
        size=None if row["height"] is None else (row["height"], row["width"]),
        regions=tuple(json.loads(row["regions"])),
        has_picture=bool(row["has_picture"]),
        has_heatmap=bool(row["has_heatmap"]),
    )
