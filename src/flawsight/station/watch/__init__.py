"""Folders into which cameras write."""

from flawsight.station.watch.watcher import Watcher, WatchStatus

__all__ = ["WatchStatus", "Watcher"]
