"""Bundles where there is no torch: their graph in ONNX Runtime or OpenVINO, and whether it says what torch says."""

from flawsight.runtime.bench import BenchReport, Measured, run_bench
from flawsight.runtime.graph_backend import GraphBackend, open_onnxruntime, open_openvino
from flawsight.runtime.load import BACKENDS, load
from flawsight.runtime.parity import Answers, check_parity, compared
from flawsight.runtime.samples import Samples

__all__ = [
    "BACKENDS",
    "Answers",
    "BenchReport",
    "GraphBackend",
    "Measured",
    "Samples",
    "check_parity",
    "compared",
    "load",
    "open_onnxruntime",
    "open_openvino",
    "run_bench",
]
