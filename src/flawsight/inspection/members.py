"""Members: the fitted detectors whose surprise, averaged, is the inspector's map."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import cv2
import numpy as np
import torch
from sklearn.base import clone

from flawsight.data import folds
from flawsight.detectors import Detector
from flawsight.detectors.cores import side_by_side
from flawsight.detectors.maps import upsample
from flawsight.detectors.passes import Features, LayerSet, batches, collect
from flawsight.detectors.surprise import Surprise
from flawsight.features import Extractor

EXAMPLES = 3


@dataclass(frozen=True)
class Member:
    """One detector with the layers it reads, the scale that turns its maps into surprise, and its share of the map."""

    layers: LayerSet
    detector: Detector
    surprise: Surprise
    weight: float


@dataclass(frozen=True)
class FittedMembers:
    """Members fitted on all good images, with what held-out good images look like to them.

    `held_out_scores` are each good image's score from detectors that had not seen it; `held_out_level` is the mean of
    those images' maps, and `held_out_maps` are the first few of them (side, side).
    """

    members: tuple[Member, ...]
    held_out_scores: np.ndarray
    held_out_level: float
    held_out_maps: list[np.ndarray]


def fuse_maps(grid_maps: Sequence[np.ndarray], members: Sequence[Member], side: int) -> np.ndarray:
    """One image's map (side, side): the weighted mean of its members' surprise, upsampled and smoothed."""
    total = np.zeros((side, side), np.float32)
    for grid_map, member in zip(grid_maps, members, strict=True):
        surprise = cv2.resize(member.surprise(grid_map), (side, side), interpolation=cv2.INTER_LINEAR)
        total += np.float32(member.weight) * surprise
    return upsample(total, side)


def image_score(square_map: np.ndarray) -> float:
    """The score of an image: the maximum of its smoothed map, as in the official evaluation (facts, section 7)."""
    return float(square_map.max())


def fit_members(
    extractor: Extractor,
    images: Sequence[np.ndarray],
    weights: Mapping[LayerSet, float],
    prototype: Detector,
    fold_count: int,
    seed: int,
    advance: Callable[[int], None] | None = None,
) -> FittedMembers:
    """Fit one detector for each layer set on all images, and score each image by detectors fitted without its fold.

    `weights` gives each layer set's share of the map; they add up to 1.

    Two passes of the network: the first feeds the final detectors and those of all folds, the second maps each image
    with the detectors of its own fold (cross-conformal calibration).
    """
    parts = folds(len(images), fold_count, seed)
    fold_of = np.empty(len(images), int)
    for number, part in enumerate(parts):
        fold_of[part] = number
    taken = {layers: clone(prototype) for layers in weights}
    collect(extractor, images, taken, advance)
    final, *held_out = _learned(taken, [np.array([], int), *parts], extractor.device)
    grid_maps = _held_out_maps(extractor, images, held_out, fold_of, advance)
    members = tuple(
        Member(layers, final[layers], Surprise.of(maps[layers] for maps in grid_maps), weight)
        for layers, weight in weights.items()
    )
    scores, levels = np.empty(len(images)), np.empty(len(images))
    examples = []
    for index, maps in enumerate(grid_maps):
        fused = fuse_maps([maps[layers] for layers in weights], members, extractor.image_size)
        scores[index], levels[index] = image_score(fused), fused.mean()
        if index < EXAMPLES:
            examples.append(fused)
    return FittedMembers(members, scores, float(levels.mean()), examples)


def _learned(
    taken: Mapping[LayerSet, Detector], left_out: Sequence[np.ndarray], device: torch.device
) -> list[dict[LayerSet, Detector]]:
    """For each part of the images, the detectors that learn from all the others."""
    jobs = [(detector, part) for part in left_out for detector in taken.values()]
    learned = side_by_side(lambda job: job[0].without(job[1]).finish(), jobs, device)
    return [dict(zip(taken, islice(learned, len(taken)), strict=True)) for _ in left_out]


def _held_out_maps(
    extractor: Extractor,
    images: Sequence[np.ndarray],
    held_out: list[dict[LayerSet, Detector]],
    fold_of: np.ndarray,
    advance: Callable[[int], None] | None,
) -> list[dict[LayerSet, np.ndarray]]:
    """Each image's grid maps by the detectors of its own fold."""

    def maps_of(indices: range, features: Features) -> list[dict[LayerSet, np.ndarray]]:
        return [
            {
                layers: held_out[fold_of[index]][layers]
                .anomaly_maps([v[row : row + 1] for v in values])[0]
                .cpu()
                .numpy()
                for layers, values in features.items()
            }
            for row, index in enumerate(indices)
        ]

    found = batches(extractor, images, list(held_out[0]), maps_of, advance)
    return [maps for batch in found for maps in batch]
