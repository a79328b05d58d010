"""Engine: threads that take what waits, a few pictures of one bundle at once, and answer when all is kept."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from threading import Condition, Thread

from flawsight.station.bundles import Bundles
from flawsight.station.engine.inspect import Inspecting
from flawsight.station.engine.job import Job, QueueFull, Stopping, TimedOut

WORKERS = 2
"""One decodes, or waits for the disk, while the other's graph has the cores."""
AT_ONCE = 8
"""Pictures that a worker takes at most: they share one transaction."""


class Engine:
    """A queue of at most `size` jobs and the threads that empty it; `stop` finishes what was taken."""

    def __init__(self, bundles: Bundles, inspecting: Inspecting, size: int, workers: int = WORKERS) -> None:
        self.bundles = bundles
        self.size = size
        self._inspecting = inspecting
        self._jobs: deque[Job] = deque()
        self._changed = Condition()
        self._is_stopping = False
        self._seconds_each = 0.02
        self._threads = [Thread(target=self._work, name=f"inspecting-{n}", daemon=True) for n in range(workers)]

    def start(self) -> None:
        """Begin to work."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Take nothing more, finish what waits, and return when that is done."""
        with self._changed:
            self._is_stopping = True
            self._changed.notify_all()
        for thread in self._threads:
            if thread.is_alive():
                thread.join()
        self._refuse_the_rest()

    @property
    def is_running(self) -> bool:
        """Whether pictures are taken, and worked on."""
        return not self._is_stopping and any(thread.is_alive() for thread in self._threads)

    @property
    def waiting(self) -> int:
        """How many pictures wait."""
        return len(self._jobs)

    def submit(self, jobs: Sequence[Job], wait: bool = False) -> None:
        """Queue jobs, all or none; QueueFull where there is no room, unless `wait`. Stopping at the end."""
        with self._changed:
            while not self._is_stopping and self._jobs and len(self._jobs) + len(jobs) > self.size:
                if not wait:
                    raise QueueFull(len(self._jobs), max(1.0, len(self._jobs) * self._seconds_each))
                self._changed.wait()
            if self._is_stopping:
                raise Stopping("the station is stopping: ask again when it runs")
            self._jobs.extend(jobs)
            self._changed.notify_all()

    def _work(self) -> None:
        while jobs := self._take():
            started = time.monotonic()
            with suppress(Exception):  # a worker never ends: whatever went wrong is in the jobs' futures
                self._inspecting.answer(self.bundles, jobs)
            spent = (time.monotonic() - started) / len(jobs) / len(self._threads)
            self._seconds_each += 0.1 * (spent - self._seconds_each)

    def _take(self) -> list[Job]:
        """The next jobs of one bundle that still have time and somebody who waits; none at the end."""
        while True:
            with self._changed:
                while not self._jobs and not self._is_stopping:
                    self._changed.wait()
                if not self._jobs:
                    return []
                taken = [self._jobs.popleft()]
                # A share each, so that no worker waits while another has all.
                most = min(AT_ONCE, 1 + len(self._jobs) // len(self._threads))
                while self._jobs and len(taken) < most and self._jobs[0].bundle == taken[0].bundle:
                    taken.append(self._jobs.popleft())
                self._changed.notify_all()
            now = time.monotonic()
            wanted = [job for job in taken if job.future.set_running_or_notify_cancel()]
            for job in wanted:
                if job.deadline < now:
                    job.future.set_exception(TimedOut("the picture waited too long: the station is too busy"))
            if in_time := [job for job in wanted if job.deadline >= now]:
                return in_time

    def _refuse_the_rest(self) -> None:
        """Where no worker was ever started."""
        for job in self._jobs:
            job.future.set_exception(Stopping("the station has stopped"))
        self._jobs.clear()
