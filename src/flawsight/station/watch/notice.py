"""Being told that a folder changed, where the system does that; looking is what counts."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path

import watchfiles


class Notice:
    """Calls `tell` soon after something changed in a folder, from a thread of its own, until it is closed."""

    def __init__(self, folder: Path, tell: Callable[[], object]) -> None:
        self._folder, self._tell = folder, tell
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._listen, name=f"notice {folder}", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End."""
        self._ended.set()
        self._thread.join(5.0)

    @property
    def is_alive(self) -> bool:
        """Whether it still listens."""
        return self._thread.is_alive()

    def _listen(self) -> None:
        try:
            listening = watchfiles.watch(
                self._folder, watch_filter=None, debounce=100, step=20, rust_timeout=1000, stop_event=self._ended,
                raise_interrupt=False, force_polling=False, ignore_permission_denied=True,
            )  # fmt: skip
            for _ in listening:
                self._tell()
        except (OSError, RuntimeError) as error:  # too many folders, a network drive, gone: looking goes on
            logging.getLogger(__name__).info("no notices of %s: %s", self._folder, error)
