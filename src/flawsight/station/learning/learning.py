"""Learning: a fit with the marked pictures, beside the station, until somebody chooses."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from flawsight.bundle import read_manifest, replace_manifest, revised
from flawsight.core import FlawsightError
from flawsight.settings import ServeSettings
from flawsight.station.history.history import History
from flawsight.station.learning.job import Job, Loaded, check_repeatable, now
from flawsight.station.learning.process import end_left_over, program
from flawsight.station.learning.state import Kept, LearningState, Place
from flawsight.station.learning.swap import replace_bundle

INTERRUPTED = "it was interrupted: the station ended while it learned; start it again"


class Bundles(Protocol):
    """What is asked of the station's bundles."""

    @property
    def names(self) -> Sequence[str]:
        """All of them."""

    def get(self, name: str | None = None) -> Loaded:
        """One of them."""

    def reload(self, name: str) -> Loaded:
        """Read it again from its folder."""


class Learning:
    """Learns again for a station, one bundle at a time, in a process of its own with little priority.

    All of it lies beside the history in `learned/NAME`: a station that starts again finds what was ready, and says of
    what was under way that it was interrupted. With several bundles, their good pictures are in folders of their names.
    """

    def __init__(self, settings: ServeSettings, history: History, bundles: Bundles) -> None:
        self._settings, self._history, self._bundles = settings, history, bundles
        self._folder = settings.history.absolute().parent / "learned"
        self._adopted_file = self._folder / "adopted.jsonl"
        self._lock = threading.RLock()
        self._jobs: dict[str, Job] = {}
        for name in bundles.names:
            place = self._place(name)
            kept = place.read()
            if kept is not None and kept.kind == "running":
                end_left_over(kept.pid, str(place.bundle))
                self._interrupted(place, kept)

    def state(self, bundle: str) -> LearningState:
        """How far it has come for a bundle."""
        place = self._place(bundle)
        with self._lock:
            job = self._jobs.get(bundle)
            kept = job.kept if job else place.read()
        if kept is None:
            return LearningState()
        log = place.tail()
        step = f"{kept.step}: {log[-1]}" if kept.step == "learning" and log else kept.step
        return LearningState(kept.kind, step, kept.since, kept.by, kept.reason, log, kept.comparison)

    def start(self, bundle: str, by: str) -> None:
        """Begin; FlawsightError where it cannot, or one is under way."""
        if not by.strip():
            raise FlawsightError("learning again needs a name: say who begins it")
        loaded = self._bundles.get(bundle)
        check_repeatable(read_manifest(loaded.folder))
        good, runs = self._good(bundle), program(self._settings.fit_with)
        with self._lock:
            if self._jobs:
                raise FlawsightError(f"'{next(iter(self._jobs))}' is being learned again: wait for it, or stop it")
            place = self._place(bundle)
            place.clear()
            kept = Kept(kind="running", since=time.time(), by=by, step="gathering pictures")
            job = Job(bundle, loaded, good, runs, place, kept, self._adopted(bundle))
            place.write(kept)
            job.thread = threading.Thread(target=self._run, args=(job,), name=f"learning {bundle}", daemon=True)
            self._jobs[bundle] = job
            job.thread.start()

    def stop(self, bundle: str) -> None:
        """Give it up, if it is under way; nothing is left of it."""
        with self._lock:
            job = self._jobs.get(bundle)
        if job is not None and job.thread is not None:
            job.is_stopped.set()
            job.thread.join()

    def close(self) -> None:
        """As the station ends: what is under way ends, and will be said to have been interrupted."""
        with self._lock:
            jobs = list(self._jobs.values())
        for job in jobs:
            self.stop(job.bundle)
            if job.place.read() is None:  # else it was done at that moment
                self._interrupted(job.place, job.kept)

    def discard(self, bundle: str) -> None:
        """Keep the old one: what was learned, or why that failed, is forgotten."""
        self.stop(bundle)
        self._place(bundle).clear()

    def adopt(self, bundle: str, by: str) -> Path:
        """Put what was learned in the old bundle's place and load it; the old one is kept, in the folder returned."""
        with self._lock:
            place = self._place(bundle)
            kept = None if bundle in self._jobs else place.read()
            if kept is None or kept.kind != "ready":
                raise FlawsightError(f"there is nothing to adopt for '{bundle}': learn again first")
            folder = self._bundles.get(bundle).folder
            manifest = read_manifest(place.bundle)
            replace_manifest(revised(manifest, by, now(), "learned again with marked pictures"), place.bundle)
            before = replace_bundle(folder, place.bundle)
            try:
                self._bundles.reload(bundle)
            except FlawsightError:
                replace_bundle(folder, before)
                raise
            learned_from = manifest.data.fingerprint
            line = {"at": time.time(), "by": by, "bundle": bundle, "before": str(before), "learned_from": learned_from}
            with self._adopted_file.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
            place.clear()
            return before

    def _run(self, job: Job) -> None:
        last = job.run(self._settings, self._history)
        with self._lock:
            try:
                if last is None:
                    job.place.clear()
                else:
                    job.place.write(last)
            finally:
                del self._jobs[job.bundle]

    def _interrupted(self, place: Place, kept: Kept) -> None:
        place.write(kept.model_copy(update={"kind": "failed", "reason": INTERRUPTED, "pid": None}))

    def _place(self, bundle: str) -> Place:
        return Place(self._folder / bundle)

    def _good(self, bundle: str) -> Path:
        good = self._settings.good
        if good is None:
            raise FlawsightError("where the good pictures of the fit are is not known: start the station with --good")
        found = good / bundle if len(self._bundles.names) > 1 else good
        if not found.exists():
            raise FlawsightError(f"'{found}' is not there: --good names the folder of the good pictures of the fit")
        return found

    def _adopted(self, bundle: str) -> list[str]:
        """Fingerprints of what fits of ours learned from."""
        if not self._adopted_file.exists():
            return []
        lines = map(json.loads, self._adopted_file.read_text(encoding="utf-8").splitlines())
        return [one["learned_from"] for one in lines if one["bundle"] == bundle]
