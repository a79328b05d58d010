"""The graph of an inspector: it says what torch says, or is refused; less precision has its own operating point."""

import json
import shutil
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

import flawsight as fs
from flawsight.bundle import read_manifest
from flawsight.export import export_bundle, export_inspector
from flawsight.export import model as model_module
from flawsight.runtime import Answers, Samples
from flawsight.views import resize_image


@pytest.fixture
def copy(bundle: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(bundle, tmp_path / "copy"))


@pytest.fixture(scope="module")
def pictures(texture: Callable, spoiled: Callable) -> list[np.ndarray]:
    return [*(texture(seed) for seed in range(900, 912)), *(spoiled(seed) for seed in range(920, 926))]


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
def test_a_fit_leaves_a_graph_that_says_what_torch_says(bundle: Path, pictures: list[np.ndarray], backend: str) -> None:
    ours, theirs = fs.load(bundle, backend=backend), fs.load(bundle, backend="torch")
    for one, other in zip(ours.inspect_many(pictures), theirs.inspect_many(pictures), strict=True):
        assert one.verdict == other.verdict
        assert one.score == pytest.approx(other.score, rel=1e-3, abs=1e-3)
        assert np.abs(one.anomaly_map - other.anomaly_map).max() <= 0.05 * max(1, np.abs(other.anomaly_map).max())


def test_the_manifest_keeps_the_comparison(bundle: Path) -> None:
    manifest = read_manifest(bundle)
    assert manifest.runtime is not None and manifest.samples is not None
    assert manifest.runtime.file in manifest.files and "samples.png" in manifest.files
    for name in ("onnxruntime", "openvino"):
        parity = manifest.runtime.parity[name]
        assert parity.images == len(manifest.samples.kinds) > 20
        assert parity.flips == 0 and parity.score_difference < 1e-3 and parity.p_h == pytest.approx(parity.p_h_torch)
    samples = Samples.of_bundle(bundle, manifest.samples)
    scores = fs.load(bundle, backend="torch").backend.predict(samples.squares)[1]
    assert scores == pytest.approx(manifest.samples.scores, rel=1e-5)


