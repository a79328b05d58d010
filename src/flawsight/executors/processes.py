"""Workers that are processes on this machine."""

import os
import pickle
import signal
import threading
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from contextlib import suppress
from multiprocessing import get_context, parent_process
from typing import Any

from flawsight.core import limit_cores
from flawsight.executors.crew import Crew

_kept: dict[str, Any] = {}
"""In a worker: its job."""


class Process:
    """One process: a pool of one, so that its death ends nobody else's work."""

    def __init__(self, cores: int) -> None:
        self._pool = ProcessPoolExecutor(1, get_context("spawn"), initializer=_begin, initargs=(cores,))
        self._last: Future[Any] = self._pool.submit(os.getpid)
        self._pid = self._last

    def take(self, job: bytes) -> Future[Any]:
        """Receive a pickled job."""
        return self._begun(_take, job)

    def do(self, item: Any) -> Future[Any]:
        """Begin the job with an item."""
        return self._begun(_do, pickle.dumps(item))

    def _begun(self, work: Any, what: Any) -> Future[Any]:
        try:
            self._last = self._pool.submit(work, what)
        except BrokenExecutor as error:
            self._last = Future()
            self._last.set_exception(error)
        return self._last

    def stop(self) -> None:
        """Let the process end; kill it in the middle of an item."""
        if not self._last.done():
            with suppress(BrokenExecutor, ProcessLookupError):
                os.kill(self._pid.result(), signal.SIGTERM)
        self._pool.shutdown(cancel_futures=True)


def processes(workers: int, cores: int) -> Crew:
    """So many processes of so many cores each."""
    return Crew(workers, lambda: Process(cores), (BrokenExecutor,), pickle.dumps)


def _begin(cores: int) -> None:
    limit_cores(cores)
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C reaches all processes of a terminal: no traceback from each
    threading.Thread(target=_follow, daemon=True).start()


def _follow() -> None:
    """End when whoever started this process is gone, however that went."""
    parent_process().join()  # type: ignore[union-attr]
    os._exit(1)


def _take(job: bytes) -> None:
    _kept["job"] = pickle.loads(job)


def _do(item: bytes) -> Any:
    return _kept["job"](pickle.loads(item))
