"""One picture at a time and eight: our inspector in three engines, its network alone, and anomalib's PatchCore."""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from benchmarks import _engines
from benchmarks._anomalib import embeddings, peer_name, torch_model, with_bank
from benchmarks._inputs import CATEGORY, good_paths
from benchmarks._measure import OURS_OVER_PEER, Row, Run, in_child
from benchmarks._quality import parity_rows, quality_rows
from flawsight.data import open_dataset, read_image
from flawsight.features import Extractor
from flawsight.pipeline import fit
from flawsight.views import resize_image

THREADS, ROUNDS, BATCHES = 2, 3, (1, 8)
BANK, SHARE, NEIGHBOURS = 1000, 0.1, 9
DEFAULT, PAIR = "default", "the same pair of layers"
SHIPS, SMALL, NO_BLUR, NETWORK = "peer_ships", "peer_small", "peer_no_blur", "network"
TARGETS = {
    (SHIPS, "fp32"): "4 times",
    (SMALL, "fp32"): "1.6 times",
    (SMALL, "bf16"): "not slower",
    (NETWORK, "fp32"): "within 2 times",
}
NOTE = "ours from the square picture to score and map; the peer from a tensor that is normalised already"
CHOSEN = "its bank chosen by our greedy k-center, the same objective, for its own takes hours"


def run(run: Run) -> Iterator[Row]:
    """Times in blocks that take turns, each engine in processes of its own; then P_h and whether engines agree."""
    assert run.data is not None
    count, side, shown = run.size((140, 256, 40), (12, 128, 8))
    paths = good_paths(run.data / CATEGORY, count + shown, run.seed)
    extractor = Extractor(image_size=side, device="cpu")
    squares = [resize_image(read_image(path), side) for path in paths]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        options = {"image_size": side, "seed": run.seed, "device": "cpu"}
        inspectors = {
            DEFAULT: fit(paths[:count], folder / "default", **options),
            PAIR: fit(paths[:count], folder / "pair", fixed_layers=[extractor.default_pair], **options),
        }
        say("fitted")
        peers = peer_models(extractor, squares[:count], run.seed)
        say("peer's banks chosen")
        deepest = max(inspectors[DEFAULT].manifest.extractor.layers, key=lambda layer: layer.order)
        networks = {NETWORK: _engines.NetworkAlone(extractor, deepest.name)}
        unseen = squares[count:]
        write(folder, extractor, unseen, peers | networks)
        say("timing")
        times = measured(run, folder, len(unseen))
        say("timed")
        names = labels(peers, deepest.name)
        settings = {"images": len(unseen), "image_size": side, "data": CATEGORY, "learned_from": count}
        layers = {ours: [name for some in one.layers for name in some] for ours, one in inspectors.items()}
        yield from time_rows(run, times, names, layers, settings | {"threads": THREADS})
        yield decoding_row(run, extractor, paths[count:])
        dataset = open_dataset(run.data / CATEGORY)
        yield from parity_rows(run, folder / "default", dataset, run.size(200, 20))
        yield from quality_rows(run, inspectors, {names[one]: peers[one] for one in (SHIPS, SMALL)}, dataset)


def peer_models(extractor: Extractor, squares: list[np.ndarray], seed: int) -> dict[str, nn.Module]:
    """The peer as it ships; with a bank of our size and one neighbour; and the same without its blur."""
    model = torch_model(extractor)
    descriptors = embeddings(model, extractor, squares)
    ships = with_bank(model, descriptors, int(SHARE * len(descriptors)), NEIGHBOURS, seed)
    small, sharp = (with_bank(model, descriptors, BANK, 1, seed) for _ in range(2))
    sharp.anomaly_map_generator.blur = nn.Identity()
    return {SHIPS: ships, SMALL: small, NO_BLUR: sharp}


def write(folder: Path, extractor: Extractor, unseen: list[np.ndarray], models: dict[str, nn.Module]) -> None:
    """The pictures, as ours and the peer take them, and every model as a graph for each batch."""
    stack, tensors = np.stack(unseen), extractor.preprocess(unseen)
    np.savez(folder / "inputs.npz", squares=stack, tensors=tensors.numpy())
    for name, model in models.items():
        is_peer = name.startswith("peer")
        whole = _engines.MapAndScore(model) if is_peer else model
        for batch in BATCHES:
            example = tensors[:batch] if is_peer else torch.from_numpy(stack[:batch])
            _engines.export(whole, example, folder / f"{name}_{batch}.onnx")


