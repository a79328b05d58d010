"""Checks of a detector's form as a graph."""

import numpy as np
import torch
from torch import Tensor, nn

from flawsight.detectors import Detector
from flawsight.export.graph import Answer
from flawsight.export.onnx_file import as_onnx
from flawsight.inference import MemberSpec
from flawsight.testing.data import Shapes, fresh, good, on, spread

TOLERANCE = 1e-3
"""Share of the range of the answers by which those of a graph may differ."""


@on("two")
def check_a_graph_gives_the_same_answers(detector: Detector, shapes: Shapes) -> None:
    """Who says that a graph can hold its answers gives the same in ONNX Runtime, for any number of images."""
    import onnxruntime

    if not detector.tags.exportable:
        return
    fitted = fresh(detector).fit(good(12, shapes))
    module, names = _Answers(fitted).eval(), [f"layer{number}" for number in range(len(shapes))]
    model = as_onnx(module, good(2, shapes, seed=1), names, ("maps", "scores"), any_batch=True)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    for count in (1, 5):
        queries = good(count, shapes, seed=2)
        inputs = {name: values.numpy() for name, values in zip(names, queries, strict=True)}
        found = session.run(None, {one.name: inputs[one.name] for one in session.get_inputs()})
        with torch.no_grad():
            expected = [fitted.anomaly_maps(queries), fitted.image_scores(queries)]
        for what, one, other in zip(("maps", "scores"), found, expected, strict=True):
            assert one.shape == tuple(other.shape), f"{what} of {count} images have shape {one.shape}"
            apart = np.abs(one - other.numpy()).max()
            allowed = TOLERANCE * max(spread(other), float(other.abs().max()))
            assert apart <= allowed, f"{what} differ by {apart:g} from torch's (allowed {allowed:g})"


class _Answers(nn.Module):
    """Feature maps to maps (N, h, w) and scores (N,)."""

    def __init__(self, detector: Detector) -> None:
        super().__init__()
        self.answer = Answer(MemberSpec(("layer",), detector))

    def forward(self, features: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Both answers."""
        maps, scores = self.answer(features)
        return maps, maps.flatten(1).amax(1) if scores is None else scores
