"""What engines and peers say of real pictures: differences from torch, and P_h on the test set."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn

from benchmarks import _engines
from benchmarks._measure import OURS_OVER_PEER, Row, Run
from flawsight.data import Dataset, read_image
from flawsight.features import Extractor
from flawsight.inspection import Inspector, evaluate
from flawsight.runtime import Answers, GraphBackend, Samples, compared, load
from flawsight.runtime.parity import MAP_TOLERANCE, SCORE_TOLERANCE
from flawsight.views import resize_image


class PeerBackend:
    """The peer's torch model where our inspector has its own, so that both are evaluated by the same code."""

    name = "peer"

    def __init__(self, model: nn.Module, extractor: Extractor) -> None:
        self.model, self.extractor = model, extractor

    def predict(self, squares: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        with torch.inference_mode():
            found = [self.model(self.extractor.preprocess([square])) for square in squares]
        maps = torch.cat([one.anomaly_map[:, 0] for one in found])
        return maps.numpy(), torch.cat([one.pred_score.reshape(-1) for one in found]).numpy()


def quality_rows(
    run: Run, inspectors: dict[str, Inspector], peers: dict[str, nn.Module], dataset: Dataset
) -> Iterator[Row]:
    """P_h on the test set, maps at each picture's own size."""
    assert run.data is not None
    first = next(iter(inspectors.values()))
    extractor = Extractor(image_size=first.manifest.extractor.image_size, device="cpu")
    shown = dataset.select(split="test")
    if run.quick:
        dataset = Dataset(shown[:: len(shown) // 20], dataset.root, dataset.layout)
    ours = {name: evaluate(one, dataset, warn=str)["p_h"] for name, one in inspectors.items()}
    settings = {"test": len(dataset.select(split="test")), "resolution": "native"}
    for peer, model in peers.items():
        theirs = evaluate(Inspector(PeerBackend(model, extractor), first.manifest), dataset, warn=str)["p_h"]
        for name, figure in ours.items():
            figures = (100 * figure, 100 * theirs)
            yield run.row("inference", f"{name}: P_h", figures, "%", peer, OURS_OVER_PEER, settings=settings)


def parity_rows(run: Run, bundle: Path, dataset: Dataset, count: int) -> Iterator[Row]:
    """How far the engines are from torch on real pictures: half of them good ones that were not learned."""
    inspector = load(bundle, backend="torch")
    side, learned = inspector.manifest.extractor.image_size, inspector.manifest.data.images
    rng = np.random.default_rng(run.seed)
    good, test = ([one.path for one in dataset.select(split=split)] for split in ("train", "test"))
    rest = rng.permutation(len(good))[learned : learned + count // 2]  # the first ones are those of `good_paths`
    paths = [sorted(good)[at] for at in rest] + [test[at] for at in rng.permutation(len(test))[: count // 2]]
    squares = [resize_image(read_image(path), side) for path in paths]
    samples = Samples(squares, [np.zeros((side, side), bool)] * len(squares), ("good",) * len(squares))
    torch_says = Answers.of(inspector.backend, samples, inspector.threshold)
    for name, backend in engines(bundle).items():
        found = compared(torch_says, Answers.of(backend, samples, inspector.threshold), samples)
        settings = {"images": len(squares), "image_size": side}
        bounds = {"scores": (found.score_difference, SCORE_TOLERANCE), "maps": (found.map_difference, MAP_TOLERANCE)}
        for answers, figures in bounds.items():
            what = f"default, {name}: largest difference of {answers} from torch"
            yield run.row("inference", what, figures, "", "what an export allows", OURS_OVER_PEER, settings=settings)
        what = f"default, {name}: other verdicts than torch"
        yield run.row("inference", what, (found.flips, 0), "", "torch", OURS_OVER_PEER, settings=settings)


def engines(bundle: Path) -> dict[str, GraphBackend]:
    """The bundle's graph in each engine; in bfloat16 only to say what that costs, for no bundle runs so."""
    found = {f"{name} fp32": load(bundle, backend=name).backend for name in ("onnxruntime", "openvino")}
    if _engines.is_bf16_here():
        call = _engines.in_openvino(bundle / "model.onnx", 1, "bf16", 2)
        found["openvino bf16"] = GraphBackend("openvino", lambda: call)
    return found  # type: ignore[return-value]
