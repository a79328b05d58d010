"""One pass over images, many detectors: the network runs once however many layers are read."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np
import torch

from flawsight.detectors.base import Detector
from flawsight.detectors.engine.cores import side_by_side
from flawsight.detectors.engine.training import Training
from flawsight.features import Extractor

LayerSet = tuple[str, ...]
"""The layers one detector reads, finest first."""
Progress = Callable[[float], None]
Features = dict[LayerSet, list[torch.Tensor]]
Answer = TypeVar("Answer")

BATCH = 2
"""Images a forward pass on a CPU: with more, feature maps fall out of its cache and each image takes longer."""
_BATCHES_BETWEEN_RELEASES = 8


class Reader(Protocol):
    """A detector and the layers it reads."""

    @property
    def layers(self) -> LayerSet:
        """The names of the layers, finest first."""

    @property
    def detector(self) -> Detector:
        """Who reads them."""


class Reading(NamedTuple):
    """A detector with the layers it reads."""

    layers: LayerSet
    detector: Detector


class Found(NamedTuple):
    """Grid maps (N, h, w) float32, and scores (N,) where the detector has its own way to score an image."""

    maps: np.ndarray
    scores: np.ndarray | None

    @classmethod
    def by(cls, detector: Detector, features: Sequence[torch.Tensor]) -> Found:
        """What the detector finds in a few images."""
        if not detector.scores_images:
            return cls(detector.anomaly_maps(features).float().cpu().numpy(), None)
        maps, scores = detector.maps_and_scores(features)
        return cls(maps.float().cpu().numpy(), scores.float().cpu().numpy())

    @classmethod
    def joined(cls, parts: Sequence[Found]) -> Found:
        """The same for the images of all parts together."""
        scores = [part.scores for part in parts if part.scores is not None]
        return cls(np.concatenate([part.maps for part in parts]), np.concatenate(scores) if scores else None)


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
    extractor.prepare(names)

    @torch.inference_mode()
    def one(start: int) -> Answer:
        indices = range(start, min(start + BATCH, len(images)))
        maps = extractor.extract(images[indices.start : indices.stop], names)
        return work(indices, {layers: [maps[name] for name in layers] for layers in layer_sets})

    starts = range(0, len(images), BATCH)
    for number, (start, answer) in enumerate(zip(starts, side_by_side(one, starts, extractor.device), strict=True)):
        yield answer
        if number % _BATCHES_BETWEEN_RELEASES == 0:
            release()
        if advance:
            advance(min(BATCH, len(images) - start))


def release() -> None:
    """Hand freed memory back to the system, where the C library keeps it for each thread (glibc)."""
    with suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


def collect(
    extractor: Extractor, images: Sequence[np.ndarray], readers: Sequence[Reader], advance: Progress | None = None
) -> None:
    """Start every detector and let it take its layers' features of the same images, from one pass."""
    for reader in readers:
        reader.detector.start()

    def read(indices: range, features: Features) -> list[Any]:
        return [reader.detector.read(features[reader.layers], indices.start) for reader in readers]

    for found in batches(extractor, images, [reader.layers for reader in readers], read, advance):
        for reader, part in zip(readers, found, strict=True):
            reader.detector.take(part)


def fit_detectors(
    extractor: Extractor,
    images: Sequence[np.ndarray],
    readers: Sequence[Reader],
    advance: Progress | None = None,
    trainings: Sequence[Training] | None = None,
) -> None:
    """Fit every detector on its layers' features of the same images, from one pass.

    `advance` is told each image, and as much again while they learn.
    """
    collect(extractor, images, readers, advance)
    jobs = list(zip(readers, trainings or [Training()] * len(readers), strict=True))
    units = len(images) / len(readers)
    for _ in side_by_side(lambda job: learn(job[0].detector, job[1], advance, units), jobs, extractor.device):
        pass


def learn(detector: Detector, training: Training, advance: Progress | None, units: float) -> Detector:
    """Let the detector learn from what it has taken; `advance` is told of `units` meanwhile."""
    if advance is None:
        return detector.finish(training)
    told = 0.0

    def tell(share: float) -> None:
        nonlocal told
        told += share
        advance(share * units)

    detector.finish(replace(training, advance=tell))
    tell(1 - told)  # all at once, where there is no training to follow
    return detector


def map_images(
    extractor: Extractor, images: Sequence[np.ndarray], readers: Sequence[Reader], advance: Progress | None = None
) -> list[Found]:
    """What every detector finds in the same images, from one pass."""

    def find(_: range, features: Features) -> list[Found]:
        return [Found.by(reader.detector, features[reader.layers]) for reader in readers]

    parts = list(batches(extractor, images, [reader.layers for reader in readers], find, advance))
    return [Found.joined(found) for found in zip(*parts, strict=True)]
