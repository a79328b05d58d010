"""Learning: members fitted on all good images, and every image seen by detectors fitted without its fold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from sklearn.base import clone

from flawsight.core import cache_key
from flawsight.data import augmented, folds
from flawsight.features import Extractor
from flawsight.inference import MemberSpec, feed, iter_features, learn, predict
from flawsight.inference.feature_pass import Advance, Features
from flawsight.pipeline.choose import Ensemble
from flawsight.pipeline.defect_sources import DefectRecipe
from flawsight.pipeline.load_images import GoodImages
from flawsight.pipeline.plan import Plan
from flawsight.pipeline.record import Run
from flawsight.scoring import RawPrediction
from flawsight.settings import DefectOptions, LearnOptions
from flawsight.training import TrainingContext, parallel_map


@dataclass(frozen=True, eq=False)
class CrossFit:
    """Members fitted on all good images.

    `held_out`: for each image what the members' detectors, fitted without its fold, find in it: a grid map (h, w) and
    their own score. `folds` is how many parts were held out in turn.
    """

    members: tuple[MemberSpec, ...]
    held_out: tuple[tuple[RawPrediction, ...], ...]
    folds: int


def learn_members(
    plan: Plan, network: Extractor, good: GoodImages, recipe: DefectRecipe, ensemble: Ensemble, run: Run
) -> CrossFit:
    """Learn from the good images, or from augmented copies of them; unfinished trainings go on.

    The progress counts each image in both passes, and as many steps again while the detectors learn.
    """
    settings, images = plan.settings, good.images
    copies = None
    if settings.augment:
        copies = augmented(images, settings.augment, settings.label_preserving, settings.seed)
    steps = (2 + max(1, settings.augment)) * len(images)
    members = [(one.layers, type(one.detector).__name__, one.detector.get_params()) for one in ensemble.members]
    weights = (network.name, network.image_size, network.weights_sha256)
    options = settings.slice(LearnOptions, DefectOptions), settings.seed
    key = cache_key(weights, members, good.key, recipe.kinds, recipe.sources_digest, options)
    training = TrainingContext(plan.work / key if plan.work else None)
    with run.progress.stage("Learning from all good images", steps) as advance:
        return cross_fit(network, images, ensemble.members, settings.seed, advance, training, copies)


def cross_fit(
    network: Extractor,
    images: Sequence[np.ndarray],
    members: Sequence[MemberSpec],
    seed: int,
    advance: Advance | None = None,
    training: TrainingContext | None = None,
    copies: Sequence[np.ndarray] | None = None,
) -> CrossFit:
    """Fit each member on all images, and ask of each image the detectors fitted without its fold.

    Two passes of the network: the first feeds the final detectors and those of all folds, the second maps each image
    with the detectors of its own fold. With `copies` these are learned from instead, of which number k is a copy of
    image k modulo the number of images; the copies of a fold are left out with it.
    """
    parts = folds(len(images), min(member.detector.tags.cv_folds for member in members), seed)
    fold_of = np.empty(len(images), int)
    for number, part in enumerate(parts):
        fold_of[part] = number
    fed = [member._replace(detector=clone(member.detector)) for member in members]
    feed(network, images if copies is None else copies, fed, advance)
    times = 1 if copies is None else len(copies) // len(images)
    left_out = [np.concatenate([part + turn * len(images) for turn in range(times)]) for part in parts]
    # The final detectors leave nobody out.
    final, *held_out = _learned(network, fed, [np.array([], int), *left_out], training, advance, len(images))
    found = _held_out(network, images, held_out, fold_of, advance)
    return CrossFit(tuple(final), tuple(found), len(parts))


def _learned(
    network: Extractor,
    fed: Sequence[MemberSpec],
    left_out: Sequence[np.ndarray],
    training: TrainingContext | None,
    advance: Advance | None,
    steps: int,
) -> list[list[MemberSpec]]:
    """For each part of the images, the members that learn from all the others; `advance` is told of `steps`."""
    jobs = [(part, member) for part in range(len(left_out)) for member in range(len(fed))]

    def fitted(job: tuple[int, int]) -> MemberSpec:
        part, member = job
        detector = fed[member].detector.leave_out(left_out[part])
        own = (training or TrainingContext()).part(f"{member}-{part}", 1 / len(jobs))
        return fed[member]._replace(detector=learn(detector, own, advance, steps / len(jobs)))

    learned = parallel_map(fitted, jobs, network.device)
    return [list(islice(learned, len(fed))) for _ in left_out]


def _held_out(
    network: Extractor,
    images: Sequence[np.ndarray],
    held_out: Sequence[Sequence[MemberSpec]],
    fold_of: np.ndarray,
    advance: Advance | None,
) -> list[tuple[RawPrediction, ...]]:
    """What the detectors of each image's own fold find in it: grid maps (h, w), and their own score of it."""

    def find(indices: range, features: Features) -> list[tuple[RawPrediction, ...]]:
        return [
            tuple(
                predict(member.detector, [values[row : row + 1] for values in features[member.layers]]).of_image(0)
                for member in held_out[fold_of[index]]
            )
            for row, index in enumerate(indices)
        ]

    sets = [member.layers for member in held_out[0]]
    return [image for batch in iter_features(network, images, sets, find, advance) for image in batch]
