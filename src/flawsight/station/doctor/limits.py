"""What a process may use: the machine's cores and memory, and what a container or an affinity leaves of them."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from flawsight.core import allowed_cores

ROOT = Path("/")
MIB = 1 << 20
_NO_LIMIT = 1 << 60  # version 1 writes a huge number where there is none


@dataclass(frozen=True)
class Cores:
    """Cores of the machine, those that this process may run on, and the share of time that its group may take."""

    machine: int
    allowed: int
    quota: float | None

    @property
    def usable(self) -> float:
        """So many cores there are to compute with."""
        return self.allowed if self.quota is None else min(self.allowed, self.quota)


def cores(root: Path = ROOT) -> Cores:
    """What there is to compute with."""
    return Cores(os.cpu_count() or 1, allowed_cores(), _quota(root))


def free_memory(root: Path = ROOT) -> int | None:
    """Bytes that may still be taken, by the system and by every group that this process is in; None if unknown."""
    found = _field(root / "proc/meminfo", "MemAvailable")
    if found is None:
        return None
    left = [found]
    for folder in _groups(root, "memory"):
        for most, used in (("memory.max", "memory.current"), ("memory.limit_in_bytes", "memory.usage_in_bytes")):
            limit, taken = _number(folder / most), _number(folder / used)
            if limit is not None and taken is not None and limit < _NO_LIMIT:
                left.append(max(0, int(limit - taken)))
    return min(left)


def _quota(root: Path) -> float | None:
    found = []
    for folder in _groups(root, "cpu"):
        parts = _text(folder / "cpu.max").split()
        if len(parts) == 2 and parts[0] != "max":
            found.append(int(parts[0]) / int(parts[1]))
        quota, period = _number(folder / "cpu.cfs_quota_us"), _number(folder / "cpu.cfs_period_us")
        if quota and period and quota > 0:
            found.append(quota / period)
    return min(found, default=None)


def _groups(root: Path, controller: str) -> list[Path]:
    """Folders of this process's control groups, its own first; in a container its own is often the top."""
    found = []
    for line in _text(root / "proc/self/cgroup").splitlines():
        number, _, rest = line.partition(":")
        controllers, _, name = rest.partition(":")
        is_unified = number == "0" and not controllers
        if is_unified or controller in controllers.split(","):
            top = root / "sys/fs/cgroup" / ("" if is_unified else controllers)
            own = top / name.strip("/")
            found += [own, *(parent for parent in own.parents if parent.is_relative_to(top))]
    return list(dict.fromkeys(found))


def _field(path: Path, name: str) -> int | None:
    """The bytes of a `Name: 123 kB` line."""
    for line in _text(path).splitlines():
        key, _, value = line.partition(":")
        if key == name:
            with suppress(ValueError, IndexError):
                return 1024 * int(value.split()[0])
    return None


def _number(path: Path) -> float | None:
    with suppress(ValueError):
        return float(_text(path).strip())
    return None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
