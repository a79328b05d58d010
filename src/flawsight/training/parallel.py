"""Independent pieces of work side by side on the cores there are, their results in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock
from typing import TypeVar

import torch

from flawsight.core import cores

MOST_WORKERS = 4

CPU = torch.device("cpu")
Item = TypeVar("Item")
Result = TypeVar("Result")


def n_jobs() -> int:
    """How many pieces are worked on at once.

    >>> 1 <= n_jobs() <= fs.core.cores()
    True
    """
    return min(MOST_WORKERS, cores())


def parallel_map(
    work: Callable[[Item], Result], items: Collection[Item], device: torch.device = CPU
) -> Iterator[Result]:
    """`work(item)` of every item, in order; torch's own threads are shared out, for they seldom fill two cores.

    On a device of its own one piece at a time: the device itself works on many things at once.

    >>> list(parallel_map(abs, [-3, 2, -1]))
    [3, 2, 1]
    """
    count = min(n_jobs(), len(items)) if device.type == "cpu" else 1
    if count <= 1:
        yield from map(work, items)
        return
    waiting: deque[Future[Result]] = deque()
    with _shared_threads(count), ThreadPoolExecutor(count) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) > count:  # one piece ready for whoever is free, and no more in memory
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


@contextmanager
def _shared_threads(count: int) -> Iterator[None]:
    """Fewer threads for torch; callers in several threads give back what the first one found."""
    with _threads.lock:
        if not _threads.users:
            _threads.before = torch.get_num_threads()
        _threads.users += 1
        torch.set_num_threads(max(1, _threads.before // count))
    try:
        yield
    finally:
        with _threads.lock:
            _threads.users -= 1
            torch.set_num_threads(_threads.before)  # by each: OpenMP counts for every thread that calls


@dataclass
class _Threads:
    """How many callers share torch's threads, and how many threads there were before the first."""

    lock: Lock = field(default_factory=Lock)
    users: int = 0
    before: int = 1


_threads = _Threads()
