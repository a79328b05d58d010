"""One picture at a time and eight: our inspector in three engines, its network alone, and anomalib's PatchCore."""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from itertools import product
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
from flawsight.bundle import read_manifest
from flawsight.data import open_dataset, read_image
from flawsight.features import Extractor
from flawsight.pipeline import fit
from flawsight.views import resize_image

ROUNDS, BATCHES = 3, (1, 8)
WALL, PROCESSOR, WAITED = range(3)
THREADS = {2: WALL, 1: PROCESSOR}
"""What is told: how long a picture takes on two threads; on one what it costs, which other work does not change."""
BUSY = 0.05
BANK, SHARE, NEIGHBOURS = 1000, 0.1, 9
DEFAULT, PAIR = "default", "the same pair of layers"
SHIPS, SMALL, NO_BLUR, NETWORK = "peer_ships", "peer_small", "peer_no_blur", "network"
TARGETS = {
    (SHIPS, "fp32"): "4 times",
    (SMALL, "fp32"): "1.6 times",
    (SMALL, "bf16"): "not slower",
    (NETWORK, "fp32"): "within 2 times",
    ("torch", "fp32"): "2.5 times",
}
NOTE = "ours from the square picture to score and map; the peer from a tensor that is normalised already"
CHOSEN = "its bank chosen by our greedy k-center, the same objective, for its own takes hours"

Key = tuple[str, str, str, int, int]
Rounds = list[list[_engines.Times]]


def run(run: Run) -> Iterator[Row]:
    """What is compared is made first, then measured."""
    with tempfile.TemporaryDirectory() as folder:
        names = prepare(run, Path(folder))
        yield from rows(run, Path(folder), names)


def prepare(run: Run, folder: Path) -> dict[str, str]:
    """Bundles, graphs and pictures in a folder; what the table calls the graphs."""
    _, side, _ = size(run)
    learned, unseen = pictures(run)
    extractor = Extractor(image_size=side, device="cpu")
    options = {"image_size": side, "seed": run.seed, "device": "cpu"}
    inspector = fit(learned, folder / DEFAULT, **options)
    fit(learned, folder / PAIR, fixed_layers=[extractor.default_pair], **options)
    say("fitted")
    peers = peer_models(extractor, [resize_image(read_image(path), side) for path in learned], run.seed)
    say("the peer's banks are chosen")
    deepest = max(inspector.manifest.extractor.layers, key=lambda layer: layer.order).name
    squares = [resize_image(read_image(path), side) for path in unseen]
    write(folder, extractor, squares, {**peers, NETWORK: _engines.NetworkAlone(extractor, deepest)})
    return labels({name: len(model.memory_bank) for name, model in peers.items()}, deepest)


def rows(run: Run, folder: Path, names: dict[str, str]) -> Iterator[Row]:
    """Times in blocks that take turns, each engine in processes of its own; then P_h and whether engines agree."""
    assert run.data is not None
    count, side, shown = size(run)
    say("timing")
    times = measured(run, folder, [(1, 1), *((2, batch) for batch in BATCHES)])
    say("timed")
    settings = {"images": shown, "image_size": side, "data": CATEGORY, "learned_from": count}
    yield from time_rows(run, times, names, layers_of(folder), settings)
    yield decoding_row(run, Extractor(image_size=side, device="cpu"), pictures(run)[1])
    dataset = open_dataset(run.data / CATEGORY)
    yield from parity_rows(run, folder / DEFAULT, dataset, run.size(200, 20), count + shown)
    peers = {names[one]: folder / f"{one}_1.onnx" for one in (SHIPS, SMALL)}
    yield from quality_rows(run, {name: folder / name for name in (DEFAULT, PAIR)}, peers, dataset)


def size(run: Run) -> tuple[int, int, int]:
    """Pictures learned from, their side, and pictures shown."""
    return run.size((140, 256, 40), (12, 128, 8))


def pictures(run: Run) -> tuple[list[Path], list[Path]]:
    """Those learned from, and the unseen ones that are shown."""
    assert run.data is not None
    count, _, shown = size(run)
    paths = good_paths(run.data / CATEGORY, count + shown, run.seed)
    return paths[:count], paths[count:]


def layers_of(folder: Path) -> dict[str, list[str]]:
    """The layers that each bundle reads."""
    found = {name: read_manifest(folder / name).layers for name in (DEFAULT, PAIR)}
    return {name: [layer for some in layers for layer in some] for name, layers in found.items()}


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


