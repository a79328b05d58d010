"""Modules as ONNX, through torch.export."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from flawsight.core import FlawsightError, first_line
from flawsight.export.graph import InspectionGraph
from flawsight.features.tracing import GLOBAL_STATE

OPSET = 18
INPUT_NAME, MAPS, SCORES = "pictures", "anomaly_maps", "scores"


def onnx_model(graph: InspectionGraph, side: int) -> Any:
    """An onnx.ModelProto for any number of squares of this side.

    FlawsightError where something in the inspector has no form there.
    """
    example = torch.zeros(2, side, side, 3, dtype=torch.uint8, device=next(graph.buffers()).device)
    return as_onnx(graph, example, (INPUT_NAME,), (MAPS, SCORES), any_batch=True)


def as_onnx(
    module: nn.Module, example: Tensor | list[Tensor], names: Sequence[str], answers: Sequence[str], any_batch: bool
) -> Any:
    """A module of one tensor, or one list of tensors, as an onnx.ModelProto whose inputs have these names.

    The example is of two pictures for `any_batch`.
    """
    one = {0: torch.export.Dim("pictures")}
    shapes = (one if isinstance(example, Tensor) else [one] * len(example),) if any_batch else None
    with GLOBAL_STATE, torch.no_grad(), quiet():
        module(example)  # whatever is worked out once is worked out now, with real numbers
        try:
            exported = torch.export.export(module, (example,), dynamic_shapes=shapes)
            program = torch.onnx.export(
                exported,
                dynamo=True,
                opset_version=OPSET,
                input_names=list(names),
                output_names=list(answers),
                verbose=False,
            )
        except Exception as error:  # of torch, of its exporter, of whatever layer refuses
            raise FlawsightError(f"this inspector has no form as a graph ({first_line(error)})") from error
    assert program is not None
    return program.model_proto


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Exporters and quantisers think aloud."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        try:
            yield
        finally:
            logging.disable(logging.NOTSET)
