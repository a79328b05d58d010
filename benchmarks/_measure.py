"""What all benchmarks share: rows and their table, clocks, and child processes whose peak memory is measured."""

from __future__ import annotations

import json
import math
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from flawsight.core import installed_versions

PACKAGES = ("flawsight", "anomalib", "torch", "torchvision", "timm", "numpy", "scipy")
MIB = 1 << 20
PEER_OVER_OURS = "peer / ours"
OURS_OVER_PEER = "ours / peer"

Key = tuple[str, str, str, int, bool]


@dataclass(frozen=True)
class Row:
    """One comparison. `ratio` is what `ratio_of` says: above 1 is good for peer / ours, below 1 for ours / peer."""

    benchmark: str
    what: str
    ours: float
    unit: str
    peer: str
    peer_figure: float
    ratio: float | None
    ratio_of: str
    target: str
    note: str
    settings: dict[str, Any]
    details: dict[str, Any]
    seed: int
    versions: dict[str, str]

    @property
    def key(self) -> Key:
        """What a newer row must share to take this one's place."""
        return self.benchmark, self.what, self.peer, self.seed, bool(self.settings["quick"])


class Table:
    """The rows of the JSON file, written again whenever one is put."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        stored = json.loads(path.read_text(encoding="utf-8")) if path is not None and path.exists() else []
        rows = [Row(**values) for values in stored]
        self.rows = {row.key: row for row in rows}

    def put(self, row: Row) -> None:
        self.rows[row.key] = row
        if self.path is None:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_suffix(".part")
        text = json.dumps([asdict(kept) for kept in self.rows.values()], indent=1, allow_nan=False)
        partial.write_text(text + "\n", encoding="utf-8")
        partial.replace(self.path)


@dataclass(frozen=True)
class Run:
    """What the command was asked for. `fresh` measures again what the table already holds."""

    data: Path | None
    quick: bool
    repeat: int
    seed: int
    fresh: bool
    table: Table

    def size(self, full: Any, quick: Any) -> Any:
        """The full size, or with --quick the small one."""
        return quick if self.quick else full

    def found(self, benchmark: str, what: str, peer: str) -> Row | None:
        """The row of an earlier run, unless everything is to be measured afresh."""
        return None if self.fresh else self.table.rows.get((benchmark, what, peer, self.seed, self.quick))

    def row(
        self,
        benchmark: str,
        what: str,
        figures: tuple[float, float],
        unit: str,
        peer: str,
        ratio_of: str = PEER_OVER_OURS,
        target: str = "",
        note: str = "",
        settings: dict[str, Any] | None = None,
        details: dict[str, Any] | None = None,
    ) -> Row:
        """A row of (our figure, the peer's figure)."""
        ours, theirs = map(float, figures)
        above, below = (theirs, ours) if ratio_of == PEER_OVER_OURS else (ours, theirs)
        return Row(
            benchmark=benchmark,
            what=what,
            ours=ours,
            unit=unit,
            peer=peer,
            peer_figure=theirs,
            ratio=above / below if below else None,
            ratio_of=ratio_of,
            target=target,
            note=note,
            settings={**(settings or {}), **machine(), "quick": self.quick, "repeat": self.repeat},
            details=details or {},
            seed=self.seed,
            versions=versions(),
        )


@dataclass
class Timed:
    """The last result of a call and the seconds of every time it was made."""

    result: Any = None
    seconds: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)


def alternate(calls: dict[str, Callable[[], Any]], repeat: int) -> dict[str, Timed]:
    """Make the calls in turn, `repeat` times each, so that a slow spell of the machine meets them all."""
    found = {name: Timed() for name in calls}
    for _ in range(repeat):
        for name, call in calls.items():
            start = time.perf_counter()
            found[name].result = call()
            found[name].seconds.append(time.perf_counter() - start)
    return found


def in_child(function: Callable[..., dict], **arguments: Any) -> dict[str, Any]:
    """What `function` (a module's own) returns in a fresh process, and that process's "peak_mib"."""
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder, "answer.json")
        target = f"{function.__module__}:{function.__name__}"
        command = [sys.executable, "-m", "benchmarks._child", target, json.dumps(arguments), str(answer)]
        done = subprocess.run(command, cwd=Path(__file__).parents[1], capture_output=True, text=True, check=False)
        if done.returncode or not answer.exists():
            raise RuntimeError(f"{target} failed ({done.returncode}):\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
        return json.loads(answer.read_text(encoding="utf-8"))


def peak_mib() -> float:
    """Peak resident memory of this process in MiB.

    Linux's ru_maxrss also counts the process that started this one, so its own high-water mark is read there.
    """
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / MIB if sys.platform == "darwin" else peak / 1024


def machine() -> dict[str, Any]:
    """What a time depends on besides the work."""
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "device": "cpu",
        "cores": os.cpu_count(),
        "torch_threads": torch.get_num_threads(),
    }


def versions() -> dict[str, str]:
    return {"python": platform.python_version(), **installed_versions(PACKAGES)}


def exponent(sizes: list[float], figures: list[float]) -> float:
    """The slope of log figure on log size by least squares."""
    slope, _ = statistics.linear_regression([math.log(size) for size in sizes], [math.log(value) for value in figures])
    return slope


def markdown(rows: list[Row]) -> str:
    """The rows as a Markdown table."""
    head = ("benchmark", "what", "ours", "peer", "its figure", "ratio", "target", "note")
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for row in rows:
        unit = f" {row.unit}" if row.unit else ""
        cells = (
            row.benchmark,
            row.what,
            f"{row.ours:.4g}{unit}",
            row.peer,
            f"{row.peer_figure:.4g}{unit}",
            "" if row.ratio is None else f"**{row.ratio:.3g}** ({row.ratio_of})",
            row.target,
            row.note,
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
