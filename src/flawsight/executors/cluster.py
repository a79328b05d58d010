"""Workers that are actors of a Ray cluster, which may be of this machine alone."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager, redirect_stdout
from typing import Any

from flawsight.core import FlawsightError, cores, limit_cores
from flawsight.executors.crew import Crew

LOCAL = "local"


class Actor:
    """One actor; jobs lie in the cluster's object store, once for each node."""

    def __init__(self, kind: Any, cores: int) -> None:
        self._handle = kind.remote(cores)

    def take(self, job: Any) -> None:
        """Receive a reference to a job."""
        self._handle.take.remote(job)

    def do(self, item: Any) -> Future[Any]:
        """Begin the job with an item."""
        return self._handle.do.remote(item).future()

    def stop(self) -> None:
        """Kill the actor."""
        import ray

        ray.kill(self._handle)


class _Working:
    """What runs in the cluster."""

    def __init__(self, cores: int) -> None:
        limit_cores(cores)

    def take(self, job: Any) -> None:
        self.job = job

    def do(self, item: Any) -> Any:
        return self.job(item)


@contextmanager
def cluster(address: str, workers: int | None) -> Iterator[Crew]:
    """Actors in the cluster at an address, `local` for one that is started here and now; default: one for each core."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing leaves the machines that were named
    import ray
    from ray import exceptions as of

    deaths = (of.RayActorError, of.NodeDiedError, of.ObjectLostError, of.OutOfMemoryError, of.WorkerCrashedError)
    with redirect_stdout(sys.stderr):  # what Ray says of dead workers is no output of ours
        _connect(address, workers)
        try:
            each, count = _shares(workers)
            kind = ray.remote(num_cpus=each, max_restarts=0)(_Working)
            with Crew(count, lambda: Actor(kind, each), deaths, ray.put) as crew:
                yield crew
        finally:
            ray.shutdown()


def _connect(address: str, workers: int | None) -> None:
    import ray

    here = {"num_cpus": max(cores(), workers or 0), "include_dashboard": False}
    where: dict[str, Any] = here if address == LOCAL else {"address": address}
    try:
        ray.init(log_to_driver=False, logging_level=logging.ERROR, **where)
    except (ConnectionError, RuntimeError, ValueError, TimeoutError) as error:
        said = next(iter(str(error).strip().splitlines()), type(error).__name__)[:200]
        remedy = "start one with `ray start --head`, or say --ray local"
        raise FlawsightError(f"no Ray cluster answers at '{address}' ({said}): {remedy}") from error


def _shares(workers: int | None) -> tuple[int, int]:
    """Cores of a worker, so that one fits on every node, and how many workers there are."""
    import ray

    nodes = [int(node["Resources"].get("CPU", 0)) for node in ray.nodes() if node["Alive"]]
    total, smallest = sum(nodes), min((count for count in nodes if count), default=1)
    if not total:
        raise FlawsightError("the Ray cluster has no processors: add a node with `ray start --address ...`")
    return max(1, min(total // (workers or total), smallest)), workers or total
