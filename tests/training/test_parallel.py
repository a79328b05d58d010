"""Pieces side by side: results in order, bounded work ahead, and torch's threads given back."""

import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from flawsight.core import cores
from flawsight.training import parallel, parallel_map

THREADS = 4


class Failed(Exception):
    """A piece goes wrong."""


@pytest.fixture(params=[1, 4])
def count(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """How many work at once."""
    monkeypatch.setattr(parallel, "n_jobs", lambda: request.param)
    return request.param


@pytest.fixture(autouse=True)
def threads() -> Iterator[int]:
    """More threads of torch than one, and as many afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    yield THREADS
    after = torch.get_num_threads()
    torch.set_num_threads(before)
    assert after == THREADS


class Pieces:
    """Work that notes what was started and by whom."""

    def __init__(self, seconds: list[float]) -> None:
        self.seconds = seconds
        self.started: list[int] = []
        self.by: set[int] = set()

    def __call__(self, number: int) -> int:
        self.started.append(number)
        self.by.add(threading.get_ident())
        time.sleep(self.seconds[number])
        return number


def test_results_come_in_order_whatever_takes_long(count: int) -> None:
    seconds = np.random.default_rng(0).permutation(np.linspace(0, 0.02, 20)).tolist()
    pieces = Pieces(seconds)
    assert list(parallel_map(pieces, range(20))) == list(range(20))
    assert sorted(pieces.started) == list(range(20))
    assert (threading.get_ident() in pieces.by) == (count == 1)


def test_as_many_at_once_as_there_are_workers(count: int) -> None:
    together = threading.Barrier(count)  # no piece ends before so many have begun
    assert list(parallel_map(lambda _: together.wait(60) >= 0, range(4 * count))) == [True] * 4 * count


@pytest.mark.parametrize("bad", [0, 3, 11])
def test_an_exception_reaches_the_caller_and_ends_the_work(count: int, bad: int) -> None:
    pieces = Pieces([0.005] * 100)

    def work(number: int) -> int:
        if number == bad:
            raise Failed(number)
        return pieces(number)

    with pytest.raises(Failed, match=str(bad)):
        list(parallel_map(work, range(100)))
    assert len(pieces.started) <= bad + count + 2
    assert torch.get_num_threads() == THREADS


def test_an_exception_does_not_take_earlier_results_away(count: int) -> None:
    def work(number: int) -> int:
        if number == 5:
            raise Failed
        return number

    results = parallel_map(work, range(10))
    assert [next(results) for _ in range(5)] == list(range(5))
    with pytest.raises(Failed):
        next(results)
    assert list(results) == []


def test_no_more_is_worked_ahead_than_is_needed(count: int) -> None:
    pieces = Pieces([0] * 40)
    results = parallel_map(pieces, range(40))
    for taken in range(1, 41):
        next(results)
        time.sleep(0.002)  # time enough to run ahead
        assert len(pieces.started) - taken <= count + 2
    assert next(results, None) is None


def test_who_stops_early_stops_the_work(count: int) -> None:
    pieces = Pieces([0.002] * 100)
    for number in parallel_map(pieces, range(100)):
        if number == 3:
            break
    assert torch.get_num_threads() == THREADS
    begun = len(pieces.started)
    assert begun <= 4 + count + 2
    time.sleep(0.02)
    assert len(pieces.started) == begun


def test_torchs_threads_are_shared_out_and_given_back(count: int) -> None:
    inside = list(parallel_map(lambda _: torch.get_num_threads(), range(8)))
    assert inside == [THREADS // count] * 8
    assert torch.get_num_threads() == THREADS


@pytest.mark.parametrize(("items", "device"), [(range(1), "cpu"), (range(6), "cuda"), (range(1), "cuda")])
def test_in_the_calling_thread(count: int, items: range, device: str) -> None:
    seen = list(parallel_map(lambda _: (threading.get_ident(), torch.get_num_threads()), items, torch.device(device)))
    assert seen == [(threading.get_ident(), THREADS)] * len(items)


def test_nothing_to_do(count: int) -> None:
    assert list(parallel_map(Pieces([]), [])) == []


def test_as_many_workers_as_the_cores_allow() -> None:
    assert 1 <= parallel.n_jobs() <= min(parallel.MOST_WORKERS, cores())
