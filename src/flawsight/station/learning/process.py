"""The fit as a process of an environment that has torch; this one never loads it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from flawsight.core import FlawsightError
from flawsight.runtime.graph_backend import is_installed

NICENESS = 15
PATIENCE = 10.0


def program(fit_with: Path | None) -> list[str]:
    """What runs `flawsight fit`; FlawsightError where nothing here can."""
    if fit_with is not None:
        if not fit_with.is_file() or not os.access(fit_with, os.X_OK):
            raise FlawsightError(
                f"--fit-with '{fit_with}' is no program: name the file `flawsight` in the folder bin of an environment "
                "with the extra fit"
            )
        return [str(fit_with)]
    if not is_installed("torch"):
        raise FlawsightError(
            "learning again needs the extra fit, which this environment lacks: make one with pip install "
            "'flawsight[fit]', and say --fit-with ENVIRONMENT/bin/flawsight"
        )
    return [sys.executable, "-c", "from flawsight.cli import main; main()"]


class FitProcess:
    """Begins at once, after all that the line needs; what it writes goes to `log`."""

    def __init__(self, command: list[str], log: Path) -> None:
        options: dict[str, Any] = {"start_new_session": True} if os.name == "posix" else {}
        if os.name == "nt":
            options["creationflags"] = subprocess.BELOW_NORMAL_PRIORITY_CLASS  # type: ignore[attr-defined]
        environment = os.environ | {"FLAWSIGHT_PROGRESS": "lines", "PYTHONUNBUFFERED": "1"}
        with log.open("wb") as file:
            try:
                self._process = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=file, stderr=file, env=environment, **options
                )
            except OSError as error:
                raise FlawsightError(f"'{command[0]}' cannot be started ({error.strerror}): see --fit-with") from error
        self.pid = self._process.pid
        if os.name == "posix":
            with suppress(OSError):  # it may have ended already
                os.setpriority(os.PRIO_PROCESS, self.pid, NICENESS)

    def wait(self, seconds: float) -> int | None:
        """The exit code, or None where it still runs after this time."""
        with suppress(subprocess.TimeoutExpired):
            return self._process.wait(seconds)
        return None

    def stop(self) -> None:
        """End it and what it began, gently first, unless it has ended."""
        if self.wait(0) is not None:
            return
        for number in (signal.SIGTERM, getattr(signal, "SIGKILL", signal.SIGTERM)):
            _end(self.pid, number)
            if self.wait(PATIENCE) is not None:
                return


def end_left_over(pid: int | None, mark: str) -> None:
    """End a fit that outlived a station that was killed; it is known by what is on its command line."""
    if pid is None or os.name != "posix":
        return
    with suppress(OSError):
        if mark.encode() in Path(f"/proc/{pid}/cmdline").read_bytes():
            _end(pid, signal.SIGKILL)


def _end(pid: int, number: int) -> None:
    with suppress(OSError):
        if os.name == "posix":
            os.killpg(pid, number)
        else:
            os.kill(pid, number)


def reason_of(code: int, log: tuple[str, ...]) -> str:
    """Why a fit ended with this exit code, by its last words."""
    if code == -9:
        return "the fit was killed: was there too little memory?"
    ours = [line.removeprefix("flawsight: ") for line in log if line.startswith("flawsight: ")]
    return (ours or list(log) or [f"the fit ended with exit code {code} and said nothing"])[-1]
