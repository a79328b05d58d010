"""Revision: what was in force in a bundle from some time on, and who wanted it so."""

from __future__ import annotations

from flawsight.bundle.parts import Strict
from flawsight.metrics import OperatingPoint


class Revision(Strict):
    """What was in force from `at` on: the operating point, the colours' threshold, and what is judged.

    `at` is a date and time in ISO 8601, empty for the fit.

    >>> manifest = revised(read_manifest(bundle), "A. Smith", "2026-01-07T09:30:00+00:00", "too many alarms", 9.5)
    >>> [(one.by, one.why) for one in manifest.revisions]
    [('fit', ''), ('A. Smith', 'too many alarms')]
    """

    at: str
    by: str
    why: str
    point: OperatingPoint
    colour_threshold: float
    judged: str = ""
