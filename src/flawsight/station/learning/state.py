"""How far learning again has come for one bundle, and the folder where that outlives the station."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from flawsight.core import FlawsightError, read_model, write_whole
from flawsight.station.learning.compare import Comparison

TAIL = 30
MOST_READ = 20_000
Kind = Literal["idle", "running", "failed", "ready"]


@dataclass(frozen=True)
class LearningState:
    """`running` is at a `step`; `failed` has a `reason`; `ready` has a `comparison` to choose by.

    `since`: seconds since 1970 at which it began, `by` whom. `log`: the last lines that the fit wrote.
    """

    kind: Kind = "idle"
    step: str = ""
    since: float | None = None
    by: str = ""
    reason: str = ""
    log: tuple[str, ...] = ()
    comparison: Comparison | None = None


class Kept(BaseModel):
    """What is kept of it in state.json; `pid` is the fit's process."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Kind
    since: float
    by: str
    step: str = ""
    reason: str = ""
    pid: int | None = None
    comparison: Comparison | None = None


class Place:
    """The folder of one bundle's learning: state.json, log.txt, the pictures and the new bundle."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.good, self.held = folder / "good", folder / "held"
        self.log, self.bundle = folder / "log.txt", folder / "bundle"
        self.region = folder / "region.png"

    def write(self, kept: Kept) -> None:
        """Keep the state, whole or not at all."""
        self.folder.mkdir(parents=True, exist_ok=True)
        write_whole(self.folder / "state.json", kept.model_dump_json(indent=1) + "\n")

    def read(self) -> Kept | None:
        """What was kept; None where nothing was, or it cannot be read any more."""
        path = self.folder / "state.json"
        if not path.exists():
            return None
        try:
            return read_model(path, Kept, "learning again", "learn again")
        except FlawsightError:
            return None

    def tail(self) -> tuple[str, ...]:
        """The last lines of the log."""
        try:
            with self.log.open("rb") as file:
                file.seek(max(0, file.seek(0, 2) - MOST_READ))
                text = file.read().decode("utf-8", "replace")
        except OSError:
            return ()
        return tuple(line for line in text.splitlines() if line.strip())[-TAIL:]

    def clear(self) -> None:
        """Remove all of it, the state first: what is left after a kill is nothing to anybody."""
        (self.folder / "state.json").unlink(missing_ok=True)
        shutil.rmtree(self.folder, ignore_errors=True)
