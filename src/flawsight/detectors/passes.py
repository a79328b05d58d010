"""One pass over images, many detectors: the network runs once however many layers are read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
import torch

from flawsight.detectors.base import Detector
from flawsight.detectors.cores import side_by_side
from flawsight.features import Extractor

LayerSet = tuple[str, ...]
"""The layers one detector reads, finest first."""
Detectors = Mapping[LayerSet, Detector]
Progress = Callable[[int], None]

Features = dict[LayerSet, list[torch.Tensor]]
Answer = TypeVar("Answer")

BATCH = 2
"""Images a forward pass on a CPU: with more, feature maps fall out of its cache and each image takes longer."""


def batches(
    extractor: Extractor,
    images: Sequence[np.ndarray],
    layer_sets: Sequence[LayerSet],
    work: Callable[[range, Features], Answer],
    advance: Progress | None = None,
) -> Iterator[Answer]:
    """`work(indices, features of each layer set)` of every batch of images, in order, side by side."""
    names = list(dict.fromkeys(name for layers in layer_sets for name in layers))
    # Tracing the network patches torch for a moment, and is not for several threads at once.
    for name in names:
        extractor.layer(name)
    extractor.truncated(names)

    @torch.inference_mode()
    def one(start: int) -> Answer:
        indices = range(start, min(start + BATCH, len(images)))
        maps = extractor.extract(images[indices.start : indices.stop], names)
        return work(indices, {layers: [maps[name] for name in layers] for layers in layer_sets})

    starts = range(0, len(images), BATCH)
    for start, answer in zip(starts, side_by_side(one, starts, extractor.device), strict=True):
        yield answer
        if advance:
            advance(min(BATCH, len(images) - start))


def collect(
    extractor: Extractor, images: Sequence[np.ndarray], detectors: Detectors, advance: Progress | None = None
) -> None:
    """Start every detector and let it take its layers' features of the same images, from one pass."""
    for detector in detectors.values():
        detector.start()

    def read(indices: range, features: Features) -> dict[LayerSet, Any]:
        return {layers: detector.read(features[layers], indices.start) for layers, detector in detectors.items()}

    for found in batches(extractor, images, list(detectors), read, advance):
        for layers, detector in detectors.items():
            detector.take(found[layers])


def fit_detectors(
    extractor: Extractor, images: Sequence[np.ndarray], detectors: Detectors, advance: Progress | None = None
) -> None:
    """Fit every detector on its layers' features of the same images, from one pass."""
    collect(extractor, images, detectors, advance)
    for _ in side_by_side(lambda detector: detector.finish(), detectors.values(), extractor.device):
        pass


def map_images(
    extractor: Extractor, images: Sequence[np.ndarray], detectors: Detectors, advance: Progress | None = None
) -> dict[LayerSet, np.ndarray]:
    """Every detector's grid maps (N, h, w) float32 of the same images, from one pass."""

    def maps_of(_: range, features: Features) -> dict[LayerSet, np.ndarray]:
        return {
            layers: detector.anomaly_maps(features[layers]).float().cpu().numpy()
            for layers, detector in detectors.items()
        }

    parts = list(batches(extractor, images, list(detectors), maps_of, advance))
    return {layers: np.concatenate([part[layers] for part in parts]) for layers in detectors}
