"""Learning: members fitted on all good images, and every image seen by detectors fitted without its fold."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from sklearn.base import clone

from flawsight.core import FlawsightError, cache_key
from flawsight.data import ORIENTATIONS, augmented, folds, turned
from flawsight.features import Extractor
from flawsight.inference import MemberSpec, feed, learn
from flawsight.inference.feature_pass import Advance
from flawsight.inference.held_out import FoldMember, aligned, find_held_out
from flawsight.pipeline.choose import Ensemble
from flawsight.pipeline.defect_sources import DefectRecipe
from flawsight.pipeline.load_images import GoodImages
from flawsight.pipeline.plan import Plan
from flawsight.pipeline.record import Run
from flawsight.scoring import RawPrediction
from flawsight.settings import DefectOptions, FitSettings, LearnOptions
from flawsight.training import TrainingContext, parallel_map
from flawsight.views import Chosen, Inputs

MOST_TILES = 2000
"""Tiles learned from, where pictures are cut into more; one of each picture at least."""
COPIES_OF_ONE, TRIES = 10, 10
"""Changed copies that stand for several pictures where there is one alone."""


@dataclass(frozen=True, eq=False)
class CrossFit:
    """Members fitted on all good images.

    `held_out`: for each input what the members' detectors, fitted without its picture's fold, find in it: a grid map
    (h, w) and their own score. `by_fold` are those members, `fold_of` (n,) says which of them have not seen a picture.
    `inputs` are the good pictures', or those of changed copies where there is one picture alone.
    """

    members: tuple[MemberSpec, ...]
    held_out: tuple[tuple[RawPrediction, ...], ...]
    by_fold: tuple[tuple[FoldMember, ...], ...]
    fold_of: np.ndarray
    inputs: Inputs

    @property
    def folds(self) -> int:
        """How many parts of the pictures were held out in turn."""
        return len(self.by_fold)


def learn_members(
    plan: Plan,
    network: Extractor,
    good: GoodImages,
    recipe: DefectRecipe,
    ensemble: Ensemble,
    run: Run,
    doubted: Collection[int] = (),
) -> CrossFit:
    """Learn from the good images, or from augmented copies of them; unfinished trainings go on.

    From those of the numbers `doubted` nobody learns, but they are judged.

    The progress counts each input in both passes, and as many steps again while the detectors learn.
    """
    settings = plan.settings
    inputs = good.inputs
    learned_from = _drawn(inputs, settings.seed)
    learned_from = learned_from[~np.isin(inputs.picture_of[learned_from], list(doubted))]
    source = _learned_from(Chosen(inputs, learned_from), settings, good.parts.is_few)
    judged = inputs if len(good.paths) > 1 else _changed(good, settings)
    of_detectors = len(learned_from) if judged is inputs else len(source)
    steps = len(source) + of_detectors + len(judged)
    members = [(one.layers, type(one.detector).__name__, one.detector.get_params()) for one in ensemble.members]
    weights = (network.name, network.image_size, network.weights_sha256)
    options = settings.slice(LearnOptions, DefectOptions), settings.seed
    key = cache_key(weights, members, good.input_key, recipe.kinds, recipe.sources_digest, options, *sorted(doubted))
    training = TrainingContext(plan.work / key if plan.work else None)
    title = "Looking again at suspects" if doubted else "Learning from all good images"
    with run.progress.stage(title, steps) as advance:
        if judged is not inputs:
            return _fit_on_one(network, source, judged, ensemble.members, advance, training)
        held_out = _held_out_together(good, len(inputs.frames), ensemble.members, settings.seed)
        return cross_fit(network, inputs, ensemble.members, held_out, advance, training, learned_from, source)


def _learned_from(chosen: Chosen, settings: FitSettings, is_few: bool) -> Sequence[np.ndarray]:
    """These inputs, or copies of them as was asked; of few parts in all orientations in which a part stays good."""
    if settings.augment:
        return augmented(chosen, settings.augment, settings.label_preserving, settings.seed)
    return turned(chosen, settings.label_preserving) if is_few else chosen


def _held_out_together(good: GoodImages, pictures: int, members: Sequence[MemberSpec], seed: int) -> list[np.ndarray]:
    """Folds of the pictures; all of a part in one, unless there is one part alone, of which nothing can be promised."""
    count = min(member.detector.tags.cv_folds for member in members)
    return folds(pictures, count, seed, good.parts.of if good.parts.count > 1 else None)


def _changed(good: GoodImages, settings: LearnOptions) -> Inputs:
    """Changed copies of the one picture: what is not learned from it can be judged by no other."""
    one = good.inputs
    given = np.asarray(one.pictures[0])
    # It is learned from in all orientations that are allowed: by these nothing can be judged.
    changes = set(settings.label_preserving) - set(ORIENTATIONS)
    # A change is made by chance: many of the copies are the picture itself, by which nothing can be judged either.
    made = augmented(one.pictures, TRIES * COPIES_OF_ONE, changes, seed=0)
    copies = [copy for image in made if not np.array_equal(copy := np.asarray(image), given)][:COPIES_OF_ONE]
    if len(copies) < COPIES_OF_ONE:
        raise FlawsightError(
            "one picture alone is judged by changed copies of it, and nothing changes it: allow more with "
            "--label-preserving, such as noise, or add pictures of other parts"
        )
    return Inputs(copies, one.frames * COPIES_OF_ONE)


def _fit_on_one(
    network: Extractor,
    source: Sequence[np.ndarray],
    judged: Inputs,
    members: Sequence[MemberSpec],
    advance: Advance,
    training: TrainingContext,
) -> CrossFit:
    """Fit each member on the one picture, and ask the same of what stands for others."""
    fed = [member._replace(detector=clone(member.detector)) for member in members]
    feed(network, source, fed, advance)
    (fitted,) = _learned(network, fed, [np.array([], int)], training, advance, len(source))
    fold_of = np.zeros(len(judged), int)
    same = tuple(FoldMember(member) for member in fitted)
    found = find_held_out(network, judged, [same], fold_of, advance)
    return CrossFit(tuple(fitted), tuple(found), (same,), fold_of[: len(judged.frames)], judged)


def _drawn(inputs: Inputs, seed: int) -> np.ndarray:
    """The inputs to learn from: all, or so many tiles of each picture, drawn by the seed."""
    pictures = len(inputs.frames)
    most = max(1, MOST_TILES // pictures)
    rng = np.random.default_rng(seed)
    parts = []
    for picture in range(pictures):
        numbers = np.array(inputs.of_picture(picture))
        parts.append(numbers if len(numbers) <= most else np.sort(rng.permutation(numbers)[:most]))
    return np.concatenate(parts)


def cross_fit(
    network: Extractor,
    inputs: Inputs,
    members: Sequence[MemberSpec],
    held_out: Sequence[np.ndarray],
    advance: Advance | None = None,
    training: TrainingContext | None = None,
    learned_from: np.ndarray | None = None,
    copies: Sequence[np.ndarray] | None = None,
) -> CrossFit:
    """Fit each member on all pictures, and ask of each picture the detectors fitted without its fold.

    `held_out`: the numbers of the pictures of each fold. Two passes of the network: the first feeds the final detectors
    and those of all folds, from the inputs of these numbers (default: all), the second maps each input with the
    detectors of its picture's fold. With `copies` these are learned from instead, of which number k is a copy of input
    k modulo their number; the copies of a fold are left out with it.
    """
    numbers = np.arange(len(inputs)) if learned_from is None else learned_from
    fold_of = np.empty(len(inputs.frames), int)
    for number, part in enumerate(held_out):
        fold_of[part] = number
    fold_of_input = fold_of[inputs.picture_of]
    fed = [member._replace(detector=clone(member.detector)) for member in members]
    source = copies if copies is not None else inputs if learned_from is None else Chosen(inputs, numbers)
    feed(network, source, fed, advance)
    fold_of_source = np.resize(fold_of_input[numbers], len(source))
    left_out = [np.flatnonzero(fold_of_source == number) for number in range(len(held_out))]
    # The final detectors leave nobody out.
    final, *of_folds = _learned(network, fed, [np.array([], int), *left_out], training, advance, len(numbers))
    by_fold = aligned(network, inputs, final, of_folds, fold_of_input, numbers)
    found = find_held_out(network, inputs, by_fold, fold_of_input, advance)
    return CrossFit(tuple(final), tuple(found), tuple(map(tuple, by_fold)), fold_of, inputs)


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
