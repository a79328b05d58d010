"""How long an inspection takes on this machine, by what will run it: before anything is chosen."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from flawsight.core import Layer
from flawsight.detectors import Detector
from flawsight.export.graph import Answer, InspectionGraph, Tail
from flawsight.export.onnx_file import INPUT_NAME, as_onnx, onnx_model
from flawsight.features import Extractor
from flawsight.features.graph import as_map
from flawsight.inference import LayerSet, MemberSpec, TorchBackend
from flawsight.runtime.graph_backend import is_installed
from flawsight.scoring import MapCalibrator, MemberCalibration, ScoreStandardizer

WARM_UP, RUNS = 3, 15
_ANY_CALIBRATION = MemberCalibration(
    MapCalibrator(tuple(np.linspace(0, 1, 64).tolist()), 1.0), ScoreStandardizer(0.0, 1.0), 1.0
)
"""Calibrations differ in their numbers alone, which take as long whatever they are."""


class Stopwatch:
    """Milliseconds a picture, decode apart, in OpenVINO where that is installed, else in ONNX Runtime.

    The network's graph is made once, with all `layers` as answers, and cut after each; what follows is measured once
    for each detector and shape of map. Detectors are fitted on the few `images` for that.

    >>> watch = Stopwatch(network, network.layers[:3], images[:4])
    >>> watch.milliseconds(network.layers[2], fs.detectors.PatchCore(bank_size=50)) > 0
    True
    """

    def __init__(self, extractor: Extractor, layers: Sequence[Layer], images: Sequence[np.ndarray]) -> None:
        self.extractor = extractor
        self.images = list(images)
        self._layers = {name: extractor.layer(name) for layer in layers for name in layer.parts}
        self._network: Any = None
        self._cut: dict[str, float] = {}
        self._rest: dict[tuple[object, ...], float] = {}

    def milliseconds(self, layer: Layer, detector: Detector) -> float:
        """Of an inspector that reads this layer alone."""
        return self.network(layer) + self.rest(layer, detector)

    def network(self, layer: Layer) -> float:
        """Of the network, cut after this layer, or after those that it is joined of."""
        if layer.name not in self._cut:
            from onnx.utils import Extractor as Cutter

            side = self.extractor.image_size
            if self._network is None:
                names = list(self._layers)
                module = _Network(self.extractor, list(self._layers.values())).eval()
                square = torch.zeros(1, side, side, 3, dtype=torch.uint8)
                self._network = Cutter(as_onnx(module, square, [INPUT_NAME], names, any_batch=False))
            cut = self._network.extract_model([INPUT_NAME], list(layer.parts))
            self._cut[layer.name] = _timed(cut, {INPUT_NAME: np.zeros((1, side, side, 3), np.uint8)})
        return self._cut[layer.name]

    def rest(self, layer: Layer, detector: Detector) -> float:
        """Of a detector that reads this layer, with the calibration and upsampling of its map."""
        key = (type(detector), repr(detector), layer.channels, layer.height, layer.width)
        if key not in self._rest:
            features = list(self.extractor.extract(self.images, layer.parts).values())
            few = [values[:1] for values in features]
            module = _Rest(MemberSpec(layer.parts, detector.fit(features)), self.extractor.image_size).eval()
            model = as_onnx(module, few, list(layer.parts), ["anomaly_map"], any_batch=False)
            given = zip(layer.parts, few, strict=True)
            self._rest[key] = _timed(model, {name: values.cpu().numpy() for name, values in given})
        return self._rest[key]

    def whole(self, members: Sequence[tuple[LayerSet, Detector]]) -> float:
        """Of an inspector whose members are these detectors, by the layers that they read: measured as one graph."""
        layers = list(dict.fromkeys(name for names, _ in members for name in names))
        features = self.extractor.extract(self.images, layers)
        specs = [
            MemberSpec(names, detector.fit([features[name] for name in names]), 1 / len(members))
            for names, detector in members
        ]
        backend = TorchBackend(self.extractor, specs, [_ANY_CALIBRATION] * len(specs))
        side = self.extractor.image_size
        model = onnx_model(InspectionGraph(backend).eval(), side)
        return _timed(model, {INPUT_NAME: np.zeros((1, side, side, 3), np.uint8)})


class _Network(nn.Module):
    """Squares (1, S, S, 3) uint8 to the maps of every layer."""

    def __init__(self, extractor: Extractor, layers: Sequence[Layer]) -> None:
        super().__init__()
        self.layers = layers
        self.network = extractor.truncated([layer.name for layer in layers])

    def forward(self, squares: Tensor) -> tuple[Tensor, ...]:
        """Maps (1, C, H, W); the numbers of the normalisation take as long whatever they are."""
        outputs = self.network((squares.permute(0, 3, 1, 2).float() - 127.0) / 64.0)
        return tuple(as_map(outputs[layer.name], layer) for layer in self.layers)


class _Rest(nn.Module):
    """Maps (1, C, H, W) of the layers that are read together to the smoothed anomaly map (1, S, S)."""

    def __init__(self, member: MemberSpec, side: int) -> None:
        super().__init__()
        self.answer, self.tail = Answer(member), Tail(_ANY_CALIBRATION, side)

    def forward(self, features: list[Tensor]) -> Tensor:
        """The map."""
        found: Tensor = self.tail(self.answer(features)[0])
        return found


def _timed(model: Any, given: Mapping[str, np.ndarray]) -> float:
    """Median milliseconds of a graph with these inputs."""
    run = _runner(model.SerializeToString(), given)
    for _ in range(WARM_UP):
        run()
    found = []
    for _ in range(RUNS):
        start = time.perf_counter()
        run()
        found.append(time.perf_counter() - start)
    return 1000 * statistics.median(found)


def _runner(data: bytes, given: Mapping[str, np.ndarray]) -> Callable[[], object]:
    if is_installed("openvino"):
        import openvino

        config = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
        core = openvino.Core()
        model = core.read_model(data, b"")
        model.reshape({name: list(values.shape) for name, values in given.items()})
        request = core.compile_model(model, "CPU", config).create_infer_request()
        return lambda: request.infer(dict(given))
    import onnxruntime

    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    return lambda: session.run(None, dict(given))
