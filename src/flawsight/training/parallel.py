"""Independent pieces of work side by side on the cores there are, their results in order."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import torch

MOST_WORKERS = 4

CPU = torch.device("cpu")
Item = TypeVar("Item")
Result = TypeVar("Result")


def n_jobs() -> int:
    """How many pieces are worked on at once.

    >>> 1 <= n_jobs() <= cores()
    True
    """
    return min(MOST_WORKERS, cores())


def cores() -> int:
    """The cores this process may use.

    >>> cores() >= 1
    True
    """
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


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
    before = torch.get_num_threads()
    torch.set_num_threads(max(1, before // count))
    try:
        yield
    finally:
        torch.set_num_threads(before)
