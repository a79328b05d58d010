"""One pass over images, many detectors: the network runs once however many layers are read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import torch

from flawsight.detectors.base import Detector
from flawsight.features import Extractor

LayerSet = tuple[str, ...]
"""The layers one detector reads, finest first."""
Detectors = Mapping[LayerSet, Detector]
Progress = Callable[[int], None]

BATCH = 8


def batches(
    extractor: Extractor, images: Sequence[np.ndarray], layer_sets: Sequence[LayerSet], advance: Progress | None = None
) -> Iterator[tuple[range, dict[LayerSet, list[torch.Tensor]]]]:
    """The feature maps of each layer set, batch by batch, with the indices of the batch's images."""
    names = list(dict.fromkeys(name for layers in layer_sets for name in layers))
    for start in range(0, len(images), BATCH):
        batch = images[start : start + BATCH]
        maps = extractor.extract(batch, names)
        yield range(start, start + len(batch)), {layers: [maps[name] for name in layers] for layers in layer_sets}
        if advance:
            advance(len(batch))


@torch.inference_mode()
def fit_detectors(
    extractor: Extractor, images: Sequence[np.ndarray], detectors: Detectors, advance: Progress | None = None
) -> None:
    """Fit every detector on its layers' features of the same images, from one pass."""
    for detector in detectors.values():
        detector.start()
    for _, features in batches(extractor, images, list(detectors), advance):
        for layers, detector in detectors.items():
            detector.collect(features[layers])
    for detector in detectors.values():
        detector.finish()


@torch.inference_mode()
def map_images(
    extractor: Extractor, images: Sequence[np.ndarray], detectors: Detectors, advance: Progress | None = None
) -> dict[LayerSet, np.ndarray]:
    """Every detector's grid maps (N, h, w) float32 of the same images, from one pass."""
    found: dict[LayerSet, list[np.ndarray]] = {layers: [] for layers in detectors}
    for _, features in batches(extractor, images, list(detectors), advance):
        for layers, detector in detectors.items():
            found[layers].append(detector.anomaly_maps(features[layers]).float().cpu().numpy())
    return {layers: np.concatenate(parts) for layers, parts in found.items()}
