"""A crew: workers who are given one item at a time. One who dies is replaced, and his item done again."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import AbstractContextManager
from operator import length_hint
from typing import Any, Protocol

from flawsight.core import FlawsightError, first_line
from flawsight.executors.executor import Item, Outcome, Result

Call = Callable[..., Any]
SECONDS_BETWEEN_CHECKS = 5.0
ATTEMPTS = 5
"""An item whose workers died so many times is given up: it may be what kills them, for want of memory."""


class Worker(Protocol):
    """A process somewhere, that keeps the job it was given last."""

    def take(self, job: Any) -> Future[Any]:
        """Receive what a job was packed as."""

    def do(self, item: Any) -> Future[Any]:
        """Begin the job with an item."""

    def stop(self) -> None:
        """End, at once, also in the middle of an item."""


class Crew(AbstractContextManager["Crew"]):
    """Workers of one kind. A context: at its end they are gone.

    `hire` starts one, `deaths` are the errors that say one is dead, `packed` makes a job ready to be sent to all, and
    `check`, every few seconds, raises where there will be no answer.
    """

    def __init__(
        self, workers: int, hire: Call, deaths: tuple[type[BaseException], ...], packed: Call, check: Call = bool
    ) -> None:
        self.workers, self._crew = workers, list[Worker]()
        self._hire, self._deaths, self._packed, self._check = hire, deaths, packed, check

    def map(self, job: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Outcome[Result]]:
        """Items in their order to whoever is free, what a worker died of last; nobody has a second one waiting."""
        sent = self._packed(job)
        waiting = ((number, item, 1) for number, item in enumerate(items))
        again = deque[tuple[int, Item, int]]()
        self._crew += [self._hire() for _ in range(min(self.workers, length_hint(items, 9999)) - len(self._crew))]
        # Whoever has no job yet has no item: he may be waiting for a core that never comes free.
        running: dict[Future[Any], tuple[Worker, Any]] = {worker.take(sent): (worker, None) for worker in self._crew}
        free, found, stillborn = deque[Worker](), list[Outcome[Result]](), 0
        while running and not (free and not any(one for _, one in running.values())):
            self._check()
            for future in wait(running, SECONDS_BETWEEN_CHECKS, FIRST_COMPLETED).done:
                worker, one = running.pop(future)
                error = future.exception()
                if error is None:
                    free.append(worker)
                    found += [Outcome(one[0], future.result())] if one else []
                    continue
                stillborn += not one
                if not isinstance(error, self._deaths):
                    raise getattr(error, "cause", None) or error  # Ray wraps it, with its traceback
                if stillborn > ATTEMPTS * self.workers:
                    raise FlawsightError(f"no worker stays alive: {first_line(error)}") from error
                self._crew.remove(worker)
                worker.stop()
                self._crew.append(self._hire())
                running[self._crew[-1].take(sent)] = self._crew[-1], None
                if one and one[2] < ATTEMPTS:
                    again.append((one[0], one[1], one[2] + 1))
                elif one:
                    found.append(Outcome(one[0], lost=f"{ATTEMPTS} workers died of it: {first_line(error)}"))
            while free and (one := next(waiting, None) or (again.popleft() if again else None)):
                worker = free.popleft()
                running[worker.do(one[1])] = worker, one
            yield from found  # after everybody has something to do: whoever asked may take his time
            found.clear()

    def __exit__(self, *_: object) -> None:
        for worker in self._crew:
            worker.stop()
