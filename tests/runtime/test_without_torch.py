"""A bundle where there is no torch and no network: inspected, evaluated and refused by the base installation."""

import csv
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import flawsight as fs
from flawsight.export import export_bundle

ALONE = """
import importlib.abc, json, socket, sys

class Absent(importlib.abc.MetaPathFinder):
    names = {"torch", "torchvision", "timm", "sklearn", "scipy", "diffusers", "FrEIA", "psutil", "onnx", "onnxscript"}
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in self.names:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

def refuse(*_, **__):
    raise AssertionError("something asked for the network")

sys.meta_path.insert(0, Absent())
socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
"""


def alone(code: str, *arguments: object) -> subprocess.CompletedProcess:
    """Run code in a Python without what the base installation lacks, and without a network."""
    command = [sys.executable, "-c", ALONE + textwrap.dedent(code), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def line(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("for") / "line"
    export_bundle(bundle, out=folder)
    return folder


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
def test_results_are_those_of_torch(line: Path, bundle: Path, labelled_set: Path, tmp_path: Path, backend: str) -> None:
    pictures = labelled_set / "test"
    done = alone(
        "from flawsight.cli import main; sys.argv[1:1] = ['inspect']; main()",
        line, pictures, "--out", tmp_path / "here", "--backend", backend,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    fs.inspect_to_folder(fs.load(bundle, backend="torch"), [pictures], tmp_path / "torch")
    here, there = (list(csv.DictReader((tmp_path / name / "results.csv").open())) for name in ("here", "torch"))
    assert len(here) == len(there) == 7
    for one, other in zip(here, there, strict=True):
        assert one["path"] == other["path"] and one["verdict"] == other["verdict"]
        assert one["p_value"] == other["p_value"]
        assert float(one["score"]) == pytest.approx(float(other["score"]), rel=1e-3, abs=1e-3)
    names = [sorted(path.name for path in (tmp_path / name / "heatmaps").iterdir()) for name in ("here", "torch")]
    assert names[0] == names[1]


def test_evaluate_and_python(line: Path, labelled_set: Path, tmp_path: Path) -> None:
    done = alone(
        "from flawsight.cli import main; sys.argv[1:1] = ['evaluate']; main()",
        line, labelled_set, "--out", tmp_path, "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert '"auroc": 1.0' in done.stdout
    picture = next((labelled_set / "test" / "spot").iterdir())
    done = alone("import flawsight as fs; print(fs.load(sys.argv[1]).inspect(sys.argv[2]).verdict)", line, picture)
    assert done.stdout == "defective\n", done.stderr


def test_no_torch_and_no_graph(bundle: Path, tmp_path: Path) -> None:
    fs.save(fs.load(bundle, backend="torch"), tmp_path / "torch_only")
    done = alone(
        "from flawsight.cli import main; sys.argv[1:1] = ['inspect']; main()",
        tmp_path / "torch_only", tmp_path, "--out", tmp_path / "r",
    )  # fmt: skip
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert "torch is not installed here" in done.stderr and "flawsight export" in done.stderr
