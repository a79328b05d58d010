"""How a command ends: what goes wrong is one message, on standard output as JSON too where JSON was asked for."""

from __future__ import annotations

import errno
import io
import json
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NoReturn

from flawsight.core import FlawsightError, readable, readable_document

_EXTRAS = {"elpv_dataset": "demo", "ray": "scale", "mlflow": "track", "pandas": "study"} | dict.fromkeys(
    ("fastapi", "starlette", "uvicorn", "nicegui", "prometheus_client", "paho", "httpx", "watchfiles", "filelock"),
    "station",
)
BAD_INPUT = 2
INCOMPLETE = 3
"""Some of many could not be done; the others are."""
INTERRUPTED = 130
BUG = 1


class _Interrupted(BaseException):
    """Ctrl-C, under a name that Typer does not turn into exit code 1."""


def _interrupt(*_: object) -> None:
    raise _Interrupted


def run(app: Callable[..., Any]) -> NoReturn:
    """Run the command line; bad input exits with 2 and one clear message, an interrupt with 130."""
    signal.signal(signal.SIGINT, _interrupt)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # what a console cannot show is written as \\u..., never refused
            stream.reconfigure(errors="backslashreplace")
    as_json = _asks_for_json(sys.argv[1:])
    try:
        code = app(standalone_mode=not as_json)
        sys.stdout.flush()
        sys.exit(code if isinstance(code, int) else 0)
    except FlawsightError as error:
        _fail("input", str(error), as_json)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("flawsight"):
            raise
        extra = _EXTRAS.get(error.name.partition(".")[0], "fit")
        message = f"this command needs the package '{error.name}': pip install 'flawsight[{extra}]'"
        _fail("package", message, as_json)
    except OSError as error:
        _fail("system", _of_the_system(error), as_json)
    except _Interrupted:
        message = "interrupted; a search goes on where it stopped when the same command is given again"
        _fail("interrupt", message, as_json, INTERRUPTED)
    except Exception as error:
        if not as_json:
            raise
        if hasattr(error, "format_message"):  # a mistake on the command line, which Typer explains
            _fail("usage", error.format_message(), as_json)
        print_json(_document("bug", f"{type(error).__name__}: {error}", BUG))
        raise


def print_json(document: Any) -> None:
    """Print one JSON document."""
    print(json.dumps(readable_document(document), indent=2))


def complain(message: str) -> None:
    """Say what is wrong, where people look for it."""
    print(f"flawsight: {readable(message)}", file=sys.stderr)


def _fail(kind: str, message: str, as_json: bool, code: int = BAD_INPUT) -> NoReturn:
    complain(message)
    if as_json:
        with suppress(OSError):  # where it was standard output that failed
            print_json(_document(kind, message, code))
    sys.exit(code)


def _document(kind: str, message: str, code: int) -> dict[str, Any]:
    return {"error": {"message": message, "kind": kind, "code": code}}


def _asks_for_json(arguments: list[str]) -> bool:
    """Whether --json is among the options; after -- there are none."""
    return "--json" in (arguments[: arguments.index("--")] if "--" in arguments else arguments)


def _of_the_system(error: OSError) -> str:
    """What the system refused: a full disk, a folder that vanished, a reader of our pipe that left."""
    if error.errno == errno.EPIPE:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - or Python complains at its end
        return "nobody reads what this command prints"
    reason = error.strerror or str(error) or type(error).__name__
    where = f"'{error.filename}': " if error.filename is not None else ""
    remedy = "make room" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "check the path, its disk and permissions"
    return f"{where}{reason}; {remedy}"
