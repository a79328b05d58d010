"""Notes of fits in a store that others keep: MLflow."""

from flawsight.tracking.tracker import Tracker, open_tracker

__all__ = ["Tracker", "open_tracker"]
