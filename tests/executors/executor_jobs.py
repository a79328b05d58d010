"""Jobs as workers get them: plain data of a module that they can import."""

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from flawsight.core import FlawsightError, cores


@dataclass(frozen=True)
class Squared:
    """Notes who did what in a folder, then answers."""

    folder: Path
    seconds: float = 0.0

    def __call__(self, number: int) -> int:
        with (self.folder / str(number)).open("a") as file:
            file.write(f"{os.getpid()}\n")
        time.sleep(self.seconds)
        return number**2


@dataclass(frozen=True)
class Deadly(Squared):
    """Kills the process that does one of the numbers, so many times."""

    number: int = 3
    times: int = 1

    def __call__(self, number: int) -> int:
        found = super().__call__(number)
        if number == self.number and len(done_by(self.folder, number)) <= self.times:
            os.kill(os.getpid(), signal.SIGKILL)
        return found


@dataclass(frozen=True)
class Meeting:
    """Waits for the other of a pair: 0 for 1, and 1 for 0."""

    folder: Path

    def __call__(self, number: int) -> bool:
        (self.folder / str(number)).touch()
        end = time.monotonic() + 60
        while time.monotonic() < end:
            if (self.folder / str(1 - number)).exists():
                return True
            time.sleep(0.02)
        return False


@dataclass(frozen=True)
class Refused:
    """Bad input."""

    def __call__(self, number: int) -> int:
        if number == 2:
            raise FlawsightError("picture 2 is no picture")
        return number


@dataclass(frozen=True)
class Cores:
    """How many cores there are to compute with."""

    def __call__(self, number: int) -> tuple[int, int]:
        import torch

        return cores(), torch.get_num_threads()


@dataclass(frozen=True)
class Large:
    """A job with a megabyte or more of data, which notes how often it was unpacked."""

    folder: Path
    data: bytes

    def __setstate__(self, state: dict) -> None:
        self.__dict__.update(state)
        with (state["folder"] / "unpacked").open("a") as file:
            file.write(f"{os.getpid()}\n")

    def __call__(self, number: int) -> int:
        return len(self.data) + number


def done_by(folder: Path, number: int) -> list[str]:
    return (folder / str(number)).read_text().split()


@dataclass(frozen=True)
class Unborn:
    """Kills whoever receives it."""

    def __reduce__(self) -> tuple:
        return os._exit, (3,)

    def __call__(self, number: int) -> int:
        return number


class Unreadable:
    """An item that cannot be unpacked."""

    def __reduce__(self) -> tuple:
        return refuse, ()


def refuse() -> None:
    raise FlawsightError("this item cannot be read here")
