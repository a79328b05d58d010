"""Which backend runs a bundle, and what is said where none can."""

import json
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

import flawsight as fs
from flawsight.core import FlawsightError
from flawsight.runtime import BACKENDS, GraphBackend, graph_backend

GRAPHS = pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])


@pytest.fixture
def copy(bundle: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(bundle, tmp_path / "copy"))


def refused(folder: Path, *words: str, **options: object) -> None:
    with pytest.raises(FlawsightError) as caught:
        fs.load(folder, **options)  # type: ignore[arg-type]
    for word in words:
        assert word in str(caught.value)


def test_auto_takes_the_graph_and_a_device_asks_for_torch(bundle: Path) -> None:
    assert fs.load(bundle).backend.name == "openvino"
    assert fs.load(bundle, device="cpu").backend.name == "torch"


def test_auto_takes_openvino_only_where_it_was_compared(copy: Path) -> None:
    without_openvino(copy)
    assert fs.load(copy).backend.name == "onnxruntime"


def test_names_that_do_not_go_together(bundle: Path) -> None:
    refused(bundle, "unknown backend 'onnx'", "onnxruntime", backend="onnx")
    refused(bundle, "--device cuda", "torch", backend="onnxruntime", device="cuda")


def test_openvino_asked_for_but_absent(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "openvino", None)
    refused(bundle, "not installed", "flawsight[openvino]", backend="openvino")


def test_a_changed_graph(copy: Path) -> None:
    data = bytearray((copy / "model.onnx").read_bytes())
    data[len(data) // 2] ^= 1
    (copy / "model.onnx").write_bytes(data)
    refused(copy, "model.onnx has changed")
    (copy / "model.onnx").unlink()
    refused(copy, "model.onnx is missing")


def test_a_graph_that_the_manifest_does_not_vouch_for(copy: Path) -> None:
    document = json.loads((copy / "inspector.json").read_text())
    del document["files"]
    (copy / "inspector.json").write_text(json.dumps(document))
    refused(copy, "does not vouch for model.onnx")


def test_a_bundle_of_a_newer_version(copy: Path) -> None:
    document = json.loads((copy / "inspector.json").read_text())
    document |= {"format": 9, "wonders": True}
    (copy / "inspector.json").write_text(json.dumps(document))
    refused(copy, "format 9", "update")


def test_a_graph_that_this_onnx_runtime_is_too_old_for(bundle: Path) -> None:
    import onnx

    model = onnx.load(bundle / "model.onnx")
    model.opset_import[0].version = 999
    with pytest.raises(FlawsightError, match=r"cannot run model\.onnx .*pip install -U onnxruntime"):
        graph_backend.open_onnxruntime({"model.onnx": model.SerializeToString()})


@GRAPHS
def test_many_threads_one_inspector(bundle: Path, spoiled: Callable, texture: Callable, backend: str) -> None:
    inspector = fs.load(bundle, backend=backend)
    pictures = [spoiled(seed) if seed % 2 else texture(seed) for seed in range(24)]
    alone = [inspector.inspect(picture) for picture in pictures]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(inspector.inspect, pictures))
    for one, other in zip(alone, together, strict=True):
        assert one.score == pytest.approx(other.score, rel=1e-5)
        assert np.allclose(one.anomaly_map, other.anomaly_map, atol=1e-4)


@GRAPHS
def test_threads_of_the_processor_do_not_change_the_answer(bundle: Path, spoiled: Callable, backend: str) -> None:
    one, two = (fs.load(bundle, backend=backend, threads=count).inspect(spoiled(1)).score for count in (1, 2))
    assert one == pytest.approx(two, rel=1e-4)


def test_a_batch_that_does_not_fit_is_halved() -> None:
    asked = []

    def run(squares: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        asked.append(len(squares))
        if len(squares) > 2:
            raise RuntimeError("std::bad_alloc")
        return squares[..., 0].astype(np.float32), squares[:, 0, 0, 0].astype(np.float32)

    squares = np.arange(5, dtype=np.uint8)[:, None, None, None] * np.ones((1, 4, 4, 3), np.uint8)
    maps, scores = GraphBackend("tight", lambda: run).predict_batch(squares)
    assert scores.tolist() == [0, 1, 2, 3, 4] and maps.shape == (5, 4, 4)
    assert asked[0] == 5 and max(asked[1:]) <= 3

    def broken(squares: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        raise RuntimeError("a shape is wrong")

    with pytest.raises(RuntimeError, match="a shape is wrong"):
        GraphBackend("broken", lambda: broken).predict_batch(squares)


def without_openvino(folder: Path, **changes: object) -> None:
    """As if OpenVINO had not been there when the graph was made."""
    document = json.loads((folder / "inspector.json").read_text())
    del document["runtime"]["parity"]["openvino"]
    document["runtime"] |= changes
    (folder / "inspector.json").write_text(json.dumps(document))


def test_a_backend_that_was_not_there_is_compared_when_it_is_asked_for(copy: Path, spoiled: Callable) -> None:
    without_openvino(copy)
    assert fs.load(copy, backend="openvino").inspect(spoiled(1)).is_defective
    document = json.loads((copy / "inspector.json").read_text())
    document["samples"]["scores"][0] += 1
    (copy / "inspector.json").write_text(json.dumps(document))
    refused(copy, "does not say the same as torch", backend="openvino")


def test_an_operating_point_belongs_to_its_backend(copy: Path) -> None:
    without_openvino(copy, precision="fp16")
    refused(copy, "operating point from onnxruntime", backend="openvino")


def test_a_gpu_that_is_asked_for_is_never_replaced_in_silence(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(import_module("flawsight.runtime.load"), "is_installed", lambda package: package != "torch")
    monkeypatch.setitem(BACKENDS, "torch", lambda *given: asked.append(given))
    fs.load(bundle, device="cuda")
    assert [given[1] for given in asked] == ["cuda"]  # torch, or the error that it is missing
    assert fs.load(bundle, device="cpu").backend.name != "torch"
