"""Whether production is still what it was: alarms of drift that are rarely false, however long one looks."""

from flawsight.monitoring.alarm import Drift, DriftAlarm

__all__ = ["Drift", "DriftAlarm"]
