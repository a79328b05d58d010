"""Which files of a folder were inspected, as the history knows it, and forgetting those that are gone."""

from __future__ import annotations

import time
from pathlib import Path

from flawsight.station.history import History, Watched
from flawsight.station.watch.scan import Look

_ON_THE_DISK = 60.0
"""After so many seconds a system has written to its disk that a file was moved."""
_TIDY = 600.0


class Ledger:
    """Asks the history, and tells it what is gone for good."""

    def __init__(self, history: History, folder: Path) -> None:
        self._history, self._folder = history, str(folder)
        self._moved: dict[str, tuple[Watched, float]] = {}
        self._tidied, self._up_to = time.monotonic(), ""

    def was_seen(self, watched: Watched) -> bool:
        """Whether this very file was inspected and has not been moved since."""
        return watched.path not in self._moved and self._history.was_seen(watched) is not None

    def moved(self, watched: Watched) -> None:
        """The file was moved away: what comes under its name is another, even if it looks the same."""
        self._moved[watched.path] = (watched, time.monotonic())

    def tidy(self, found: Look) -> None:
        """Forget moved files, and those whose records are forgotten and that are gone.

        Not so soon that a power cut brings a file back that nobody knows; and none while the folder is empty, for its
        drive may be away.
        """
        now = time.monotonic()
        settled = [watched for watched, when in self._moved.values() if now - when > _ON_THE_DISK]
        if settled:
            self._history.moved(settled)
            for watched in settled:
                del self._moved[watched.path]
        if now - self._tidied > _TIDY and not found.is_empty and not found.unread:
            self._tidied = now
            paths = self._history.forgotten_files(self._folder, self._up_to)
            self._up_to = paths[-1] if paths else ""
            self._history.forget_files([path for path in paths if Path(path) not in found.pictures])
