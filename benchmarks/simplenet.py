"""Training time: our SimpleNet against anomalib's SuperSimpleNet on the same images, network and layers."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch

from benchmarks._anomalib import (
    import_all,
    load_weights,
    pair_blocks,
    peer_name,
    pre_processor,
    run_engine,
    seed_everything,
)
from benchmarks._inputs import CATEGORY, copied, files, good_paths
from benchmarks._measure import OURS_OVER_PEER, Row, Run, in_child, peak_mib
from flawsight.detectors import SimpleNet
from flawsight.features import DEFAULT_EXTRACTOR, Extractor
from flawsight.views import ImageCache

FORMS: dict[str, dict[str, Any]] = {"default sample": {}, "all descriptors": {"max_descriptors": None}}


def run(run: Run) -> Iterator[Row]:
    """From image files to a trained model, for a few epochs, each in a process of its own and without imports.

    Both learn from good images only, and nothing is validated. They are not the same method: the peer is SimpleNet
    with maps of twice the side, masks for its noise and a second head that scores images, and it runs the network
    again in every epoch.
    """
    assert run.data is not None
    count, side, epochs = run.size((140, 256, 5), (6, 128, 2))
    extractor = Extractor(image_size=side, device="cpu")
    grid = extractor.layer(extractor.default_pair[0])
    found: dict[str, list[dict]] = {name: [] for name in (*FORMS, "theirs")}
    with tempfile.TemporaryDirectory() as scratch:
        weights = Path(scratch, "weights.pth")
        torch.save(extractor.network.module.state_dict(), weights)
        folder = copied(good_paths(run.data / CATEGORY, count, run.seed), Path(scratch, "good"))
        peer = {
            "layers": pair_blocks(extractor),
            "mean": extractor.network.mean,
            "std": extractor.network.std,
            "weights": str(weights),
        }
        common = {"folder": str(folder), "image_size": side, "epochs": epochs, "seed": run.seed}
        for _ in range(run.repeat):
            for form, options in FORMS.items():
                found[form].append(in_child(ours, options=options, **common))
            found["theirs"].append(in_child(theirs, **common, **peer))
    settings = {"images": count, "image_size": side, "data": CATEGORY, "epochs": epochs, "layers": peer["layers"]}
    yield from rows(run, found, settings, count * grid.height * grid.width)


def rows(run: Run, found: dict[str, list[dict]], settings: dict[str, Any], descriptors: int) -> Iterator[Row]:
    who = peer_name(f"SuperSimpleNet, {settings['epochs']} epochs")
    for form in FORMS:
        seconds, memory = (
            (statistics.median(one[key] for one in found[form]), statistics.median(one[key] for one in found["theirs"]))
            for key in ("seconds", "peak_mib")
        )
        last = found[form][-1]
        note = f"ours learns from {last['learned_from']} of {descriptors} positions, the peer from {4 * descriptors}"
        shown = {"settings": settings, "details": {"ours": found[form], "theirs": found["theirs"]}}
        yield run.row("simplenet", f"{form}: time", seconds, "s", who, OURS_OVER_PEER, note=note, **shown)
        note = f"after imports, ours {last['imported_mib']:.0f} and the peer {found['theirs'][-1]['imported_mib']:.0f}"
        yield run.row(
            "simplenet", f"{form}: peak memory", memory, "MiB", who, OURS_OVER_PEER, note=f"{note} MiB", **shown
        )


def ours(folder: str, image_size: int, epochs: int, seed: int, options: dict[str, Any]) -> dict[str, Any]:
    paths, imported = files(folder), peak_mib()
    start = time.perf_counter()
    extractor = Extractor(image_size=image_size, device="cpu")
    layers = extractor.default_pair
    images = ImageCache(paths, image_size)
    detector = SimpleNet(epochs=epochs, seed=seed, **options)
    detector.fit([maps[name] for name in layers] for maps in extractor.batches(images, layers))
    seconds = time.perf_counter() - start
    positions = len(paths) * extractor.layer(layers[0]).height * extractor.layer(layers[0]).width
    most = detector.max_descriptors
    return {"seconds": seconds, "learned_from": min(positions, most or positions), "imported_mib": imported}


def theirs(
    folder: str,
    image_size: int,
    epochs: int,
    seed: int,
    weights: str,
    layers: list[str],
    mean: list[float],
    std: list[float],
) -> dict[str, Any]:
    import_all()
    from anomalib.models import Supersimplenet
    from anomalib.models.image.supersimplenet import torch_model

    state, imported = torch.load(weights, weights_only=True), peak_mib()
    with tempfile.TemporaryDirectory() as out:
        start = time.perf_counter()
        seed_everything(seed)
        # It has no parameter for a network without a download.
        offline = partial(torch_model.TimmFeatureExtractor, pre_trained=False)
        with patch.object(torch_model, "TimmFeatureExtractor", offline):
            model = Supersimplenet(
                backbone=DEFAULT_EXTRACTOR,
                layers=layers,
                pre_processor=pre_processor(image_size, mean, std),
                evaluator=False,
                visualizer=False,
            )
        load_weights(model.model.feature_extractor, state)
        engine, data = run_engine(model, folder, out, seed, max_epochs=epochs)
        seconds = time.perf_counter() - start
    assert engine.trainer.current_epoch == epochs
    return {"seconds": seconds, "batch_size": data.train_batch_size, "imported_mib": imported}