def test_a_graph_that_says_something_else_is_refused_and_nothing_changes(
    copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Liar:
        name = "onnxruntime"

        def __init__(self, *_: object) -> None: ...

        def predict(self, squares: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
            maps, scores = fs.load(copy, backend="torch").backend.predict(squares)
            return maps, scores + 0.1 * np.abs(scores)

    before = {path.name: path.read_bytes() for path in copy.iterdir()}
    monkeypatch.setitem(model_module.BACKENDS, "onnxruntime", Liar)
    with pytest.raises(fs.FlawsightError, match="does not say the same as torch"):
        export_bundle(copy)
    assert {path.name: path.read_bytes() for path in copy.iterdir()} == before


def test_a_refused_graph_costs_a_fit_nothing_that_it_learned(
    good_dir: Path, fit_options: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise fs.FlawsightError("the graph sees ghosts")

    monkeypatch.setattr(import_module("flawsight.pipeline.fit"), "export_inspector", refuse)
    settings = {"good": good_dir, "out": tmp_path / "b", **fit_options, "fixed_layers": "blocks.3.0.bn3"}
    settings.pop("layers")
    result = fs.run_fit(fs.FitSettings.of(settings))
    assert any("runs in torch alone" in note and "ghosts" in note for note in result.record.notes)
    assert fs.load(tmp_path / "b").backend.name == "torch"
    with pytest.raises(fs.FlawsightError, match=r"has no model\.onnx"):
        fs.load(tmp_path / "b", backend="onnxruntime")


@pytest.mark.parametrize(("graph_format", "precision"), [("onnx", "int8"), ("onnx", "fp16"), ("openvino", "fp16")])
def test_less_precision_has_its_own_operating_point(
    copy: Path, graph_format: str, precision: str, pictures: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    # A small network at 64 pixels loses more than a real one would be allowed to.
    monkeypatch.setattr("flawsight.runtime.parity.MOST_P_H_LOST", {"fp16": 0.3, "int8": 0.3})
    export_bundle(copy, graph_format, precision)  # type: ignore[arg-type]
    manifest = read_manifest(copy)
    assert manifest.runtime is not None and manifest.runtime.operating_point is not None
    assert (manifest.runtime.format, manifest.runtime.precision) == (graph_format, precision)
    inspector = fs.load(copy)
    assert inspector.backend.name == ("onnxruntime" if graph_format == "onnx" else "openvino")
    assert inspector.threshold == manifest.runtime.operating_point.threshold
    assert len(inspector.manifest.calibration.scores) == manifest.operating_point.calibration_size
    # The stated rate is that of the moved scores.
    above = np.mean(np.array(inspector.manifest.calibration.scores) > inspector.threshold)
    assert above <= manifest.runtime.operating_point.rate
    assert fs.load(copy, backend="torch").threshold == manifest.operating_point.threshold
    verdicts = [result.verdict for result in inspector.inspect_many(pictures)]
    assert verdicts[-6:] == ["defective"] * 6


def test_int8_that_sees_less_is_refused(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flawsight.runtime.parity.MOST_P_H_LOST", {"int8": -1.0})
    with pytest.raises(fs.FlawsightError, match="sees less"):
        export_bundle(copy, precision="int8")


def test_a_bundle_for_the_line_holds_no_tensors(bundle: Path, tmp_path: Path, pictures: list[np.ndarray]) -> None:
    export_bundle(bundle, out=tmp_path / "line")
    assert {path.name for path in (tmp_path / "line").iterdir()} == {"inspector.json", "model.onnx", "samples.png"}
    line = fs.load(tmp_path / "line")
    assert line.inspect(pictures[-1]).is_defective
    with pytest.raises(fs.FlawsightError, match="made for the line"):
        fs.load(tmp_path / "line", backend="torch")
    with pytest.raises(fs.FlawsightError, match="already holds a bundle"):
        export_bundle(bundle, out=tmp_path / "line")


def test_an_older_bundle_is_exported_with_pictures(copy: Path, good_dir: Path) -> None:
    document = json.loads((copy / "inspector.json").read_text())
    for name in ("runtime", "samples"):
        del document[name]
    for name in ("model.onnx", "samples.png"):
        del document["files"][name]
        (copy / name).unlink()
    document["format"] = 3
    (copy / "inspector.json").write_text(json.dumps(document))
    with pytest.raises(fs.FlawsightError, match="--good"):
        export_bundle(copy)
    exported = export_bundle(copy, good=good_dir)
    assert exported.runtime.parity["onnxruntime"].flips == 0 and "good" in exported.samples.kinds
    assert fs.load(copy).backend.name in ("onnxruntime", "openvino")
    assert read_manifest(copy).format == 6


def test_only_torch_can_be_exported(bundle: Path, fit_result: fs.FitResult) -> None:
    samples = Samples.of(fit_result.record.images, fit_result.record.defects, 64)
    with pytest.raises(fs.FlawsightError, match="backend='torch'"):
        export_inspector(fs.load(bundle, backend="onnxruntime"), samples)


def test_samples_are_a_picture_and_back(fit_result: fs.FitResult) -> None:
    samples = Samples.of(fit_result.record.images, fit_result.record.defects, 64)
    again = Samples.from_png(samples.png(), samples.kinds)
    for one, other in zip([*samples.squares, *samples.masks], [*again.squares, *again.masks], strict=True):
        assert np.array_equal(one, other)
    assert samples.labels.sum() >= 3 and not samples.masks[0].any() and samples.masks[-1].any()
    with pytest.raises(fs.FlawsightError, match=r"samples\.png"):
        Samples.from_png(samples.png(), samples.kinds[:-1])


def test_a_batch_of_any_size(bundle: Path, pictures: list[np.ndarray]) -> None:
    squares = np.stack([resize_image(picture, 64) for picture in pictures])
    for name in ("onnxruntime", "openvino"):
        backend = fs.load(bundle, backend=name).backend
        maps, scores = backend.predict_batch(squares)  # type: ignore[attr-defined]
        one_by_one = Answers(*backend.predict(list(squares)), threshold=0)
        assert scores == pytest.approx(one_by_one.scores, rel=1e-4, abs=1e-4)
        assert np.abs(maps - one_by_one.maps).max() < 1e-3
