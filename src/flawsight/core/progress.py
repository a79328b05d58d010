"""Progress for long work: bars on a terminal, lines for a log, nothing in a pipe."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Progress(Protocol):
    """What long work reports to: `stage(name, total)` is a context that yields `advance(count)`.

    >>> class Told(Silent):
    ...     def stage(self, name, total):
    ...         print(f"{name}: {total} steps")
    ...         return super().stage(name, total)
    >>> rows = fs.inspect_to_folder(inspector, [good], tmp, progress=Told())
    Inspecting: 12 steps
    """

    def stage(self, name: str, total: int) -> AbstractContextManager[Callable[[float], None]]:
        """Begin a stage of `total` steps."""


class Silent:
    """Reports nothing.

    >>> rows = fs.inspect_to_folder(inspector, [good], tmp, progress=Silent())  # no bar
    >>> len(rows)
    12
    """

    @contextmanager
    def stage(self, name: str, total: int) -> Iterator[Callable[[float], None]]:
        """Begin a stage that nobody watches."""
        yield lambda count: None


class Bars:
    """One rich bar for each stage, on standard error."""

    def __init__(self) -> None:
        from rich.console import Console

        self._console = Console(stderr=True)

    @contextmanager
    def stage(self, name: str, total: int) -> Iterator[Callable[[float], None]]:
        """Show a bar while the stage lasts, and how long it took when it ends."""
        from rich import progress

        columns = (
            progress.TextColumn("{task.description:<34}"),
            progress.BarColumn(),
            progress.MofNCompleteColumn(),
            progress.TimeElapsedColumn(),
            progress.TimeRemainingColumn(),
        )
        with progress.Progress(*columns, console=self._console) as bars:
            task = bars.add_task(name, total=total)
            yield lambda count: bars.advance(task, count)


class Lines:
    """Lines such as `Learning: 35 of 140` on standard error, for a log: one at the start of a stage, then few."""

    FEWEST = 20

    @contextmanager
    def stage(self, name: str, total: int) -> Iterator[Callable[[float], None]]:
        """Say where the stage is, at each twentieth of it."""
        done, said = 0.0, 0

        def advance(count: float) -> None:
            nonlocal done, said
            done += count
            if (reached := int(self.FEWEST * done / max(1, total))) > said:
                said = reached
                self._say(name, done, total)

        self._say(name, 0, total)
        yield advance

    def _say(self, name: str, done: float, total: int) -> None:
        print(f"{name}: {done:.0f} of {total}", file=sys.stderr, flush=True)


def default_progress() -> Progress:
    """Bars where standard error is a terminal, lines where FLAWSIGHT_PROGRESS is `lines`, else silence.

    >>> with default_progress().stage("Sorting", total=3) as advance:  # a bar, if this is a terminal
    ...     for part in range(3):
    ...         advance(1)
    """
    if os.environ.get("FLAWSIGHT_PROGRESS") == "lines":
        return Lines()
    # Without a console, as under pythonw, there is no standard error at all.
    return Bars() if sys.stderr is not None and sys.stderr.isatty() else Silent()
