"""Graphs of less than full precision: the network alone, for distances do not bear it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from flawsight.core import FlawsightError
from flawsight.export.onnx_file import INPUT_NAME, quiet

_MULTIPLY = {"Conv", "MatMul", "Gemm"}


def in_half(model: Any) -> Any:
    """The network's tensors in float16; all else stays as it is."""
    from onnxruntime.transformers.float16 import convert_float_to_float16

    outside = [node.name for node in model.graph.node if not _is_network(node)]
    return convert_float_to_float16(model, keep_io_types=True, node_block_list=outside)


def in_int8(model: Any, good: Sequence[np.ndarray]) -> Any:
    """The network's convolutions in 8 bits, by the range of values that good pictures (S, S, 3) make in it."""
    import onnx
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

    nodes = [node.name for node in model.graph.node if _is_network(node) and node.op_type in _MULTIPLY]
    if not nodes:
        raise FlawsightError("this inspector has no network whose numbers could be of 8 bits: export it in fp32")
    with tempfile.TemporaryDirectory() as folder:
        given, made = Path(folder, "given.onnx"), Path(folder, "made.onnx")
        onnx.save(model, given)
        with quiet():
            quantize_static(
                given,
                made,
                _Pictures(good),
                quant_format=QuantFormat.QDQ,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                per_channel=True,
                nodes_to_quantize=nodes,
            )
        return onnx.load(made)


class _Pictures:
    """Good pictures, one by one, as the quantiser asks for them."""

    def __init__(self, good: Sequence[np.ndarray]) -> None:
        self._left: Iterator[np.ndarray] = iter(good)

    def get_next(self) -> dict[str, np.ndarray] | None:
        """The next one, or None."""
        square = next(self._left, None)
        return None if square is None else {INPUT_NAME: square[None]}


def _is_network(node: Any) -> bool:
    """Whether the exporter says that a node comes from the cut network."""
    scopes = next((entry.value for entry in node.metadata_props if entry.key == "pkg.torch.onnx.name_scopes"), "")
    return "'network" in scopes
