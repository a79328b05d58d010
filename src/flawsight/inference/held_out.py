"""What detectors say of pictures that they have not seen, on the final detectors' scale."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from flawsight.core import spread
from flawsight.detectors import FeatureMaps
from flawsight.features import Extractor
from flawsight.inference.feature_pass import Advance, Features, MemberSpec, iter_features, predict, predict_raw
from flawsight.scoring import Alignment, RawPrediction
from flawsight.views import Chosen, Inputs

ALIGNED_BY = 64
"""Inputs by which two trainings are put on one scale, at most."""


class FoldMember(NamedTuple):
    """A member that has not seen a fold of the pictures, and how its answers become those of the final one."""

    member: MemberSpec
    alignment: Alignment | None = None

    def find(self, features: FeatureMaps) -> RawPrediction:
        """Its answers (N, h, w) and (N,) about a batch of images, from its layers' maps."""
        found = predict(self.member.detector, features)
        return found if self.alignment is None else self.alignment(found)


def aligned(
    network: Extractor,
    inputs: Inputs,
    final: Sequence[MemberSpec],
    of_folds: Sequence[Sequence[MemberSpec]],
    fold_of: np.ndarray,
    learned_from: np.ndarray,
) -> list[list[FoldMember]]:
    """The folds' members; those whose scale varies from one training to the next, with their alignment.

    It is measured on some of the inputs of the numbers `learned_from`, for each fold on those that are not of it:
    both trainings have learned from them. `fold_of` (n,) are all inputs' folds.
    """
    numbers = learned_from[spread(len(learned_from), ALIGNED_BY)]
    varying = [number for number, member in enumerate(final) if member.detector.tags.scale_varies]

    def of_fold(fold: int, members: Sequence[MemberSpec]) -> list[FoldMember]:
        if not varying:
            return [FoldMember(member) for member in members]
        images = Chosen(inputs, numbers[fold_of[numbers] != fold])
        both = [some[number] for some in (members, final) for number in varying]
        found = predict_raw(network, images, both)
        scales = dict(zip(varying, map(Alignment.of, found, found[len(varying) :]), strict=True))
        return [FoldMember(member, scales.get(number)) for number, member in enumerate(members)]

    return [of_fold(fold, members) for fold, members in enumerate(of_folds)]


def find_held_out(
    network: Extractor,
    images: Sequence[np.ndarray],
    held_out: Sequence[Sequence[FoldMember]],
    fold_of: np.ndarray,
    advance: Advance | None,
) -> list[tuple[RawPrediction, ...]]:
    """What the detectors of each image's own fold find in it: grid maps (h, w), and their own score of it."""

    def find(indices: range, features: Features) -> list[tuple[RawPrediction, ...]]:
        return [
            tuple(
                one.find([values[row : row + 1] for values in features[one.member.layers]]).of_image(0)
                for one in held_out[fold_of[index]]
            )
            for row, index in enumerate(indices)
        ]

    sets = [one.member.layers for one in held_out[0]]
    return [image for batch in iter_features(network, images, sets, find, advance) for image in batch]
