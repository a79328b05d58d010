"""The machine: its processor, memory, clock and packages."""

from __future__ import annotations

import ctypes
import re
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from flawsight.bundle.store import MANIFEST
from flawsight.station.doctor.check import UNKNOWN, Check
from flawsight.station.doctor.limits import MIB, Cores, cores

SERVICE = 256 * MIB
"""Memory of the service and its page, beside what the bundle takes; measured, and rounded up."""
DAY = 86_400
_MOST_ERROR_US = 16_000_000  # what the kernel says of a clock that nobody has set against another


def processor(threads: int | None, found: Cores | None = None) -> Check:
    """Cores that there are, and whether a bundle would start more threads than these."""
    found = found or cores()
    text = f"{found.usable:g} of {found.machine} cores may be used"
    if found.quota is not None and found.quota < found.allowed:
        text += f" (a container's limit; {found.allowed} threads would start)"
    wanted = threads or found.allowed
    if wanted > max(1, found.usable):
        remedy = f"say --threads {max(1, int(found.usable))}: more threads than cores make every picture slower"
        return Check("processor", "warning", text, remedy)
    if found.usable < 2:
        remedy = "two cores let the page answer while a picture is inspected"
        return Check("processor", "warning", text, remedy)
    return Check("processor", "ok", text)


def memory(free: int | None, needed: int | None) -> Check:
    """`free` bytes before the bundle was loaded, `needed` for it and the service."""
    if free is None or needed is None:
        return Check("memory", "warning", UNKNOWN, "see that 1 GiB is free")
    text = f"{free / MIB:.0f} MiB free, about {needed / MIB:.0f} MiB needed with this bundle"
    if free < needed:
        return Check("memory", "failed", text, "stop other programs, raise the container's limit, or add memory")
    if free < 2 * needed:
        return Check("memory", "warning", text, "large pictures and a full queue take more: keep twice as much free")
    return Check("memory", "ok", text)


def clock(bundle: Path, now: float | None = None) -> Check:
    """Whether the time can be right, the zone, and whether somebody keeps it right."""
    now = time.time() if now is None else now
    local = datetime.fromtimestamp(now).astimezone()
    text = f"{local:%Y-%m-%d %H:%M:%S}, zone {local.tzname()} (UTC{local:%z})"
    made = [path.stat().st_mtime for path in (Path(__file__), bundle / MANIFEST) if path.exists()]
    if made and now < max(made) - DAY:
        newest = datetime.fromtimestamp(max(made)).astimezone()
        found = f"{text}: before {newest:%Y-%m-%d}, when the bundle or this program was written"
        return Check("clock", "failed", found, "set the clock: verdicts are kept, and forgotten, by it")
    synchronised = is_synchronised()
    if synchronised is None:
        return Check("clock", "ok", f"{text}; whether it is synchronised is {UNKNOWN}")
    if not synchronised:
        remedy = "let the clock be set over the network (NTP), or see to it by hand"
        return Check("clock", "warning", f"{text}; not synchronised", remedy)
    return Check("clock", "ok", f"{text}; synchronised")


def is_synchronised() -> bool | None:
    """Whether the kernel's clock is kept right by another one; None where the kernel does not tell."""
    if not sys.platform.startswith("linux") or ctypes.sizeof(ctypes.c_long) != 8:
        return None
    try:
        answer = (ctypes.c_long * 64)()  # struct timex: modes, offset, freq, maxerror, ...; modes 0 only asks
        failed = ctypes.CDLL(None).adjtimex(answer) < 0
    except (OSError, AttributeError):
        return None
    return None if failed else bool(answer[3] < _MOST_ERROR_US)


def packages() -> Check:
    """Whether what the station needs is installed, and which versions run the bundle."""
    missing = [name for name in _of_extra("station") if _version(name) is None]
    runners = [f"{name} {found}" for name in ("onnxruntime", "openvino") if (found := _version(name))]
    python = ".".join(map(str, sys.version_info[:3]))
    text = ", ".join([f"Flawsight {version('flawsight')}", f"Python {python}", *runners])
    if missing:
        found = f"{text}; missing: {', '.join(missing)}"
        return Check("packages", "failed", found, "pip install 'flawsight[station]'")
    if not runners:
        return Check("packages", "failed", f"{text}; nothing that runs a graph", "pip install onnxruntime")
    return Check("packages", "ok", text)


def _of_extra(extra: str) -> Iterator[str]:
    """The packages that an extra of ours asks for."""
    for line in requires("flawsight") or []:
        name = re.match(r"[\w.-]+", line)
        if name and re.search(rf"extra\s*==\s*['\"]{extra}['\"]", line):
            yield name[0]


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
