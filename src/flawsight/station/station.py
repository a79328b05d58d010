"""Station: what runs, and in which order it starts and stops."""

from __future__ import annotations

import time
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from threading import Event, Thread
from typing import Self

import numpy as np

from flawsight.core import FlawsightError
from flawsight.settings import ServeSettings
from flawsight.station.bundles import Bundles, Loaded
from flawsight.station.drift import DriftWatch, Standing
from flawsight.station.engine import Answer, Engine, Job
from flawsight.station.engine.inspect import Inspecting
from flawsight.station.history import DriftReset, History, Source, Watched
from flawsight.station.learning import Learning, settle
from flawsight.station.live import Live, Watchman
from flawsight.station.measures import Measures
from flawsight.station.outbox import Outbox, sinks_of
from flawsight.station.watch import Watcher

SECONDS_BETWEEN_PRUNES = 120


class Station:
    """Bundles, a queue with its workers, the history, the outbox and the watched folders.

    >>> settings = fs.settings.ServeSettings.of({"bundles": bundle, "history": tmp / "history.db", "threads": 1})
    >>> with fs.station.Station(settings) as station:
    ...     answer = station.submit((good / "000.png").read_bytes(), "000.png").result()
    >>> answer.record.verdict
    'good'
    """

    def __init__(self, settings: ServeSettings) -> None:
        self.settings = settings
        for folder in settings.bundles:
            settle(folder)
        self.bundles = Bundles(settings.bundles, settings, settings.bundle)
        _check_folders(settings, self.bundles)
        sinks = sinks_of(settings)
        self.history = History(settings, [sink.name for sink in sinks])
        self.outbox = Outbox(self.history, sinks)
        self.learning = Learning(settings, self.history, self.bundles)
        self._watchman = Watchman()
        self._drift = DriftWatch(settings, self.history, self.bundles)
        inspecting = Inspecting(self._drift.keep, settings.keep, self._seen, settings.max_pixels)
        self.engine = Engine(self.bundles, inspecting, settings.queue)
        self.watchers = [
            Watcher(folder, settings.done, partial(self._watched, name or self.bundles.default), self.history)
            for name, folder in settings.watch
        ]
        self.measures = Measures(self._gauges)
        self._stopping = Event()
        self._pruning = Thread(target=self._prune, name="pruning", daemon=True)

    def __enter__(self) -> Self:
        """Start it."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it."""
        self.stop()

    def start(self) -> None:
        """Begin: the outbox, the workers, and last the folders."""
        self.outbox.start()
        self.engine.start()
        self._pruning.start()
        for watcher in self.watchers:
            watcher.start()

    def stop(self) -> None:
        """Finish what was taken, and close all; nothing else may be called then."""
        self._stopping.set()
        for watcher in self.watchers:
            watcher.stop()
        self.engine.stop()
        self.outbox.stop()
        if self._pruning.is_alive():
            self._pruning.join()
        self.learning.close()
        self.history.close()

    def submit(self, picture: bytes, name: str, bundle: str | None = None, source: Source = "page") -> Future[Answer]:
        """Have a picture's file inspected; QueueFull where too many wait, UnknownBundle, Stopping at the end."""
        job = self.job(picture, name, bundle, source)
        self.engine.submit([job])
        return job.future

    def job(self, picture: bytes, name: str, bundle: str | None, source: Source) -> Job:
        """A picture for the engine, with the time that it is given."""
        deadline = time.monotonic() + self.settings.timeout
        return Job(picture, name, self.bundles.get(bundle).name, source, deadline=deadline)

    def live(self, bundle: str | None = None) -> Live | None:
        """The last picture that a bundle inspected."""
        return self._watchman.live(self.bundles.get(bundle).name)

    def drift(self, bundle: str | None = None) -> str:
        """What differs as a whole from the pictures learned; empty for nothing."""
        return self._watchman.drift(self.bundles.get(bundle))

    def standing(self, bundle: str | None = None) -> Standing:
        """Whether an alarm of drift stands."""
        return self._drift.standing(self.bundles.get(bundle))

    def reset_drift(self, bundle: str | None, by: str, why: str) -> Standing:
        """Begin the alarm of drift anew, its cause being mended."""
        self._drift.reset(self.bundles.get(bundle), by, why)
        return self.standing(bundle)

    def drift_resets(self, bundle: str | None = None) -> list[DriftReset]:
        """When it was begun anew, the newest first."""
        return self._drift.resets(self.bundles.get(bundle).name)

    def problems(self) -> list[str]:
        """What people must know: what is not kept, not sent, not watched, or not what it was."""
        found = [self.history.problem, *self._drift.problems]
        found += [f"{sink.name}: {sink.problem}" for sink in self.outbox.status() if sink.problem]
        found += [
            f"{status.folder}: {status.problem}" for status in (one.status() for one in self.watchers) if status.problem
        ]
        found += [
            f"the bundle '{name}' has changed on the disk: reload it"
            for name in self.bundles.names
            if self.bundles.has_changed(name)
        ]
        return [problem for problem in found if problem]

    def _seen(self, loaded: Loaded, image: np.ndarray | None, answer: Answer, seconds: float) -> None:
        self.measures.count(loaded.name, answer.record.verdict, seconds)
        self.outbox.wake()
        if image is not None:
            self._watchman.see(loaded, image, answer)

    def _watched(self, bundle: str, picture: bytes, name: str, watched: Watched) -> Future[Answer]:
        job = Job(picture, name, bundle, "watch", watched)
        self.engine.submit([job], wait=True)
        return job.future

    def _gauges(self) -> dict[str, tuple[str, float]]:
        return {
            "waiting": ("Pictures in the queue.", self.engine.waiting),
            "history_bytes": ("What the history takes on the disk.", self.history.size),
            "unsent": ("Verdicts that a sink has not got.", sum(sink.waiting for sink in self.outbox.status())),
            "drift_alarms": ("Bundles with an alarm of drift.", len(self._alarms())),
            "problems": ("What people must look at.", len(self.problems())),
        }

    def _alarms(self) -> list[str]:
        return [name for name in self.bundles.names if self.standing(name).alarm is not None]

    def _prune(self) -> None:
        while not self._stopping.wait(SECONDS_BETWEEN_PRUNES):
            self.history.prune()


def _check_folders(settings: ServeSettings, bundles: Bundles) -> None:
    """Each watched folder is for a bundle that is there, and for one alone."""
    seen: dict[Path, Path] = {}
    for name, folder in settings.watch:
        bundles.get(name)
        where = folder.resolve()
        if where in seen:
            raise FlawsightError(f"'{folder}' and '{seen[where]}' are one folder: watch it for one bundle")
        seen[where] = folder
