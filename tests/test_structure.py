"""The house: small functions, files and folders, floors that hold, and nothing heavy loaded before it is asked for."""

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import flawsight

ROOT = Path(flawsight.__file__).parent
PROJECT = Path(__file__).parents[1]
MOST_LINES_OF_A_FUNCTION, MOST_LINES_OF_A_FILE, MOST_FILES_OF_A_FOLDER = 60, 300, 12
HEAVY = {"torch", "torchvision", "timm", "sklearn", "diffusers", "FrEIA"}


def files() -> list[Path]:
    return sorted(ROOT.rglob("*.py"))


def test_no_file_or_folder_grows_out_of_hand() -> None:
    long = {path: n for path in files() if (n := len(path.read_text().splitlines())) > MOST_LINES_OF_A_FILE}
    folders = {path.parent for path in files()}
    full = {path: n for path in folders if (n := len(list(path.glob("*.py")))) > MOST_FILES_OF_A_FOLDER}
    assert not long and not full


def test_no_function_grows_out_of_hand() -> None:
    functions = [
        (path, node)
        for path in files()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef)
    ]
    long = [
        f"{path}:{node.name}"
        for path, node in functions
        if node.end_lineno - node.lineno + 1 > MOST_LINES_OF_A_FUNCTION
    ]
    assert len(functions) > 500 and not long


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package with its contracts, to be spoilt."""
    folder = tmp_path_factory.mktemp("copy")
    shutil.copytree(ROOT, folder / "flawsight", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(PROJECT / "pyproject.toml", folder)
    return folder


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    code = "import sys; sys.path.insert(0, '.'); from importlinter.cli import lint_imports; sys.exit(lint_imports())"
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


WRONG = [
    ("core/errors.py", "import flawsight.data", "Floors"),
    ("inspection/inspector.py", "import torch", "The line needs no torch"),
    ("detectors/patchcore/detector.py", "import flawsight.detectors.simplenet", "Methods do not know each other"),
]


@pytest.mark.parametrize(("file", "line", "contract"), WRONG, ids=[contract for *_, contract in WRONG])
def test_a_wrong_import_breaks_its_contract(copied: Path, file: str, line: str, contract: str) -> None:
    path = copied / "flawsight" / file
    text = path.read_text(encoding="utf-8")
    assert lint_imports(copied).returncode == 0
    path.write_text(f"{text}\n{line}\n", encoding="utf-8")
    try:
        done = lint_imports(copied)
    finally:
        path.write_text(text, encoding="utf-8")
    assert done.returncode == 1 and f"{contract} BROKEN" in done.stdout


LIGHT = [
    "import flawsight",
    "import flawsight.data, flawsight.defects, flawsight.metrics, flawsight.settings, flawsight.bundle",
    "import flawsight.report.heatmap, flawsight.inspection",
    "import sys; sys.argv = ['flawsight', 'fit', '--help']\nimport flawsight.cli\n"
    "try: flawsight.cli.main()\nexcept SystemExit as end: assert not end.code",
]


@pytest.mark.parametrize("code", LIGHT, ids=["package", "plain rooms", "heat maps", "help"])
def test_light_things_do_not_load_torch(code: str) -> None:
    check = f"\nimport sys; loaded = {HEAVY!r} & set(sys.modules); assert not loaded, loaded"
    done = subprocess.run([sys.executable, "-c", code + check], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_plain_rooms_work_where_torch_is_absent() -> None:
    """As in a base environment: whoever asks for torch is told that there is none."""
    absent = "\n".join(
        [
            "import sys",
            f"for name in {sorted(HEAVY)!r}: sys.modules[name] = None",
            "import numpy as np, flawsight.report.heatmap as heatmap, flawsight.inspection, flawsight.bundle",
            "image, values = np.zeros((8, 8, 3), np.uint8), np.ones((8, 8), np.float32)",
            "assert heatmap.overlay(image, values, heatmap.ColourScale(0.0, 0.5)).shape == image.shape",
        ]
    )
    done = subprocess.run([sys.executable, "-c", absent], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_detector_does_not_load_the_others() -> None:
    code = "import sys, flawsight.detectors as d; d.PatchCore; assert not {'FrEIA', 'diffusers'} & set(sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
