"""One image at a time: our inspector against anomalib's PatchCore."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import torch

from benchmarks._anomalib import fitted_torch_model, peer_name
from benchmarks._inputs import CATEGORY, good_paths
from benchmarks._measure import Row, Run, alternate
from flawsight.data import read_image
from flawsight.features import Extractor
from flawsight.inspection import Inspector
from flawsight.pipeline import fit
from flawsight.views import resize_image

BANK = 1000
NAMED, CUT = "PatchCore forward", "PatchCore forward, network cut by hand after the last layer it reads"


def run(run: Run) -> Iterator[Row]:
    """The default inspector, and one that reads the same pair of layers, against the peer with and without a cut.

    Ours starts from the picture and ends with a verdict and a map; the peer gets a tensor that is resized and
    normalised already.
    """
    assert run.data is not None
    count, side, shown = run.size((140, 256, 40), (12, 128, 8))
    paths = good_paths(run.data / CATEGORY, count + shown, run.seed)
    learned, unseen = paths[:count], [read_image(path) for path in paths[count:]]
    extractor = Extractor(image_size=side, device="cpu")
    squares = [resize_image(read_image(path), side) for path in learned]
    options = {"image_size": side, "seed": run.seed, "device": "cpu"}
    inspectors = {
        "default": fit(learned, **options),
        "the same pair of layers": fit(learned, fixed_layers=[extractor.default_pair], **options),
    }
    models = {name: fitted_torch_model(extractor, squares, BANK, name == CUT, run.seed) for name in (NAMED, CUT)}
    calls: dict[str, Callable[..., Any]] = {
        **{name: inspector.inspect for name, inspector in inspectors.items()},
        **{name: forward(model) for name, model in models.items()},
    }
    inputs = {name: unseen if name in inspectors else [extractor.preprocess([one]) for one in unseen] for name in calls}
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for index in range(-3, len(unseen)):  # the first three are the warm-up
        found = alternate({name: partial(calls[name], inputs[name][index]) for name in calls}, 1)
        for name in calls:
            seconds[name] += found[name].seconds if index >= 0 else []
    settings = {"images": len(unseen), "image_size": side, "data": CATEGORY, "learned_from": count, "bank": BANK}
    yield from rows(run, inspectors, seconds, settings)


def forward(model: torch.nn.Module) -> Callable[[torch.Tensor], Any]:
    def call(tensor: torch.Tensor) -> Any:
        with torch.inference_mode():
            return model(tensor)

    return call


def rows(
    run: Run, inspectors: dict[str, Inspector], seconds: dict[str, list[float]], settings: dict[str, Any]
) -> Iterator[Row]:
    for ours, inspector in inspectors.items():
        layers = [name for names in inspector.layers for name in names]
        note = f"ours reads {len(layers)} layers in {len(inspector.manifest.members)} members"
        for peer in (NAMED, CUT):
            figures = (1000 * np.median(seconds[ours]), 1000 * np.median(seconds[peer]))
            details = {"layers": layers, "ours_s": seconds[ours], "peer_s": seconds[peer]}
            yield run.row(
                "inference",
                f"{ours}: time",
                figures,
                "ms",
                peer_name(peer),
                note=note,
                settings=settings,
                details=details,
            )
