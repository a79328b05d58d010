"""What engines and peers say of real pictures: differences from torch, and P_h on the test set."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from benchmarks import _engines
from benchmarks._measure import OURS_OVER_PEER, Row, Run
from flawsight.data import Dataset, read_image
from flawsight.features import Extractor
from flawsight.inspection import Inspector, evaluate
from flawsight.runtime import Answers, GraphBackend, Samples, compared, load
from flawsight.runtime.parity import MAP_TOLERANCE, SCORE_TOLERANCE
from flawsight.views import resize_image


class PeerBackend:
    """The peer's graph in OpenVINO where our inspector has its own, so that both are evaluated by the same code."""

    name = "peer"

    def __init__(self, graph: Path, extractor: Extractor) -> None:
        self.call, self.extractor = _engines.in_openvino(graph, 1, "fp32", 2), extractor

    def predict(self, squares: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        found = [
            [np.array(one) for one in self.call(self.extractor.preprocess([square]).numpy())] for square in squares
        ]
        return np.concatenate([maps[:, 0] for maps, _ in found]), np.concatenate(
            [scores.reshape(-1) for _, scores in found]
        )


def quality_rows(run: Run, bundles: dict[str, Path], peers: dict[str, Path], dataset: Dataset) -> Iterator[Row]:
    """P_h on the test set, maps at each picture's own size, all in OpenVINO in full precision."""
    inspectors = {name: load(folder, backend="openvino") for name, folder in bundles.items()}
    manifest = next(iter(inspectors.values())).manifest
    extractor = Extractor(image_size=manifest.extractor.image_size, device="cpu")
    shown = dataset.select(split="test")
    if run.quick:
        dataset = Dataset(shown[:: len(shown) // 20], dataset.root, dataset.layout)
    ours = {name: evaluate(one, dataset, warn=str)["p_h"] for name, one in inspectors.items()}
    settings = {"test": len(dataset.select(split="test")), "resolution": "native"}
    for peer, graph in peers.items():
        theirs = evaluate(Inspector(PeerBackend(graph, extractor), manifest), dataset, warn=str)["p_h"]
        for name, figure in ours.items():
            figures = (100 * figure, 100 * theirs)
            yield run.row("inference", f"{name}: P_h", figures, "%", peer, OURS_OVER_PEER, settings=settings)


def parity_rows(run: Run, bundle: Path, dataset: Dataset, count: int, drawn: int) -> Iterator[Row]:
    """How far the engines are from torch on real pictures: half of them of the test set, half good and unseen.

    drawn: so many of `good_paths` are passed over, as learned or shown.
    """
    inspector = load(bundle, backend="torch")
    side = inspector.manifest.extractor.image_size
    rng = np.random.default_rng(run.seed)
    good, test = ([one.path for one in dataset.select(split=split)] for split in ("train", "test"))
    rest = rng.permutation(len(good))[drawn : drawn + count // 2]
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
