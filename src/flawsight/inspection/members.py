"""Members: the fitted detectors whose surprise, averaged, is the inspector's map."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from sklearn.base import clone

from flawsight.data import folds
from flawsight.detectors import Detector
from flawsight.detectors.maps import upsample
from flawsight.detectors.passes import LayerSet, batches
from flawsight.detectors.surprise import Surprise
from flawsight.features import Extractor


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
    those images' maps.
    """

    members: tuple[Member, ...]
    held_out_scores: np.ndarray
    held_out_level: float


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
    final = {layers: clone(prototype) for layers in weights}
    held_out = [{layers: clone(prototype) for layers in weights} for _ in parts]
    with torch.inference_mode():
        _collect(extractor, images, final, held_out, fold_of, advance)
        grid_maps = _held_out_maps(extractor, images, held_out, fold_of, advance)
    members = tuple(
        Member(layers, final[layers], Surprise.of(maps[layers] for maps in grid_maps), weight)
        for layers, weight in weights.items()
    )
    side = extractor.image_size
    fused = [fuse_maps([maps[layers] for layers in weights], members, side) for maps in grid_maps]
    scores = np.array([image_score(square_map) for square_map in fused])
    return FittedMembers(members, scores, float(np.mean([square_map.mean() for square_map in fused])))


def _collect(
    extractor: Extractor,
    images: Sequence[np.ndarray],
    final: dict[LayerSet, Detector],
    held_out: list[dict[LayerSet, Detector]],
    fold_of: np.ndarray,
    advance: Callable[[int], None] | None,
) -> None:
    everyone = [final, *held_out]
    for detectors in everyone:
        for detector in detectors.values():
            detector.start()
    for indices, features in batches(extractor, images, list(final), advance):
        for layers, values in features.items():
            final[layers].collect(values)
            for number, detectors in enumerate(held_out):
                rows = torch.from_numpy(np.flatnonzero(fold_of[list(indices)] != number)).to(values[0].device)
                if len(rows):
                    detectors[layers].collect([value[rows] for value in values])
    for detectors in everyone:
        for detector in detectors.values():
            detector.finish()


def _held_out_maps(
    extractor: Extractor,
    images: Sequence[np.ndarray],
    held_out: list[dict[LayerSet, Detector]],
    fold_of: np.ndarray,
    advance: Callable[[int], None] | None,
) -> list[dict[LayerSet, np.ndarray]]:
    """Each image's grid maps by the detectors of its own fold."""
    found: list[dict[LayerSet, np.ndarray]] = []
    for indices, features in batches(extractor, images, list(held_out[0]), advance):
        for row, index in enumerate(indices):
            detectors = held_out[fold_of[index]]
            found.append(
                {
                    layers: detectors[layers].anomaly_maps([v[row : row + 1] for v in values])[0].float().cpu().numpy()
                    for layers, values in features.items()
                }
            )
    return found
