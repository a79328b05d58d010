"""Models of the inference benchmark as ONNX files, and their times in one engine, each in a process of its own."""

from __future__ import annotations

import contextlib
import io
import statistics
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from flawsight.features import Extractor
from flawsight.runtime import load, open_openvino

OPENVINO_NAMES = {"fp32": "f32", "bf16": "bf16"}
BLOCK, WARM_UP = 7, 2
Call = Callable[[np.ndarray], Any]
Times = list[float]
"""Milliseconds a picture of one run: until the answer, of the processor, and that threads waited for it."""


class NetworkAlone(nn.Module):
    """The network from pictures (N, S, S, 3) uint8 to the map of one layer, cut behind it."""

    def __init__(self, extractor: Extractor, layer: str) -> None:
        super().__init__()
        self.network, self.layer = extractor.truncated([layer]), layer
        for key, values in (("mean", extractor.network.mean), ("std", extractor.network.std)):
            self.register_buffer(key, torch.tensor(values).view(3, 1, 1))

    def forward(self, squares: Tensor) -> Tensor:
        pixels = squares.permute(0, 3, 1, 2).float() / 255
        return self.network((pixels - self.mean) / self.std)[self.layer]


class MapAndScore(nn.Module):
    """The peer's model with plain tensors for answers."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, tensor: Tensor) -> tuple[Tensor, Tensor]:
        found = self.model(tensor)
        return found.anomaly_map, found.pred_score


def export(module: nn.Module, example: Tensor, path: Path) -> None:
    """The module as ONNX, for batches as large as the example alone."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()), torch.no_grad():
        warnings.simplefilter("ignore")
        torch.onnx.export(module.eval(), (example,), path, dynamo=True, verbose=False, external_data=False)


def is_bf16_here() -> bool:
    """Whether OpenVINO computes in bfloat16 on this processor."""
    import openvino

    return "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def in_openvino(path: Path, batch: int, precision: str, threads: int) -> Call:
    """A graph in OpenVINO, as `flawsight.runtime` sets it up but for the precision; batch -1: of any size."""
    import openvino

    core = openvino.Core()
    model = core.read_model(path)
    model.reshape([batch, *(size.get_length() for size in list(model.inputs[0].partial_shape)[1:])])
    config = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": OPENVINO_NAMES[precision],
        "INFERENCE_NUM_THREADS": threads,
    }
    request = core.compile_model(model, "CPU", config).create_infer_request()
    return lambda pictures: list(request.infer({0: pictures}).values())


def timed(
    engine: str, models: dict[str, str], inputs: str, precisions: list[str], batch: int, threads: int, runs: int
) -> dict[str, Any]:
    """The times of so many runs of each model, by "model, precision": what `in_child` calls.

    models: folders are bundles; `x.onnx` stands for the files x_1.onnx, x_8.onnx, for a batch each. They take turns in
    short blocks, so that whatever else the machine does meets them all.
    """
    given, work = np.load(inputs), {}
    pictures = {
        name: np.split(given[name][: len(given[name]) // batch * batch], len(given[name]) // batch) for name in given
    }
    for name, path in models.items():
        stacks = pictures["tensors" if Path(path).stem.startswith("peer") else "squares"]
        for precision in precisions:
            work[f"{name}, {precision}"] = call_of(engine, Path(path), batch, precision, threads), stacks
    found: dict[str, list[Times]] = {key: [] for key in work}
    for _ in range(-(-runs // BLOCK)):
        for key, (call, stacks) in work.items():
            found[key] += block(call, stacks)
    return {"ms": found}


def call_of(engine: str, path: Path, batch: int, precision: str, threads: int) -> Call:
    """What runs a bundle, as its users do, or another graph."""
    if path.suffix:
        return in_openvino(path.with_name(f"{path.stem}_{batch}.onnx"), batch, precision, threads)
    if engine == "openvino" and precision != "fp32":
        return in_openvino(path / "model.onnx", 1 if batch == 1 else -1, precision, threads)
    if engine == "openvino":
        return open_openvino({"model.onnx": (path / "model.onnx").read_bytes()}, precision, threads).predict_batch
    backend = load(path, "cpu" if engine == "torch" else "auto", engine, threads).backend
    return getattr(backend, "predict_batch", backend.predict)


def block(call: Call, stacks: Sequence[np.ndarray]) -> list[Times]:
    """The times of each run of a block, after a warm-up."""
    found = []
    for index in range(-WARM_UP, BLOCK):
        stack = stacks[index % len(stacks)]
        before = waited(), time.process_time(), time.perf_counter()
        call(stack)
        after = time.perf_counter(), time.process_time(), waited()
        found.append([1000 * (late - early) / len(stack) for late, early in zip(after, reversed(before), strict=True)])
    return found[WARM_UP:]


def waited() -> float:
    """Seconds that threads of this process stood ready while others had the processor; 0 where Linux does not tell."""
    threads = Path("/proc/self/task").glob("*/schedstat")
    return sum(int(one.read_text().split()[1]) for one in threads) / 1e9


def decoding(paths: list[str], side: int, mean: list[float], std: list[float]) -> dict[str, Any]:
    """Milliseconds from a file to the network's input, ours and the peer's: what `in_child` calls."""
    from anomalib.data.utils import read_image as peers_read_image

    from benchmarks._anomalib import pre_processor
    from flawsight.data import read_image
    from flawsight.views import resize_image

    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    transform = pre_processor(side, mean, std).transform
    calls: dict[str, Callable[[str], Any]] = {
        "ours": lambda path: resize_image(read_image(path), side),
        "peer": lambda path: transform(peers_read_image(path, as_tensor=True)),
    }
    found: dict[str, list[float]] = {name: [] for name in calls}
    for path in [*paths[:3], *paths]:
        for name, call in calls.items():
            start = time.perf_counter()
            call(path)
            found[name].append(1000 * (time.perf_counter() - start))
    return {name: statistics.median(values[3:]) for name, values in found.items()}
