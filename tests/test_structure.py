"""The house: rooms in their order, data flowing one way, and nothing heavy loaded before it is asked for."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import flawsight

ROOT = Path(flawsight.__file__).parent
ABOVE = {
    "data": set(),
    "defects": set(),
    "features": set(),
    "detectors": {"features"},
    "metrics": set(),
    "generation": {"data", "defects", "features", "detectors"},
    "selection": {"data", "defects", "features", "detectors", "metrics"},
    "inspection": {"data", "defects", "features", "detectors", "metrics", "generation", "selection"},
    "runtime": set(),
    "report": {"data", "defects", "features", "detectors", "metrics", "generation", "selection", "inspection"},
}
SHARED = {"errors", "progress"}
TORCH_FREE = ("data", "defects", "metrics", "runtime")
HEAVY = {"torch", "torchvision", "timm", "sklearn", "safetensors", "diffusers"}


def imported(path: Path) -> Iterator[str]:
    """Absolute names of all that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def files(room: str) -> list[Path]:
    return sorted((ROOT / room).rglob("*.py"))


ROOMS = [room for room in ABOVE if files(room)]


def test_every_room_is_known() -> None:
    rooms = {folder.name for folder in ROOT.iterdir() if (folder / "__init__.py").exists()}
    assert rooms <= {*ABOVE, "studies", "station"}


@pytest.mark.parametrize("room", ROOMS)
def test_rooms_import_only_rooms_above_them(room: str) -> None:
    for path in files(room):
        for name in imported(path):
            parts = name.split(".")
            if parts[0] != "flawsight" or len(parts) < 2:
                continue
            allowed = ABOVE[room] | {room} | SHARED
            assert parts[1] in allowed, f"{path.relative_to(ROOT)} imports {name}"


@pytest.mark.parametrize("room", [room for room in ROOMS if room in TORCH_FREE])
def test_rooms_of_plain_arrays_do_without_torch(room: str) -> None:
    for path in files(room):
        found = {name.split(".")[0] for name in imported(path)} & HEAVY
        assert not found, f"{path.relative_to(ROOT)} imports {found}"


def test_no_file_grows_out_of_hand() -> None:
    long = {str(p.relative_to(ROOT)): n for p in ROOT.rglob("*.py") if (n := len(p.read_text().splitlines())) > 400}
    assert not long


LIGHT = [
    "import flawsight",
    "import flawsight.data, flawsight.defects, flawsight.metrics",
    "import sys; sys.argv = ['flawsight', 'fit', '--help']\nimport flawsight.cli.app\n"
    "try: flawsight.cli.app.main()\nexcept SystemExit as end: assert not end.code",
]


@pytest.mark.parametrize("code", LIGHT, ids=["package", "plain rooms", "help"])
def test_light_things_do_not_load_torch(code: str) -> None:
    check = f"\nimport sys; loaded = {HEAVY!r} & set(sys.modules); assert not loaded, loaded"
    done = subprocess.run([sys.executable, "-c", code + check], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
