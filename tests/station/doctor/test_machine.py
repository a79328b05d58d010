"""Processor, memory, clock and packages, against made-up systems."""

import os
import time
from pathlib import Path

import pytest

from flawsight.station.doctor import machine
from flawsight.station.doctor.limits import MIB, Cores, cores, free_memory


def system(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


MEMINFO = {"proc/meminfo": "MemTotal: 8000000 kB\nMemAvailable:  4000000 kB\n"}
V2 = {"proc/self/cgroup": "0::/station.slice/one\n"}
QUOTA = {"quota": "150000", "period": "100000"}
V1 = {"proc/self/cgroup": "4:memory:/one\n3:cpu,cpuacct:/one\n0::/\n"}


def test_a_machine_without_limits_has_all(tmp_path: Path) -> None:
    found = cores(system(tmp_path, MEMINFO | V2))
    assert found.quota is None and found.usable == found.allowed <= found.machine
    assert free_memory(tmp_path) == 4_000_000 * 1024


@pytest.mark.parametrize(
    "files",
    [
        V2 | {"sys/fs/cgroup/station.slice/one/cpu.max": "150000 100000\n"},
        V2 | {"sys/fs/cgroup/station.slice/cpu.max": "150000 100000\n"},
        V2 | {"sys/fs/cgroup/cpu.max": "150000 100000\n", "sys/fs/cgroup/station.slice/one/cpu.max": "max 100000\n"},
        V1 | {f"sys/fs/cgroup/cpu,cpuacct/one/cpu.cfs_{name}_us": text for name, text in QUOTA.items()},
    ],
    ids=["own", "parent's", "container's top", "version 1"],
)  # fmt: skip
def test_a_groups_time_is_a_limit(tmp_path: Path, files: dict[str, str]) -> None:
    assert cores(system(tmp_path, files)).quota == 1.5


def test_version_1_writes_minus_one_for_no_limit(tmp_path: Path) -> None:
    folder = "sys/fs/cgroup/cpu,cpuacct/one/cpu.cfs_"
    files = V1 | {f"{folder}quota_us": "-1", f"{folder}period_us": "100000"}
    assert cores(system(tmp_path, files)).quota is None


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"station.slice/memory.max": "1000000", "station.slice/memory.current": "400000"}, 600_000),
        ({"station.slice/one/memory.max": "max", "station.slice/one/memory.current": "400000"}, 4_000_000 * 1024),
        ({"memory.max": "1000", "memory.current": "2000"}, 0),
    ],
)
def test_a_groups_memory_is_a_limit(tmp_path: Path, files: dict[str, str], expected: int) -> None:
    files = {f"sys/fs/cgroup/{name}": text for name, text in files.items()}
    assert free_memory(system(tmp_path, MEMINFO | V2 | files)) == expected


def test_version_1_limits_memory_too(tmp_path: Path) -> None:
    folder = "sys/fs/cgroup/memory/one/memory."
    files = MEMINFO | V1 | {f"{folder}limit_in_bytes": "1000000", f"{folder}usage_in_bytes": "1"}
    assert free_memory(system(tmp_path, files)) == 999_999
    assert free_memory(system(tmp_path, {f"{folder}limit_in_bytes": "9223372036854771712"})) == 4_000_000 * 1024


def test_a_system_that_does_not_tell(tmp_path: Path) -> None:
    assert free_memory(tmp_path) is None and cores(tmp_path).quota is None
    check = machine.memory(None, None)
    assert check.state == "warning" and "not known on this system" in check.found


@pytest.mark.parametrize(
    ("found", "threads", "state", "remedy"),
    [
        (Cores(4, 4, None), None, "ok", ""),
        (Cores(8, 8, 2.5), None, "warning", "--threads 2"),
        (Cores(8, 8, 2.5), 2, "ok", ""),
        (Cores(8, 2, None), 4, "warning", "--threads 2"),
        (Cores(1, 1, None), None, "warning", "two cores"),
        (Cores(4, 4, 0.5), 1, "warning", "two cores"),
    ],
)
def test_the_processor(found: Cores, threads: int | None, state: str, remedy: str) -> None:
    check = machine.processor(threads, found)
    assert check.state == state and remedy in check.remedy


@pytest.mark.parametrize(("free", "state"), [(99, "failed"), (150, "warning"), (201, "ok")])
def test_memory(free: int, state: str) -> None:
    assert machine.memory(free * MIB, 100 * MIB).state == state


def test_a_clock_before_the_bundle_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "inspector.json").touch()
    assert machine.clock(tmp_path).state != "failed"
    check = machine.clock(tmp_path, now=86_400.0)
    assert check.state == "failed" and "1970" in check.found
    future = time.time() + 30 * 86_400
    os.utime(tmp_path / "inspector.json", (future, future))
    assert machine.clock(tmp_path).state == "failed"


@pytest.mark.parametrize(("answer", "state"), [(True, "ok"), (False, "warning"), (None, "ok")])
def test_a_clock_that_nobody_sets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: bool | None, state: str
) -> None:
    monkeypatch.setattr(machine, "is_synchronised", lambda: answer)
    check = machine.clock(tmp_path)
    assert check.state == state and "UTC" in check.found
    assert ("not known on this system" in check.found) is (answer is None)


def test_what_the_station_needs_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert {"fastapi", "nicegui", "filelock"} <= set(machine._of_extra("station"))
    assert "torch" not in set(machine._of_extra("station"))
    real = machine._version
    monkeypatch.setattr(machine, "_version", lambda name: None if name == "paho-mqtt" else real(name))
    check = machine.packages()
    assert check.state == "failed" and "paho-mqtt" in check.found and "flawsight[station]" in check.remedy
