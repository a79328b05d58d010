"""Records as rows that a spreadsheet shows."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from flawsight.core import readable
from flawsight.station.history.record import Record

COLUMNS = ("id", "time", "bundle", "path", "score", "p_value", "verdict", "reason", "regions")
"""Those of `results.csv`, and whose and when a verdict is."""
MORE_COLUMNS = ("threshold", "mark", "marked_by", "marked_at", "source", "sha256", "bundle_digest")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_FORMULA = ("=", "+", "-", "@")


def iso(seconds: float) -> str:
    """A time as ISO 8601 in UTC, such as 2024-05-01T12:30:00.250000Z."""
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    except (OverflowError, OSError, ValueError):  # a clock gone mad
        return f"{seconds:.6f}"


def cell(text: str) -> str:
    """A text in one line that no spreadsheet takes for a formula: names come from whoever sends pictures."""
    shown = _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", readable(text))
    return f"'{shown}" if shown.startswith(_FORMULA) else shown


def cells(record: Record) -> dict[str, Any]:
    """The values of `COLUMNS` and `MORE_COLUMNS`; regions are counted, and an error has none."""
    texts = ("bundle", "reason", "marked_by")
    same = ("id", "score", "p_value", "verdict", "threshold", "mark", "source", "sha256", "bundle_digest")
    return {
        **{name: getattr(record, name) for name in same},
        **{name: cell(getattr(record, name)) for name in texts},
        "path": cell(record.picture),
        "time": iso(record.at),
        "regions": None if record.verdict == "error" else len(record.regions),
        "marked_at": None if record.marked_at is None else iso(record.marked_at),
    }
