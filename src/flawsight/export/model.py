"""An inspector's graph as files, compared with torch before anybody may use it."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from flawsight.bundle import Manifest, Parity, RuntimeModel, SampleInfo
from flawsight.bundle.runtime_model import GraphFormat, Precision
from flawsight.bundle.store import ONNX_MODEL, OPENVINO_MODEL, SAMPLES
from flawsight.core import FlawsightError
from flawsight.export.graph import InspectionGraph
from flawsight.export.onnx_file import onnx_model
from flawsight.export.precision import in_half, in_int8
from flawsight.inference import TorchBackend
from flawsight.inspection import Inspector
from flawsight.metrics import operating_point
from flawsight.runtime import BACKENDS, Answers, Samples, check_parity, compared
from flawsight.runtime.graph_backend import is_installed

READERS: dict[GraphFormat, tuple[str, ...]] = {"onnx": ("onnxruntime", "openvino"), "openvino": ("openvino",)}
"""The backends that run a format, the first by which it is judged."""


@dataclass(frozen=True)
class ExportedModel:
    """What a manifest says of a graph and of the samples, and the files of both.

    >>> from flawsight.runtime import Samples
    >>> exported = export_inspector(inspector, Samples.of(images, fitted.record.defects, side=64))
    >>> exported.runtime.precision, sorted(exported.files)
    ('fp32', ['model.onnx', 'samples.png'])
    """

    runtime: RuntimeModel
    samples: SampleInfo
    files: Mapping[str, bytes]

    def described_in(self, manifest: Manifest) -> Manifest:
        """The manifest with both."""
        return manifest.model_copy(update={"runtime": self.runtime, "samples": self.samples})


def export_inspector(
    inspector: Inspector, samples: Samples, graph_format: GraphFormat = "onnx", precision: Precision = "fp32"
) -> ExportedModel:
    """An inspector that runs in torch as a graph in this format.

    FlawsightError where it has no form as a graph, or where the graph does not say the same of the samples.

    >>> from flawsight.runtime import Samples
    >>> samples = Samples.of(images, fitted.record.defects, side=64)
    >>> export_inspector(inspector, samples).runtime.parity["onnxruntime"].flips
    0
    """
    backend, manifest = inspector.backend, inspector.manifest
    if not isinstance(backend, TorchBackend):
        raise FlawsightError("only an inspector that runs in torch can be exported: load it with backend='torch'")
    if graph_format == "openvino" and not is_installed("openvino"):
        raise FlawsightError("OpenVINO is not installed: pip install 'flawsight[openvino]'")
    graph = onnx_model(InspectionGraph(backend).eval(), manifest.extractor.image_size)
    files = _files(graph, samples, graph_format, precision)
    says = Answers.of(backend, samples, inspector.threshold)
    first, *others = READERS[graph_format]
    answers = Answers.of(BACKENDS[first](files, precision), samples, inspector.threshold)
    moved = {} if precision == "fp32" else _moved(manifest, answers.scores - says.scores, samples)
    point = moved.get("operating_point", manifest.operating_point)
    parity = {first: compared(says, Answers(answers.maps, answers.scores, point.threshold), samples)}
    check_parity(parity[first], precision, first)
    for name in others if precision == "fp32" and is_installed("openvino") else ():
        with suppress(FlawsightError):  # who asks for it is told then
            parity[name] = _other(name, files, says, samples)
    runtime = RuntimeModel(format=graph_format, precision=precision, file=next(iter(files)), parity=parity, **moved)
    about = SampleInfo(kinds=samples.kinds, scores=tuple(says.scores.tolist()))
    return ExportedModel(runtime, about, {**files, SAMPLES: samples.png()})


def _other(name: str, files: Mapping[str, bytes], says: Answers, samples: Samples) -> Parity:
    found = compared(says, Answers.of(BACKENDS[name](files, "fp32"), samples, says.threshold), samples)
    check_parity(found, "fp32", name)
    return found


def _moved(manifest: Manifest, differences: np.ndarray, samples: Samples) -> dict[str, Any]:
    """The operating point of a graph that scores a little otherwise.

    Each calibration score is moved by the difference that one of the good samples shows, in turn.
    """
    of_good = differences[samples.labels == 0]
    scores = np.array(manifest.calibration.scores)
    turn = np.random.default_rng(manifest.seed).permutation(len(scores)) % len(of_good)
    moved = np.sort(scores + of_good[turn])
    point = operating_point(moved, manifest.operating_point.requested_rate)
    return {"operating_point": point, "calibration_scores": tuple(moved.tolist())}


def _files(graph: Any, samples: Samples, graph_format: GraphFormat, precision: Precision) -> dict[str, bytes]:
    """The graph's files, by name."""
    if precision == "int8":
        good = [square for square, label in zip(samples.squares, samples.labels, strict=True) if not label]
        graph = in_int8(graph, good)
    if graph_format == "openvino":
        return _openvino_files(_bare(graph).SerializeToString(), compress=precision == "fp16")
    if precision == "fp16":
        graph = in_half(graph)
    return {ONNX_MODEL: _bare(graph).SerializeToString()}


def _bare(graph: Any) -> Any:
    """Without what the exporter notes of where each part comes from: it names folders of this machine."""
    del graph.graph.value_info[:], graph.graph.metadata_props[:], graph.metadata_props[:]
    for part in (*graph.graph.node, *graph.graph.input, *graph.graph.output, *graph.graph.initializer):
        del part.metadata_props[:]
        part.doc_string = ""
    return graph


def _openvino_files(onnx_graph: bytes, compress: bool) -> dict[str, bytes]:
    import openvino

    model = openvino.Core().read_model(onnx_graph, b"")
    with tempfile.TemporaryDirectory() as folder:
        openvino.save_model(model, str(Path(folder, OPENVINO_MODEL[0])), compress_to_fp16=compress)
        return {name: Path(folder, name).read_bytes() for name in OPENVINO_MODEL}
