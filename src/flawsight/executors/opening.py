"""Which executor was asked for."""

from contextlib import AbstractContextManager, nullcontext

from flawsight.core import cores
from flawsight.executors.executor import Executor, InLine
from flawsight.executors.processes import processes


def open_executor(workers: int | None = None, ray: str | None = None) -> AbstractContextManager[Executor]:
    """A Ray cluster at an address, `local` for one on this machine; else so many processes; else this process.

    `workers` share the cores equally; of a cluster, by default, each has one.

    >>> with open_executor(workers=2) as executor:
    ...     sorted(outcome.value for outcome in executor.map(abs, [-3, 2]))
    [2, 3]
    """
    if ray is not None:
        from flawsight.executors.cluster import cluster

        return cluster(ray, workers)
    return processes(workers, max(1, cores() // workers)) if workers else nullcontext(InLine())
