"""The cores of this machine that a process may use."""

from __future__ import annotations

import os

LIMIT = "OMP_NUM_THREADS"
_ALL_LIMITS = (LIMIT, "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OPENCV_FOR_THREADS_NUM")


def allowed_cores() -> int:
    """The cores the system lets this process use.

    >>> allowed_cores() >= 1
    True
    """
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def cores() -> int:
    """The cores this process may use: those the system lets it, and no more than OMP_NUM_THREADS where that is set.

    >>> cores() >= 1
    True
    """
    allowed = allowed_cores()
    limit = os.environ.get(LIMIT, "")
    return min(allowed, int(limit)) if limit.isdecimal() and int(limit) else allowed


def limit_cores(count: int) -> None:
    """Let this process compute on so many cores, and libraries that are loaded already, too.

    >>> limit_cores(cores())
    """
    import cv2

    os.environ.update(dict.fromkeys(_ALL_LIMITS, str(count)))
    cv2.setNumThreads(count)
    try:
        from threadpoolctl import threadpool_limits
    except ModuleNotFoundError:  # where nothing is learned, nothing computes with them
        return
    threadpool_limits(count)
