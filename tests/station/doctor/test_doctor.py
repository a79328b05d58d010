"""`flawsight doctor` on whole and on spoilt bundles, with and without torch."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

NAMES = {"packages", "processor", "bundle", "self-test", "speed", "memory", "clock", "disk", "history", "port"}


def checks(document: dict[str, Any]) -> dict[str, dict[str, str]]:
    return {check["name"]: check for check in document["checks"]}


@pytest.fixture
def spoilt(bundle: Path, tmp_path: Path) -> Callable[[Callable[[dict], None]], Path]:
    """A copy of the bundle with another inspector.json."""

    def make(change: Callable[[dict], None]) -> Path:
        copy = Path(shutil.copytree(bundle, tmp_path / "spoilt"))
        manifest = json.loads((copy / "inspector.json").read_text())
        change(manifest)
        (copy / "inspector.json").write_text(json.dumps(manifest))
        return copy

    return make


@pytest.fixture
def doctor(flawsight: Callable, tmp_path: Path) -> Callable[..., tuple[int, dict[str, dict[str, str]]]]:
    def call(bundle: Path, *options: object) -> tuple[int, dict[str, dict[str, str]]]:
        done = flawsight("doctor", bundle, "--history", tmp_path / "history.db", "--port", 0, "--json", *options)
        document = json.loads(done.out)
        assert document["failed"] == sum(one["state"] == "failed" for one in document["checks"])
        assert all(one["remedy"] for one in document["checks"] if one["state"] != "ok")
        assert done.code == (2 if document["failed"] else 0)
        return done.code, checks(document)

    return call


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
def test_a_machine_that_can(doctor: Callable, bundle: Path, backend: str) -> None:
    code, found = doctor(bundle, "--backend", backend)
    assert code == 0 and set(found) == NAMES
    assert found["self-test"]["state"] == "ok" and backend in found["self-test"]["found"]
    assert "0 other verdicts" in found["self-test"]["found"] and "pictures a second" in found["speed"]["found"]


def test_people_read_what_to_do(flawsight: Callable, bundle: Path, tmp_path: Path) -> None:
    done = flawsight("doctor", bundle, "--history", tmp_path / "h.db", "--port", 0, "--watch", tmp_path / "none")
    assert done.code == 2 and "failed   folder none" in done.out and "to do: make it" in done.out
    assert "would not run well here. Checks that failed: 1" in done.out


def test_other_scores_than_torchs_fail(doctor: Callable, spoilt: Callable) -> None:
    def change(manifest: dict) -> None:
        manifest["samples"]["scores"][0] += 0.1

    code, found = doctor(spoilt(change))
    assert code == 2 and found["self-test"]["state"] == "failed" and found["speed"]["state"] != "failed"


def test_another_verdict_fails(doctor: Callable, spoilt: Callable) -> None:
    """The scores are right, the threshold lies between a score and what torch said of it."""

    def change(manifest: dict) -> None:
        first = manifest["samples"]["scores"][0]
        manifest["samples"]["scores"][0] = first * (1 + 2e-4)
        manifest["operating_point"]["threshold"] = first * (1 + 1e-4)

    code, found = doctor(spoilt(change))
    assert code == 2 and "1 other verdicts" in found["self-test"]["found"]


def test_a_changed_file_fails(doctor: Callable, spoilt: Callable) -> None:
    folder = spoilt(lambda manifest: None)
    with (folder / "model.onnx").open("ab") as file:
        file.write(b"x")
    code, found = doctor(folder)
    assert code == 2 and "model.onnx has changed" in found["bundle"]["found"] and "self-test" not in found


def test_a_bundle_that_is_none_or_newer_fails(doctor: Callable, spoilt: Callable, tmp_path: Path) -> None:
    code, found = doctor(tmp_path / "nowhere")
    assert code == 2 and found["bundle"]["state"] == "failed" and found["port"]["state"] == "ok"
    code, found = doctor(spoilt(lambda manifest: manifest.update(format=99)))
    assert code == 2 and "update it" in found["bundle"]["found"]


def test_a_bundle_without_a_graph_fails(doctor: Callable, spoilt: Callable) -> None:
    code, found = doctor(spoilt(lambda manifest: manifest.update(runtime=None)))
    assert code == 2 and "flawsight export" in found["bundle"]["remedy"]


def test_a_bundle_without_pictures_warns(doctor: Callable, spoilt: Callable) -> None:
    code, found = doctor(spoilt(lambda manifest: manifest.update(samples=None)))
    assert code == 0 and found["self-test"]["state"] == found["speed"]["state"] == "warning"


def test_an_unknown_backend_is_a_finding(doctor: Callable, bundle: Path) -> None:
    code, found = doctor(bundle, "--backend", "nonsuch")
    assert code == 2 and "nonsuch" in found["self-test"]["found"]


def test_it_works_where_there_is_no_torch(bundle: Path, tmp_path: Path) -> None:
    absent = ["torch", "torchvision", "timm", "sklearn", "scipy", "diffusers", "FrEIA", "psutil", "onnx"]
    code = f"import sys; sys.modules.update(dict.fromkeys({absent!r})); from flawsight.cli import main; main()"
    options = ["doctor", bundle, "--history", tmp_path / "h.db", "--port", 0, "--json"]
    done = subprocess.run([sys.executable, "-c", code, *map(str, options)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert checks(json.loads(done.stdout))["self-test"]["state"] == "ok"
