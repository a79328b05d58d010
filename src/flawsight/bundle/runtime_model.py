"""What a manifest says of the exported graph and of the pictures by which it was compared with torch."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from flawsight.bundle.parts import Strict
from flawsight.metrics import OperatingPoint

GraphFormat = Literal["onnx", "openvino"]
Precision = Literal["fp32", "fp16", "int8"]


class SampleInfo(Strict):
    """The pictures in samples.png, one below the other, each with its mask at its right, and torch's answers.

    `kinds`: `good`, or the kind of synthetic defect. `scores`: torch's, in the same order.

    >>> samples = read_manifest(bundle).samples
    >>> len(samples.kinds) == len(samples.scores), samples.kinds[0]
    (True, 'good')
    """

    kinds: tuple[str, ...]
    scores: tuple[float, ...]


class Parity(Strict):
    """How far a runtime's answers on the samples are from torch's.

    Differences are shares of torch's value, or absolute where that is below 1. `flips` are other verdicts, by each
    side's own threshold. `p_h` on the samples (Eq. 3 of paper A), of torch and of the runtime; None where the samples
    show no defect.

    >>> parity = read_manifest(bundle).runtime.parity["onnxruntime"]
    >>> parity.flips, parity.score_difference < 1e-3
    (0, True)
    """

    images: int
    score_difference: float
    map_difference: float
    flips: int
    p_h_torch: float | None = None
    p_h: float | None = None


class RuntimeModel(Strict):
    """The graph in the bundle: its format, its numbers, how it compares with torch by backend.

    A graph of less than full precision has an operating point of its own and the calibration scores behind it.

    >>> model = read_manifest(bundle).runtime
    >>> model.format, model.precision, model.file
    ('onnx', 'fp32', 'model.onnx')
    """

    format: GraphFormat
    precision: Precision
    file: str
    parity: dict[str, Parity] = Field(default_factory=dict)
    operating_point: OperatingPoint | None = None
    calibration_scores: tuple[float, ...] = ()
