"""One learning that is under way: pictures are gathered, a fit runs, old and new are compared."""

from __future__ import annotations

import threading
from base64 import b64decode
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from flawsight.bundle import Manifest, read_manifest, replace_manifest, revised
from flawsight.bundle.store import MANIFEST
from flawsight.core import FlawsightError
from flawsight.data import fingerprint
from flawsight.inspection import Inspector
from flawsight.settings import ServeSettings, flag_of
from flawsight.station.bundles import open_graph
from flawsight.station.history.history import History
from flawsight.station.learning.compare import Comparison, compare
from flawsight.station.learning.pictures import gather, learned_from
from flawsight.station.learning.process import FitProcess, reason_of
from flawsight.station.learning.state import Kept, Place

LOOK = 0.2


class Loaded(Protocol):
    """What is asked of a loaded bundle."""

    @property
    def folder(self) -> Path:
        """Where it lies."""

    @property
    def inspector(self) -> Inspector:
        """What inspects."""


class Stopped(Exception):
    """Somebody wants no more of it."""


@dataclass(eq=False)
class Job:
    """What is learned again, from which folder of good pictures, and how far it has come.

    `program` runs `flawsight`; `known`: fingerprints of what fits of this station learned from.
    """

    bundle: str
    loaded: Loaded
    good: Path
    program: list[str]
    place: Place
    kept: Kept
    known: Collection[str] = ()
    is_stopped: threading.Event = field(default_factory=threading.Event)
    thread: threading.Thread | None = None

    def check(self) -> None:
        """Raise Stopped where that was asked for."""
        if self.is_stopped.is_set():
            raise Stopped

    def run(self, settings: ServeSettings, history: History) -> Kept | None:
        """Do all of it, and say what is to be kept of it; None where it was stopped."""
        try:
            found = self._learned(settings, history)
            return self.kept.model_copy(update={"kind": "ready", "step": "", "pid": None, "comparison": found})
        except Stopped:
            return None
        except FlawsightError as error:
            reason = str(error)
        except Exception as error:  # whatever it is, the page must say that it has ended
            reason = f"{type(error).__name__}: {error}"
        return self.kept.model_copy(update={"kind": "failed", "reason": reason, "pid": None})

    def _learned(self, settings: ServeSettings, history: History) -> Comparison:
        data = self.loaded.inspector.manifest.data
        paths = learned_from(self.good, data)
        gathered = gather(history, self.bundle, paths, self.good, self.place, self.check)
        notes = list(gathered.notes)
        known = {fingerprint(paths), *self.known}
        if data.fingerprint not in known:
            notes.append(f"The old inspector learned from other pictures than lie in {self.good} now: it may know some")
        self._fit(self._command())
        self._step("comparing")
        self._keep_what_was_left_out()
        self._keep_what_is_judged()
        new = open_graph(self.place.bundle, settings)
        return compare(self.loaded.inspector, new, gathered.held, notes, settings.max_pixels)

    def _step(self, step: str, pid: int | None = None) -> None:
        self.check()
        self.kept = self.kept.model_copy(update={"step": step, "pid": pid})
        self.place.write(self.kept)

    def _command(self) -> list[str]:
        """The fit of the bundle once more, of other pictures."""
        folder, place = self.loaded.folder, self.place
        manifest = read_manifest(folder)
        found = [*self.program, "fit", str(place.good), "--config", str(folder / MANIFEST), "--out", str(place.bundle)]
        rate = manifest.as_exported().operating_point.requested_rate  # which somebody may have changed since the fit
        found += ["--false-alarm-rate", repr(rate)]
        if manifest.region:
            place.region.write_bytes(b64decode(manifest.region))
            found += ["--region", str(place.region)]
        elif "region" in manifest.settings_paths:  # it was to be found, and no object stood out
            found += ["--region", "auto"]
        if manifest.settings.get("export") == "none":
            found += ["--export", "onnx"]
        if manifest.settings.get("group_by"):
            raise FlawsightError(
                "the fit read the part from each picture's name (--group-by), and marked pictures have no such names: "
                "add them to the folder under such names, and fit again by the command"
            )
        # What people marked as good is what was odd, and what the fit left out is not there.
        found.append("--all-good")
        return found

    def _keep_what_was_left_out(self) -> None:
        """What the old fit left out is left out of the next one, too, whose folder holds it still."""
        old, new = self.loaded.inspector.manifest.data, self.place.bundle
        left_out = tuple(one for one in old.suspects if one.is_left_out)
        if left_out:
            manifest = read_manifest(new)
            data = manifest.data.model_copy(update={"suspects": left_out})
            replace_manifest(manifest.model_copy(update={"data": data}), new)

    def _keep_what_is_judged(self) -> None:
        """What people left out of the old bundle's maps stays left out."""
        judged, new = self.loaded.inspector.manifest.judged, self.place.bundle
        if judged:
            why = "what is judged stays as it was"
            replace_manifest(revised(read_manifest(new), self.kept.by, now(), why, judged=judged), new)

    def _fit(self, command: list[str]) -> None:
        self.check()
        process = FitProcess(command, self.place.log)
        try:
            self._step("learning", process.pid)
            while (code := process.wait(LOOK)) is None:
                self.check()
        finally:
            process.stop()
        if code:
            raise FlawsightError(reason_of(code, self.place.tail()))


def now() -> str:
    """The time as revisions have it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def check_repeatable(manifest: Manifest) -> None:
    """Raise where the fit took files whose place nobody knows any more."""
    others = [name for name in manifest.settings_paths if name != "region"]
    if others:
        raise FlawsightError(
            f"the fit of this bundle also took {' and '.join(map(flag_of, others))}, whose place it does not keep: "
            "learn again by hand, with `flawsight fit --config inspector.json`"
        )
