"""Workers that are actors of a Ray cluster, which may be of this machine alone."""

import os
import socket
import sys
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

# Before Ray is loaded: nothing leaves the machines that were named; and those who know the token show it.
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
if "ray" not in sys.modules and Path("~/.ray/auth_token").expanduser().exists():
    os.environ.setdefault("RAY_AUTH_MODE", "token")

import ray
from ray import exceptions as of

from flawsight.core import FlawsightError, cores, first_line, limit_cores
from flawsight.executors.crew import Crew


class Actor:
    """One actor; jobs lie in the cluster's object store, once for each node."""

    def __init__(self, cores: int) -> None:
        self._handle: Any = ray.remote(_Working).options(num_cpus=cores).remote(cores)

    def take(self, job: Any) -> Future[Any]:
        """Receive a reference to a job."""
        return self._handle.take.remote(job).future()

    def do(self, item: Any) -> Future[Any]:
        """Begin the job with an item."""
        return self._handle.do.remote(item).future()

    def stop(self) -> None:
        """Kill the actor."""
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
    deaths = (of.RayActorError, of.NodeDiedError, of.ObjectLostError, of.OutOfMemoryError, of.WorkerCrashedError)
    with redirect_stdout(sys.stderr), ExitStack() as started:  # what Ray says of dead workers is no output of ours
        if not ray.is_initialized():  # by whoever calls
            _connect(address, workers)
            started.callback(ray.shutdown)
        each, count = _shares(workers)
        yield started.enter_context(
            Crew(count, lambda: Actor(each), deaths, ray.put, bool if "//" in address else _check)
        )


def _connect(address: str, workers: int | None) -> None:
    try:
        if ":" in address and "//" not in address:
            _reach(address)  # Ray would try for minutes
        count = max(cores(), workers or 0) if address == "local" else None
        ray.init(address, num_cpus=count, include_dashboard=False, log_to_driver=False, configure_logging=False)
    except (OSError, RuntimeError, ValueError, of.RayError) as error:
        raise FlawsightError(f"no Ray cluster answers at '{address}' ({first_line(error)}): try --ray local") from error


def _reach(address: str) -> None:
    socket.create_connection(tuple(address.rsplit(":", 1)), timeout=10).close()  # type: ignore[arg-type]


def _check() -> None:
    """Raise where the cluster's head is gone, or all who work; Ray itself would end this process a minute later."""
    try:
        _reach(ray.get_runtime_context().gcs_address)
    except OSError as error:
        raise FlawsightError("the head of the Ray cluster is gone: start it and say the same again to go on") from error
    _shares(None)


def _shares(workers: int | None) -> tuple[int, int]:
    """Cores of a worker, so that one fits on every node, and how many workers there are."""
    nodes = [int(node["Resources"].get("CPU", 0)) for node in ray.nodes() if node["Alive"]]
    total, smallest = sum(nodes), min((count for count in nodes if count), default=1)
    if not total:
        raise FlawsightError("the Ray cluster has no processors: add a node with `ray start --address ...`")
    return max(1, min(total // (workers or total), smallest)), workers or total
