"""The command line, in this process and in one of its own."""

import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from flawsight import cli

QUICK = ("--image-size", "64", "--layers", "blocks.3.0.*", "--defects", "simple", "--device", "cpu")


@dataclass
class Done:
    code: int
    out: str
    err: str

    def refused(self, *parts: str) -> None:
        """Exit code 2, nothing on standard output, and one line that says all of `parts`."""
        assert self.code == 2, self.err
        assert self.out == ""
        assert self.err.startswith("flawsight: ") and len(self.err.strip().splitlines()) == 1, self.err
        for part in parts:
            assert part in self.err


@pytest.fixture
def flawsight(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """The command line, run in this process: `flawsight("layers", "--json")`."""

    def call(*arguments: object) -> Done:
        monkeypatch.setattr(sys, "argv", ["flawsight", *map(str, arguments)])
        handler = signal.getsignal(signal.SIGINT)
        try:
            with pytest.raises(SystemExit) as end:
                cli.main()
        finally:
            signal.signal(signal.SIGINT, handler)
        captured = capsys.readouterr()
        return Done(int(end.value.code or 0), captured.out, captured.err)

    return call


@pytest.fixture(scope="session")
def start() -> Callable[..., subprocess.Popen[str]]:
    """Begin the command line in a process of its own, in a pipe."""

    def begin(*arguments: object, **options: Any) -> subprocess.Popen[str]:
        code = "from flawsight.cli.app import main; main()"
        command = [sys.executable, "-c", code, *map(str, arguments)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)

    return begin


@pytest.fixture(scope="session")
def run(start: Callable) -> Callable[..., Done]:
    """The command line in a process of its own, in a pipe."""

    def whole(*arguments: object, **options: Any) -> Done:
        process = start(*arguments, **options)
        out, err = process.communicate(timeout=300)
        return Done(process.returncode, out, err)

    return whole


@pytest.fixture(scope="session")
def from_pipe(good_dir: Path, run: Callable, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Done]:
    """A quick fit in a process of its own: its bundle, and what it said."""
    out = tmp_path_factory.mktemp("cli") / "a folder [old] of bundles with quite a long name, longer than a terminal"
    return out, run("fit", good_dir, "--out", out, *QUICK, "--json")
