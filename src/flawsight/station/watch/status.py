"""How a watched folder is, how a file of it is, and how often one looks."""

from __future__ import annotations

from collections.abc import Collection
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Literal

from flawsight.station.engine import Answer
from flawsight.station.watch.scan import Seen


@dataclass(frozen=True)
class WatchStatus:
    """Of one folder: pictures that wait, how many were inspected since the start, what is wrong, what is left alone."""

    folder: str
    waiting: int
    inspected: int
    problem: str
    left_alone: str = ""


@dataclass(frozen=True)
class Pace:
    """Seconds: between looks, that a file must not have changed, and until what went wrong is tried again."""

    poll: float = 1.0
    quiet: float = 0.4
    again: float = 5.0


@dataclass
class File:
    """A picture of the folder, and how far it is."""

    seen: Seen
    since: float
    stage: Literal["settling", "inspecting", "inspected"] = "settling"
    not_before: float = 0.0
    trouble: str = ""
    is_unkept: bool = False
    future: Future[Answer] | None = None


def trouble_of(files: Collection[File]) -> str:
    """The first trouble, and how many more there are."""
    troubles = [one.trouble for one in files if one.trouble]
    more = f" (and {len(troubles) - 1} more)" if len(troubles) > 1 else ""
    return troubles[0] + more if troubles else ""
