"""Members: the fitted detectors whose surprise, averaged, is the inspector's map."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

import cv2
import numpy as np
import torch
from sklearn.base import clone

from flawsight.data import folds
from flawsight.detectors import Detector
from flawsight.detectors.engine.cores import side_by_side
from flawsight.detectors.engine.passes import Features, Found, LayerSet, Reading, batches, collect, learn
from flawsight.detectors.engine.training import Training
from flawsight.detectors.parts.maps import upsample
from flawsight.detectors.parts.surprise import ScoreScale, Surprise
from flawsight.features import Extractor

EXAMPLES = 3


@dataclass(frozen=True)
class Member:
    """One detector with the layers it reads, the scales of its maps and of its image scores, and its share of both."""

    layers: LayerSet
    detector: Detector
    surprise: Surprise
    score_scale: ScoreScale
    weight: float


class Share(NamedTuple):
    """What becomes a member: the layers, an unfitted detector to read them, and its share of the map."""

    layers: LayerSet
    detector: Detector
    weight: float


@dataclass(frozen=True)
class FittedMembers:
    """Members fitted on all good images, with what held-out good images look like to them.

    `held_out_scores` and `held_out_peaks` are each good image's score and its map's maximum, from detectors that had
    not seen it; `held_out_level` is the mean of those images' maps, and `held_out_maps` are the first few of them
    (side, side). `folds` is how many parts were held out in turn.
    """

    members: tuple[Member, ...]
    held_out_scores: np.ndarray
    held_out_peaks: np.ndarray
    held_out_level: float
    held_out_maps: list[np.ndarray]
    folds: int


def judge_image(found: Sequence[Found], members: Sequence[Member], side: int) -> tuple[np.ndarray, float]:
    """One image's map (side, side) and score, from what each member found in it (grid map (h, w), its own score).

    The map is the weighted mean of the members' surprise, upsampled and smoothed; the score is its maximum, as in the
    official evaluation (facts, section 7). Where a member scores images in its own way, the score is the weighted mean
    of the members' scores on a common scale.
    """
    surprises = [member.surprise(one.maps) for one, member in zip(found, members, strict=True)]
    total = np.zeros((side, side), np.float32)
    for surprise, member in zip(surprises, members, strict=True):
        total += np.float32(member.weight) * cv2.resize(surprise, (side, side), interpolation=cv2.INTER_LINEAR)
    fused = upsample(total, side)
    if not any(member.detector.scores_images for member in members):
        return fused, float(fused.max())
    score = 0.0
    for one, surprise, member in zip(found, surprises, members, strict=True):
        score += member.weight * float(member.score_scale(_own_score(one, surprise, side)))
    return fused, score


def _own_score(found: Found, surprise: np.ndarray, side: int) -> np.ndarray:
    return upsample(surprise, side).max() if found.scores is None else found.scores


def fit_members(
    extractor: Extractor,
    images: Sequence[np.ndarray],
    shares: Sequence[Share],
    seed: int,
    advance: Callable[[float], None] | None = None,
    training: Training | None = None,
    copies: Sequence[np.ndarray] | None = None,
) -> FittedMembers:
    """Fit one detector for each share on all images, and score each image by detectors fitted without its fold.

    Two passes of the network: the first feeds the final detectors and those of all folds, the second maps each image
    with the detectors of its own fold (cross-conformal calibration). `advance` is told of each image in both, and of
    as many steps again while the detectors learn. With `copies` these are learned from instead, of
    which number k is a copy of image k modulo the number of images; the copies of a fold are left out with it.
    """
    parts = folds(len(images), min(share.detector.folds for share in shares), seed)
    fold_of = np.empty(len(images), int)
    for number, part in enumerate(parts):
        fold_of[part] = number
    taken = [Reading(share.layers, clone(share.detector)) for share in shares]
    collect(extractor, images if copies is None else copies, taken, advance)
    times = 1 if copies is None else len(copies) // len(images)
    left_out = [np.concatenate([part + pass_ * len(images) for pass_ in range(times)]) for part in parts]
    parts_left_out = [np.array([], int), *left_out]  # the final detectors leave nobody out
    final, *held_out = _learned(taken, parts_left_out, extractor.device, training or Training(), advance, len(images))
    found = _held_out(extractor, images, held_out, fold_of, advance)
    members = tuple(
        _member(share, reading.detector, [one[number] for one in found], extractor.image_size)
        for number, (share, reading) in enumerate(zip(shares, final, strict=True))
    )
    scores, peaks, levels = np.empty(len(images)), np.empty(len(images)), np.empty(len(images))
    examples = []
    for index, one in enumerate(found):
        fused, scores[index] = judge_image(one, members, extractor.image_size)
        peaks[index], levels[index] = fused.max(), fused.mean()
        if index < EXAMPLES:
            examples.append(fused)
    return FittedMembers(members, scores, peaks, float(levels.mean()), examples, len(parts))


def _member(share: Share, detector: Detector, held_out: list[Found], side: int) -> Member:
    """A fitted detector with the scales that held-out images give it."""
    surprise = Surprise.of(one.maps for one in held_out)
    scores = np.array([_own_score(one, surprise(one.maps), side) for one in held_out])
    return Member(share.layers, detector, surprise, ScoreScale.of(scores), share.weight)


def _learned(
    taken: Sequence[Reading],
    left_out: Sequence[np.ndarray],
    device: torch.device,
    training: Training,
    advance: Callable[[float], None] | None,
    steps: int,
) -> list[list[Reading]]:
    """For each part of the images, the detectors that learn from all the others; `advance` is told of `steps`."""
    jobs = [(part, member) for part in range(len(left_out)) for member in range(len(taken))]

    def fitted(job: tuple[int, int]) -> Reading:
        part, member = job
        detector = taken[member].detector.without(left_out[part])
        own = training.part(f"{member}-{part}", 1 / len(jobs))
        return Reading(taken[member].layers, learn(detector, own, advance, steps / len(jobs)))

    learned = side_by_side(fitted, jobs, device)
    return [list(islice(learned, len(taken))) for _ in left_out]


def _held_out(
    extractor: Extractor,
    images: Sequence[np.ndarray],
    held_out: Sequence[Sequence[Reading]],
    fold_of: np.ndarray,
    advance: Callable[[float], None] | None,
) -> list[list[Found]]:
    """What the detectors of each image's own fold find in it: grid maps (h, w), and their own score of it."""

    def find(indices: range, features: Features) -> list[list[Found]]:
        return [
            [
                Found.by(reading.detector, [values[row : row + 1] for values in features[reading.layers]])
                for reading in held_out[fold_of[index]]
            ]
            for row, index in enumerate(indices)
        ]

    sets = [reading.layers for reading in held_out[0]]
    found = batches(extractor, images, sets, find, advance)
    return [[of_image(one, 0) for one in image] for batch in found for image in batch]


def of_image(found: Found, index: int) -> Found:
    """What was found in one of several images."""
    return Found(found.maps[index], None if found.scores is None else found.scores[index])
