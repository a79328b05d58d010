"""All that is wrong with a data set's files in one error, so that nobody has to find them one a run."""

from collections.abc import Iterator
from contextlib import contextmanager

from flawsight.core import FlawsightError

MOST_NAMED = 50


class Problems:
    """Errors noted on the way, raised together."""

    def __init__(self) -> None:
        self.found: list[str] = []

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Note a FlawsightError of the block, and go on after it."""
        try:
            yield
        except FlawsightError as error:
            self.found.append(str(error))

    def refuse(self) -> None:
        """Raise what was noted, if anything was."""
        if len(self.found) > 1:
            more = f"; and {len(self.found) - MOST_NAMED} more" if len(self.found) > MOST_NAMED else ""
            raise FlawsightError(f"{len(self.found)} problems: {'; '.join(self.found[:MOST_NAMED])}{more}")
        if self.found:
            raise FlawsightError(self.found[0])