def measured(run: Run, folder: Path, settings: Sequence[tuple[int, int]]) -> dict[Key, Rounds]:
    """The times of every run of each round, by engine, model, precision, batch and threads."""
    precisions = ["fp32", "bf16"] if _engines.is_bf16_here() else ["fp32"]
    bundles = {name: str(folder / name) for name in (DEFAULT, PAIR)}
    graphs = {name: str(folder / f"{name}.onnx") for name in (SHIPS, SMALL, NO_BLUR, NETWORK)}
    work = {
        "openvino": (bundles | graphs, precisions),
        "onnxruntime": (bundles, ["fp32"]),
        "torch": (bundles, ["fp32"]),
    }
    found: dict[Key, Rounds] = {}
    for _ in range(run.size(ROUNDS, 1)):
        for (threads, batch), (engine, (models, some)) in product(settings, work.items()):
            done = in_child(
                _engines.timed,
                engine=engine,
                models=models,
                inputs=str(folder / "inputs.npz"),
                precisions=some,
                batch=batch,
                threads=threads,
                runs=run.size(20, 3),
            )
            for name, values in done["ms"].items():
                model, precision = name.split(", ")
                found.setdefault((engine, model, precision, batch, threads), []).append(values)
    return found


def labels(sizes: dict[str, int], deepest: str) -> dict[str, str]:
    """How the table calls the graphs, by the sizes of their banks and the network's last layer."""
    cut = "PatchCore in OpenVINO, network cut"
    return {
        SHIPS: peer_name(f"{cut}, as it ships: a tenth ({sizes[SHIPS]:,}) and {NEIGHBOURS} neighbours"),
        SMALL: peer_name(f"{cut}, a bank of {sizes[SMALL]:,} and one neighbour"),
        NO_BLUR: peer_name(f"{cut}, a bank of {sizes[NO_BLUR]:,} and one neighbour, without its 33 x 33 blur"),
        NETWORK: f"our network alone in OpenVINO, cut after {deepest}",
    }


def time_rows(
    run: Run, times: dict[Key, Rounds], names: dict[str, str], layers: dict[str, list[str]], settings: dict[str, Any]
) -> Iterator[Row]:
    """Ours in OpenVINO against everything else of the same precision, batch and threads."""
    for key in [key for key in times if key[0] == "openvino" and key[1] in (DEFAULT, PAIR)]:
        _, ours, precision, batch, threads = key
        others: list[Key] = [("openvino", name, precision, batch, threads) for name in (SHIPS, SMALL)]
        if ours == DEFAULT:
            others += [("openvino", name, precision, batch, threads) for name in (NO_BLUR, NETWORK)]
        if precision == "fp32":
            others += [(engine, ours, precision, batch, threads) for engine in ("onnxruntime", "torch")]
        told = THREADS[threads]
        kind = "time a picture" if told == WALL else "processor time a picture, one thread"
        for other in others:
            name = other[1] if other[0] == "openvino" else other[0]
            yield run.row(
                "inference",
                f"{ours}, OpenVINO, {precision}, batch {batch}: {kind}",
                (median(times[key], told), median(times[other], told)),
                "ms",
                names.get(name, f"the same bundle in {name}"),
                OURS_OVER_PEER if name == NETWORK else "peer / ours",
                target=TARGETS.get((name, precision), "") if ours == DEFAULT and batch == 1 else "",
                note="; ".join(notes(name, told, [*times[key], *times[other]])),
                settings={**settings, "threads": threads},
                details={
                    "layers": layers[ours],
                    "ours_ms": spread(times[key], told),
                    "peer_ms": spread(times[other], told),
                },
            )


def notes(name: str, told: int, rounds: Rounds) -> Iterator[str]:
    """What a reader must know of a row."""
    if name.startswith("peer"):
        yield NOTE
        yield CHOSEN
    share = sum(one[WAITED] for some in rounds for one in some) / sum(one[WALL] for some in rounds for one in some)
    if told == WALL and share > BUSY:
        yield f"**disturbed**: threads waited for the processor for {share:.0%} of the time"


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


def median(rounds: Rounds, told: int) -> float:
    return statistics.median(one[told] for some in rounds for one in some)


def spread(rounds: Rounds, told: int) -> dict[str, Any]:
    """What stays of all the runs: the medians of the rounds, and how quick and slow they were at most."""
    values = [one[told] for some in rounds for one in some]
    least, p95, p99 = np.percentile(values, (0, 95, 99)).tolist()
    of_rounds = [median([some], told) for some in rounds]
    return {"runs": len(values), "of_rounds": of_rounds, "min": least, "p95": p95, "p99": p99}


def say(text: str) -> None:
    print(f"inference: {text}", file=sys.stderr, flush=True)