def measured(run: Run, folder: Path, shown: int) -> dict[str, list[list[float]]]:
    """Milliseconds a picture of every run of each round, by "engine, model, precision, batch"."""
    precisions = ["fp32", "bf16"] if _engines.is_bf16_here() else ["fp32"]
    bundles = {DEFAULT: str(folder / "default"), PAIR: str(folder / "pair")}
    graphs = {name: str(folder / f"{name}.onnx") for name in (SHIPS, SMALL, NO_BLUR, NETWORK)}
    work = {
        "openvino": (bundles | graphs, precisions),
        "onnxruntime": (bundles, ["fp32"]),
        "torch": (bundles, ["fp32"]),
    }
    found: dict[str, list[list[float]]] = {}
    for _ in range(ROUNDS):
        for engine, (models, some) in work.items():
            done = in_child(
                _engines.timed,
                engine=engine,
                models=models,
                inputs=str(folder / "inputs.npz"),
                precisions=some,
                batches=list(BATCHES),
                threads=THREADS,
                runs=run.size(20, 3),
            )
            for name, values in done["ms"].items():
                found.setdefault(f"{engine}, {name}", []).append(values)
    return found


def labels(peers: dict[str, nn.Module], deepest: str) -> dict[str, str]:
    """How the table calls them."""
    sizes: dict[str, int] = {name: len(model.memory_bank) for name, model in peers.items()}  # type: ignore[arg-type]
    cut = "PatchCore in OpenVINO, network cut"
    return {
        SHIPS: peer_name(f"{cut}, as it ships: a tenth ({sizes[SHIPS]:,}) and {NEIGHBOURS} neighbours"),
        SMALL: peer_name(f"{cut}, a bank of {sizes[SMALL]:,} and one neighbour"),
        NO_BLUR: peer_name(f"{cut}, a bank of {sizes[NO_BLUR]:,} and one neighbour, without its 33 x 33 blur"),
        NETWORK: f"our network alone in OpenVINO, cut after {deepest}",
    }


def time_rows(
    run: Run,
    times: dict[str, list[list[float]]],
    names: dict[str, str],
    layers: dict[str, list[str]],
    settings: dict[str, Any],
) -> Iterator[Row]:
    """Ours in OpenVINO against everything else of the same precision and batch."""
    for key in [key for key in times if key.startswith(("openvino, default", "openvino, the same"))]:
        _, ours, precision, size = key.split(", ")
        others = {f"openvino, {name}, {precision}, {size}": name for name in (SHIPS, SMALL)}
        if ours == DEFAULT:
            others |= {f"openvino, {name}, {precision}, {size}": name for name in (NO_BLUR, NETWORK)}
        if precision == "fp32":
            others |= {f"{engine}, {ours}, fp32, {size}": engine for engine in ("onnxruntime", "torch")}
        for other, name in others.items():
            target = TARGETS.get((name, precision), "2.5 times" if name == "torch" else "")
            yield run.row(
                "inference",
                f"{ours}, OpenVINO, {precision}, batch {size}: time a picture",
                (median(times[key]), median(times[other])),
                "ms",
                names.get(name, f"the same bundle in {name}"),
                OURS_OVER_PEER if name == NETWORK else "peer / ours",
                target=target if ours == DEFAULT and size == "1" else "",
                note=f"{NOTE}; {CHOSEN}" if name.startswith("peer") else f"ours reads {len(layers[ours])} layers",
                settings=settings,
                details={"layers": layers[ours], "ours_ms": spread(times[key]), "peer_ms": spread(times[other])},
            )


def decoding_row(run: Run, extractor: Extractor, paths: list[Path]) -> Row:
    """From a file to the network's input, which the other rows leave out."""
    network = extractor.network
    found = in_child(
        _engines.decoding,
        paths=[str(path) for path in paths],
        side=extractor.image_size,
        mean=list(network.mean),
        std=list(network.std),
    )
    note = "JPEG; ours to the square picture, the peer to its tensor, with its own reader and transform; one thread"
    what = "a file decoded and resized"
    return run.row("inference", what, (found["ours"], found["peer"]), "ms", peer_name("read_image"), note=note)


def median(rounds: list[list[float]]) -> float:
    return statistics.median(value for values in rounds for value in values)


def spread(rounds: list[list[float]]) -> dict[str, Any]:
    """What stays of all the runs: the medians of the rounds, and how slow the slowest were."""
    values = [value for one in rounds for value in one]
    low, p95, p99 = np.percentile(values, (0, 95, 99)).tolist()
    return {
        "runs": len(values),
        "of_rounds": [statistics.median(one) for one in rounds],
        "min": low,
        "p95": p95,
        "p99": p99,
    }


def say(text: str) -> None:
    print(f"inference: {text}", file=sys.stderr, flush=True)
