"""A crew: workers who are given one item at a time. One who dies is replaced, and his item done again."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import Any, Protocol, Self

from flawsight.executors.executor import Item, Outcome, Result

Errors = tuple[type[BaseException], ...]
ATTEMPTS = 3
"""An item whose workers died so many times is given up: it may be what kills them."""


class Worker(Protocol):
    """A process somewhere, that keeps the job it was given last."""

    def take(self, job: Any) -> None:
        """Receive what a job was packed as."""

    def do(self, item: Any) -> Future[Any]:
        """Begin the job with an item."""

    def stop(self) -> None:
        """End, at once, also in the middle of an item."""


class Crew:
    """Workers of one kind. A context: at its end they are gone.

    `hire` starts one, `deaths` are the errors that say one is dead, `packed` makes a job ready to be sent to all.
    """

    def __init__(self, workers: int, hire: Callable[[], Worker], deaths: Errors, packed: Callable[[Any], Any]) -> None:
        self.workers, self._crew = workers, list[Worker]()
        self._hire, self._deaths, self._packed = hire, deaths, packed

    def map(self, job: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Outcome[Result]]:
        """Items in their order to whoever is free; no worker has a second one waiting."""
        sent = self._packed(job)
        numbered, again, attempts = enumerate(items), deque[tuple[int, Item]](), Counter[int]()
        running: dict[Future[Result], tuple[Worker, tuple[int, Item]]] = {}
        free = deque(self._crew)
        for worker in free:
            worker.take(sent)

        def begin() -> None:
            while free or len(self._crew) < self.workers:
                one = again.popleft() if again else next(numbered, None)
                if one is None:
                    return
                worker = free.popleft() if free else self._hired(sent)
                running[worker.do(one[1])] = worker, one

        begin()
        while running:
            found = []
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                worker, one = running.pop(future)
                error, number = future.exception(), one[0]
                if isinstance(error, self._deaths):
                    self._crew.remove(worker)
                    worker.stop()
                    attempts[number] += 1
                    if attempts[number] < ATTEMPTS:
                        again.append(one)
                    else:
                        reason = f"{ATTEMPTS} workers died of it, is there too little memory? ({str(error)[:200]})"
                        found.append(Outcome[Result](number, lost=reason))
                elif error is not None:
                    raise getattr(error, "cause", None) or error  # Ray wraps it, with its traceback
                else:
                    free.append(worker)
                    found.append(Outcome(number, future.result()))
            begin()  # before whoever asked takes his time
            yield from found

    def _hired(self, job: Any) -> Worker:
        worker = self._hire()
        worker.take(job)
        self._crew.append(worker)
        return worker

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._crew:
            worker.stop()
