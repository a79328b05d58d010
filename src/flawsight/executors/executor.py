"""The one interface, and its plainest form: a job is called with each item, here and now."""

from collections.abc import Callable, Iterable, Iterator
from typing import Generic, NamedTuple, Protocol, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class Outcome(NamedTuple, Generic[Result]):
    """What came of the item of this number: a value, or in `lost` why there is none.

    >>> Outcome(2, value="done").lost
    ''
    """

    number: int
    value: Result | None = None
    lost: str = ""


class Executor(Protocol):
    """Calls jobs. `workers` is how many items are worked on at once.

    >>> with open_executor() as executor:
    ...     executor.workers
    1
    """

    workers: int

    def map(self, job: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Outcome[Result]]:
        """`job(item)` of every item, as they are done; what a job raises is raised here.

        Items are taken when somebody is free for them. A job is sent to each worker once: a dataclass of plain data,
        with what all items have in common.
        """


class InLine:
    """Does everything in this process, one after the other.

    >>> [outcome.value for outcome in InLine().map(str.upper, ["a", "b"])]
    ['A', 'B']
    """

    workers = 1

    def map(self, job: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Outcome[Result]]:
        """In order."""
        return (Outcome(number, job(item)) for number, item in enumerate(items))
