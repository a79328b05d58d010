"""Whoever does the work: every item is done once, in whatever order, and what goes wrong is said."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from executor_jobs import Cores, Deadly, Large, Meeting, Refused, Squared, Unborn, Unreadable, done_by

from flawsight.core import FlawsightError, cores
from flawsight.executors import Executor, InLine, open_executor
from flawsight.executors.crew import ATTEMPTS

HERE = Path(__file__).parent


def test_every_item_is_done_once(crew: Executor, tmp_path: Path) -> None:
    outcomes = list(crew.map(Squared(tmp_path), range(9)))
    assert sorted((one.number, one.value) for one in outcomes) == [(number, number**2) for number in range(9)]
    assert [len(done_by(tmp_path, number)) for number in range(9)] == [1] * 9
    workers = {pid for number in range(9) for pid in done_by(tmp_path, number)}
    assert str(os.getpid()) not in workers and len(workers) <= 2


def test_in_line_is_the_same_in_order_and_here(tmp_path: Path) -> None:
    with open_executor() as executor:
        assert isinstance(executor, InLine)
        assert [(one.number, one.value) for one in executor.map(Squared(tmp_path), [5, 2])] == [(0, 25), (1, 4)]
    assert done_by(tmp_path, 5) == [str(os.getpid())]


def test_both_work_at_once(crew: Executor, tmp_path: Path) -> None:
    assert [one.value for one in crew.map(Meeting(tmp_path), [0, 1])] == [True, True]


def test_what_a_dead_worker_had_begun_is_done_again_by_another(crew: Executor, tmp_path: Path) -> None:
    outcomes = sorted(crew.map(Deadly(tmp_path, 0.1), range(8)), key=lambda one: one.number)
    assert [one.value for one in outcomes] == [number**2 for number in range(8)]
    first, second = done_by(tmp_path, 3)
    assert first != second
    assert [len(done_by(tmp_path, number)) for number in range(8) if number != 3] == [1] * 7


def test_what_kills_everybody_is_given_up_and_nothing_else(crew: Executor, tmp_path: Path) -> None:
    outcomes = {one.number: one for one in crew.map(Deadly(tmp_path, times=99), range(6))}
    assert sorted(outcomes) == list(range(6))
    assert outcomes[3].value is None and f"{ATTEMPTS} workers died" in outcomes[3].lost
    assert all(outcomes[number].value == number**2 for number in range(6) if number != 3)
    assert len(done_by(tmp_path, 3)) == ATTEMPTS


def test_bad_input_is_raised_in_its_own_words(crew: Executor) -> None:
    with pytest.raises(FlawsightError, match=r"^picture 2 is no picture$"):
        list(crew.map(Refused(), range(5)))
    assert sorted(one.value or 0 for one in crew.map(Refused(), [0, 1])) == [0, 1]


def test_workers_who_die_before_their_first_item_are_no_endless_matter() -> None:
    with open_executor(1) as executor, pytest.raises(FlawsightError, match="no worker stays alive"):
        list(executor.map(Unborn(), range(3)))


def test_an_item_that_cannot_be_unpacked_says_why() -> None:
    with open_executor(1) as executor, pytest.raises(FlawsightError, match="this item cannot be read here"):
        list(executor.map(Refused(), [Unreadable()]))


def test_items_are_taken_when_somebody_is_free(crew: Executor, tmp_path: Path) -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for number in range(7):
            taken.append(number)
            yield number

    ahead = [len(taken) - done for done, _ in enumerate(crew.map(Squared(tmp_path, 0.05), items()))]
    assert max(ahead) <= 2 * crew.workers and taken == list(range(7))


def test_a_job_is_sent_to_each_worker_once(crew: Executor, tmp_path: Path) -> None:
    job = Large(tmp_path, bytes(1 << 20))
    assert {one.value for one in crew.map(job, range(12))} == {(1 << 20) + number for number in range(12)}
    unpacked = (tmp_path / "unpacked").read_text().split()
    assert len(unpacked) == len(set(unpacked)) <= 2


def test_workers_share_the_cores(crew: Executor) -> None:
    share = max(1, cores() // 2)
    assert {one.value for one in crew.map(Cores(), range(6))} == {(share, share)}


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_no_worker_outlives_whoever_started_it(tmp_path: Path, how: signal.Signals) -> None:
    program = f"""
from pathlib import Path
from executor_jobs import Squared
from flawsight.executors import open_executor
if __name__ == "__main__":
    with open_executor(2) as executor:
        list(executor.map(Squared(Path({str(tmp_path)!r}), 60.0), range(4)))
"""
    (tmp_path / "program.py").write_text(program)
    process = subprocess.Popen([sys.executable, tmp_path / "program.py"], stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: (tmp_path / "0").exists() and (tmp_path / "1").exists())
        workers = [psutil.Process(int(done_by(tmp_path, number)[0])) for number in (0, 1)]
        process.send_signal(how)
        process.wait(60)
        wait_until(lambda: not any(worker.is_running() and worker.status() != "zombie" for worker in workers))
    finally:
        process.kill()


def test_closing_ends_the_workers(tmp_path: Path) -> None:
    with open_executor(2) as executor:
        list(executor.map(Squared(tmp_path), range(4)))
    workers = {int(done_by(tmp_path, number)[0]) for number in range(4)}
    wait_until(lambda: not any(psutil.pid_exists(worker) for worker in workers))


def wait_until(holds: object, seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not holds():  # type: ignore[operator]
        assert time.monotonic() < end, "it did not come to be"
        time.sleep(0.05)
