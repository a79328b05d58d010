"""One pass over images, many detectors: the network runs once however many layers are read."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch

from flawsight.detectors import Detector
from flawsight.features import Extractor
from flawsight.scoring import RawPrediction
from flawsight.training import TrainingContext, parallel_map

LayerSet = tuple[str, ...]
"""The layers one detector reads, finest first."""
Advance = Callable[[float], None]
Features = dict[LayerSet, list[torch.Tensor]]
Answer = TypeVar("Answer")

BATCH = 2
"""Images a forward pass on a CPU: with more, feature maps fall out of its cache and each image takes longer."""
_BATCHES_BETWEEN_RELEASES = 8


class MemberSpec(NamedTuple):
    """A detector, fitted or not, the layers it reads, and its weight in the whole.

    >>> member = MemberSpec(("blocks.2.1.add", "blocks.4.2.add"), fs.detectors.PatchCore(bank_size=50))
    >>> member.detector, member.weight
    (PatchCore(bank_size=50), 1.0)
    """

    layers: LayerSet
    detector: Detector
    weight: float = 1.0


def predict(detector: Detector, features: Sequence[torch.Tensor]) -> RawPrediction:
    """What the detector finds in a few images.

    >>> detector = fs.detectors.KNearest().fit(features)
    >>> found = predict(detector, features)
    >>> found.maps.shape, found.scores.shape
    ((12, 1, 1), (12,))
    """
    if not detector.tags.image_score:
        return RawPrediction(detector.anomaly_maps(features).float().cpu().numpy(), None)
    maps, scores = detector.maps_and_scores(features)
    return RawPrediction(maps.float().cpu().numpy(), scores.float().cpu().numpy())


def iter_features(
    extractor: Extractor,
    images: Sequence[np.ndarray],
    layer_sets: Sequence[LayerSet],
    work: Callable[[range, Features], Answer],
    advance: Advance | None = None,
) -> Iterator[Answer]:
    """`work(indices, features of each layer set)` of every batch of images, in order, side by side.

    >>> layers = ("blocks.2.1.add",)
    >>> shapes = iter_features(network, images, [layers], lambda indices, found: (indices, found[layers][0].shape))
    >>> next(shapes)
    (range(0, 2), torch.Size([2, 40, 8, 8]))
    """
    names = list(dict.fromkeys(name for layers in layer_sets for name in layers))
    # Tracing the network patches torch for a moment, and is not for several threads at once.
    extractor.prepare(names)

    @torch.inference_mode()
    def one(start: int) -> Answer:
        indices = range(start, min(start + BATCH, len(images)))
        maps = extractor.extract(images[indices.start : indices.stop], names)
        return work(indices, {layers: [maps[name] for name in layers] for layers in layer_sets})

    starts = range(0, len(images), BATCH)
    for number, (start, answer) in enumerate(zip(starts, parallel_map(one, starts, extractor.device), strict=True)):
        yield answer
        if number % _BATCHES_BETWEEN_RELEASES == 0:
            release()
        if advance:
            advance(min(BATCH, len(images) - start))


def release() -> None:
    """Hand freed memory back to the system, where the C library keeps it for each thread (glibc).

    >>> maps = np.zeros((64, 256, 256))
    >>> del maps
    >>> release()
    """
    with suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


def feed(
    extractor: Extractor, images: Sequence[np.ndarray], members: Sequence[MemberSpec], advance: Advance | None = None
) -> None:
    """Start every detector and let it take its layers' features of the same images, from one pass.

    >>> member = MemberSpec(("blocks.2.1.add",), fs.detectors.PatchCore(bank_size=50))
    >>> feed(network, images, [member])
    >>> member.detector.images_taken, member.detector.finalize().bank_.shape
    (12, torch.Size([50, 40]))
    """
    for member in members:
        member.detector.reset()

    def read(indices: range, features: Features) -> list[Any]:
        return [member.detector.embed(features[member.layers], indices.start) for member in members]

    for found in iter_features(extractor, images, [member.layers for member in members], read, advance):
        for member, part in zip(members, found, strict=True):
            member.detector.update(part)


def fit_detectors(
    extractor: Extractor,
    images: Sequence[np.ndarray],
    members: Sequence[MemberSpec],
    advance: Advance | None = None,
    trainings: Sequence[TrainingContext] | None = None,
) -> None:
    """Fit every detector on its layers' features of the same images, from one pass.

    `advance` is told each image, and as much again while they learn.

    >>> member = MemberSpec(("blocks.2.1.add",), fs.detectors.PatchCore(bank_size=50))
    >>> fit_detectors(network, images, [member])
    >>> member.detector.bank_.shape
    torch.Size([50, 40])
    """
    feed(extractor, images, members, advance)
    jobs = list(zip(members, trainings or [TrainingContext()] * len(members), strict=True))
    units = len(images) / len(members)
    for _ in parallel_map(lambda job: learn(job[0].detector, job[1], advance, units), jobs, extractor.device):
        pass


def learn(detector: Detector, training: TrainingContext, advance: Advance | None, units: float) -> Detector:
    """Let the detector learn from what it has taken; `advance` is told of `units` meanwhile.

    >>> member = MemberSpec(("blocks.2.1.add",), fs.detectors.PatchCore(bank_size=50))
    >>> feed(network, images, [member])
    >>> learn(member.detector, fs.training.TrainingContext(), advance=None, units=12).bank_.shape
    torch.Size([50, 40])
    """
    if advance is None:
        return detector.finalize(training)
    told = 0.0

    def tell(share: float) -> None:
        nonlocal told
        told += share
        advance(share * units)

    detector.finalize(replace(training, advance=tell))
    tell(1 - told)  # all at once, where there is no training to follow
    return detector


def predict_raw(
    extractor: Extractor, images: Sequence[np.ndarray], members: Sequence[MemberSpec], advance: Advance | None = None
) -> list[RawPrediction]:
    """What every detector finds in the same images, from one pass.

    >>> member = MemberSpec(("blocks.2.1.add",), fs.detectors.PatchCore(bank_size=50))
    >>> fit_detectors(network, images, [member])
    >>> [found.maps.shape for found in predict_raw(network, images[:3], [member])]
    [(3, 8, 8)]
    """

    def find(_: range, features: Features) -> list[RawPrediction]:
        return [predict(member.detector, features[member.layers]) for member in members]

    parts = list(iter_features(extractor, images, [member.layers for member in members], find, advance))
    return [RawPrediction.joined(found) for found in zip(*parts, strict=True)]
