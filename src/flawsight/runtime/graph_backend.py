"""The graph of a bundle, run by ONNX Runtime or OpenVINO."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np

from flawsight.bundle.store import ONNX_MODEL, OPENVINO_MODEL
from flawsight.core import FlawsightError, first_line

Answer = tuple[np.ndarray, np.ndarray]
Run = Callable[[np.ndarray], Answer]
"""From squares (N, S, S, 3) uint8 to maps (N, S, S) and scores (N,); called from one thread."""


class GraphBackend:
    """Answers of a graph, for any number of threads at once; each has a runner of its own.

    A picture is one run: graphs fill the cores by themselves, and a batch of them would not fit in the cache.

    >>> files = {"model.onnx": (bundle / "model.onnx").read_bytes()}
    >>> backend = open_onnxruntime(files)
    >>> maps, scores = backend.predict([fs.views.resize_image(image, 64) for image in images[:3]])
    >>> maps.shape, scores.shape
    ((3, 64, 64), (3,))
    """

    def __init__(self, name: str, make_run: Callable[[], Run]) -> None:
        self.name = name
        self._make_run = make_run
        self._local = threading.local()

    def predict(self, squares: Sequence[np.ndarray]) -> Answer:
        """Anomaly maps (N, S, S) and scores (N,) of squares (S, S, 3) uint8 RGB."""
        found = [self.predict_batch(square[None]) for square in squares]
        return np.concatenate([maps for maps, _ in found]), np.concatenate([scores for _, scores in found])

    def predict_batch(self, squares: np.ndarray) -> Answer:
        """The same of squares (N, S, S, 3) in one run."""
        if not hasattr(self._local, "run"):
            self._local.run = self._make_run()
        try:
            maps, scores = self._local.run(np.ascontiguousarray(squares))
        except (MemoryError, RuntimeError) as error:
            if len(squares) == 1 or not _is_out_of_memory(error):
                raise
            return _joined(self.predict_batch(half) for half in np.array_split(squares, 2))
        # A runner may write its next answer over this one.
        return np.array(maps), np.array(scores)


def open_onnxruntime(files: Mapping[str, bytes], precision: str = "fp32", threads: int | None = None) -> GraphBackend:
    """`model.onnx` in ONNX Runtime, on so many threads of the processor; default all its cores.

    >>> open_onnxruntime({"model.onnx": (bundle / "model.onnx").read_bytes()}, threads=1).name
    'onnxruntime'
    """
    import onnxruntime

    del precision  # it is in the graph
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or 0
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(files[ONNX_MODEL], options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its errors share no base class
        version = onnxruntime.__version__
        raise FlawsightError(
            f"ONNX Runtime {version} cannot run {ONNX_MODEL} ({first_line(error, 300)}): pip install -U onnxruntime"
        ) from error
    name = session.get_inputs()[0].name
    return GraphBackend("onnxruntime", lambda: lambda squares: tuple(session.run(None, {name: squares})))


def open_openvino(files: Mapping[str, bytes], precision: str = "fp32", threads: int | None = None) -> GraphBackend:
    """`model.onnx`, or `model.xml` with `model.bin`, in OpenVINO.

    It computes in full precision unless the graph is of half precision: left alone, OpenVINO takes bfloat16 on
    processors that have it.

    >>> open_openvino({"model.onnx": (bundle / "model.onnx").read_bytes()}).name
    'openvino'
    """
    try:
        import openvino
    except ModuleNotFoundError as error:
        raise FlawsightError("the backend openvino is not installed: pip install 'flawsight[openvino]'") from error

    core = openvino.Core()
    config: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY"}
    if precision != "fp16":
        config["INFERENCE_PRECISION_HINT"] = "f32"
    if threads:
        config["INFERENCE_NUM_THREADS"] = threads
    try:
        if ONNX_MODEL in files:
            model = core.read_model(files[ONNX_MODEL], b"")
        else:
            xml, weights = (files[name] for name in OPENVINO_MODEL)
            model = core.read_model(xml, openvino.Tensor(np.frombuffer(weights, np.uint8)))
        square = model.inputs[0].partial_shape[1].get_length()
        # A batch of any size costs a quarter of the speed: what is usual, one picture, is compiled for itself.
        compiled = {}
        for batch in (1, -1):
            model.reshape([batch, square, square, 3])
            compiled[batch] = core.compile_model(model, "CPU", config) if batch == 1 else model
    except RuntimeError as error:
        raise FlawsightError(f"OpenVINO cannot run this bundle's graph ({first_line(error, 300)})") from error
    return GraphBackend("openvino", lambda: _OpenVinoRun(core, compiled[1], compiled[-1], config))


class _OpenVinoRun:
    """Runs single pictures by a graph that was compiled for one, batches by one that is compiled when they come."""

    def __init__(self, core: Any, single: Any, model: Any, config: Mapping[str, Any]) -> None:
        self.request = single.create_infer_request()
        self._any: Any = None
        self._core, self._model, self._config = core, model, config

    def __call__(self, squares: np.ndarray) -> Answer:
        if len(squares) > 1 and self._any is None:
            self._any = self._core.compile_model(self._model, "CPU", self._config).create_infer_request()
        request = self.request if len(squares) == 1 else self._any
        found = request.infer({0: squares})
        return found[0], found[1]


def is_installed(package: str) -> bool:
    """Whether a package could be imported."""
    try:
        return find_spec(package) is not None
    except (ImportError, ValueError):  # of packages that are hidden on purpose
        return False


def _joined(parts: Any) -> Answer:
    maps, scores = zip(*parts, strict=True)
    return np.concatenate(maps), np.concatenate(scores)


def _is_out_of_memory(error: Exception) -> bool:
    words = str(error).lower()
    return isinstance(error, MemoryError) or "alloc" in words or "memory" in words
