"""Choosing members: how pictures are seen, which layers are read, by which detector, with which weight."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from time import perf_counter
from typing import Any

from flawsight.core import INPUT, FlawsightError, Progress
from flawsight.defects import SIZED, defect_kinds, described_product
from flawsight.detectors import Detector
from flawsight.executors import Executor, open_executor
from flawsight.features import Extractor, is_spread, stage_ends
from flawsight.inference import MemberSpec
from flawsight.pipeline.defect_sources import LOOKED_AT, DefectRecipe, anomaly_synthesis
from flawsight.pipeline.load_images import OVERVIEW, GoodImages
from flawsight.pipeline.plan import Plan
from flawsight.pipeline.record import Run
from flawsight.pipeline.trust.smallest import smallest_in_pixels, warn_if_unseen
from flawsight.selection import LayerSelection
from flawsight.selection.memory import check_cut_pictures
from flawsight.selection.pictures import (
    Scenes,
    ViewTrial,
    best_trial,
    candidate_views,
    make_scenes,
    race_views,
    some_pictures,
)
from flawsight.selection.search import LARGEST_MAP
from flawsight.settings import FitSettings
from flawsight.training import n_jobs
from flawsight.views import View

COARSEST_OF_FEW = 16
"""Stride of the coarsest layer that is read where parts are too few to choose by."""


@dataclass(frozen=True, eq=False)
class Ensemble:
    """What is to be learned by which network from the good images as they are seen, and the search that chose it, if
    there was one, with what other views reached.
    """

    members: tuple[MemberSpec, ...]
    network: Extractor
    good: GoodImages
    selection: LayerSelection | None = None
    views: tuple[ViewTrial, ...] = ()


class Networks:
    """The plan's network for every image size, each made once, also for the fits that follow in this process."""

    def __init__(self, settings: FitSettings) -> None:
        self._settings = settings

    def at(self, side: int) -> Extractor:
        """The network for an image size."""
        settings = self._settings
        weights = settings.weights
        changed = weights.stat().st_mtime_ns if weights and weights.exists() else None
        seed = settings.seed if settings.has_random_weights else 0
        return _network(settings.extractor, weights, changed, side, settings.device, seed)


@lru_cache(maxsize=4)
def _network(name: str, weights: Path | None, changed: int | None, side: int, device: str, seed: int) -> Extractor:
    del changed  # another file of the same name is another network
    return Extractor(name, weights, side, device, seed=seed)


@contextmanager
def _workers(settings: FitSettings) -> Iterator[Executor | None]:
    """Who helps with the search, if anybody was asked."""
    if settings.workers is None and settings.ray is None:
        yield None
        return
    with open_executor(settings.workers, settings.ray) as executor:
        yield executor


def with_named_layers(plan: Plan, networks: Networks, progress: Progress) -> Plan:
    """The plan with names for the layers that are read without a search; FlawsightError where one is unknown.

    `evenly:N` is N members that read one layer each; a method that reads all its layers at once is one member.
    """
    if plan.searches or plan.tags.input == "image":
        return plan
    network = networks.at(plan.settings.sides[0])
    fixed: list[tuple[str, ...]] = []
    for names in plan.fixed or ():
        is_set = len(names) == 1 and is_spread(names[0])
        fixed += [(layer.name,) for layer in network.select(names[0], progress)] if is_set else [names]
    if plan.tags.input == "image+features":
        named = [name for names in fixed for name in names]
        fixed = [tuple(named) or stage_ends(network.select(plan.settings.layers, progress))]
    for names in fixed:
        network.prepare([network.layer(name).name for name in names])  # the input is no layer to name
    return replace(plan, fixed=tuple(fixed))


def choose_members(plan: Plan, networks: Networks, good: GoodImages, recipe: DefectRecipe, run: Run) -> Ensemble:
    """The members, by the strategy for what the detectors read and whether layers were named.

    `good` knows its region; its view is decided here.
    """
    views = _views(plan, good)
    if plan.searches and good.parts.is_few and plan.settings.latency_budget is not None:
        raise FlawsightError(
            f"--latency-budget needs a choice of layers, and {good.parts.count} different parts are too few for one: "
            "add pictures of other parts, or leave it out"
        )
    if plan.searches and not good.parts.is_few:
        with _workers(plan.settings) as executor:
            return _searched(plan, networks, good, recipe, replace(run, executor=executor), views)
    good = good.seen(views[0], good.region)
    network = networks.at(views[0].side)
    strategy = _few_parts if plan.searches else _STRATEGIES[plan.tags.input]
    return Ensemble(strategy(plan, network, good, recipe), network, good)


def _views(plan: Plan, good: GoodImages) -> list[View]:
    """What to try; pictures are squashed where nothing is said and nothing can be tried."""
    settings = plan.settings
    if settings.view == "auto" and (good.parts.is_few or not plan.searches):
        return [View("squash", settings.sides[0] if settings.sides else OVERVIEW)]
    views = candidate_views(settings, good.sizes, not plan.is_position_bound)
    cut = [view for view in views if view.kind == "tiles"]
    try:
        if cut:
            check_cut_pictures(good.sizes, good.paths, settings.max_memory)
    except FlawsightError:
        if settings.view == "tiles":
            raise
        return [view for view in views if view.kind != "tiles"]
    return views


def _searched(
    plan: Plan, networks: Networks, good: GoodImages, recipe: DefectRecipe, run: Run, views: Sequence[View]
) -> Ensemble:
    """The best view and the best layers on synthetic defects."""
    settings = plan.settings
    trials: list[ViewTrial] = []
    selection = _selection(settings, plan, recipe, good)
    for view in views:
        _ = good.seen(view, good.region).frames  # what does not fit the pictures is refused before long work
    good = good.seen(views[0], good.region)
    size = smallest_in_pixels(settings)
    warn_if_unseen(size, views, good)
    if len(views) == 1 and good.is_overview and size is None:
        return _searched_squares(plan, networks, good, recipe, run, selection)
    key = "".join([good.key, recipe.sources_digest, good.region.key if good.region else "", *map(repr, (size, *views))])
    start = perf_counter()
    with run.timed("planting defects"):
        scenes = _scenes(settings, good, recipe, views)
    view = views[0]
    if len(views) > 1:
        with run.timed("choosing the view"):
            trials = race_views(scenes, views, selection, networks.at, plan.work, key, run.progress, run.executor)
        view = best_trial(trials).view
    good = good.seen(view, good.region)
    if selection.budget:
        selection.set_params(budget=max(1.0, selection.budget - (perf_counter() - start)))
    if good.is_overview and size is None:
        return _searched_squares(plan, networks, good, recipe, run, selection, trials)
    with run.timed("choosing layers"):
        network = networks.at(view.side)
        seen = scenes.through(view)
        selection.fit(network, (), plan.work, key + repr(view), run.progress, seen, run.executor)
    return Ensemble(_chosen(plan, selection), network, good, selection, tuple(trials))


def _searched_squares(
    plan: Plan,
    networks: Networks,
    good: GoodImages,
    recipe: DefectRecipe,
    run: Run,
    selection: LayerSelection,
    trials: Sequence[ViewTrial] = (),
) -> Ensemble:
    """The best layers for pictures that are squashed, on defects in the squares."""
    with run.timed("choosing layers"):
        network, key = networks.at(good.images.side), good.key + recipe.sources_digest
        selection.fit(network, good.images, plan.work, key, run.progress, executor=run.executor)
    return Ensemble(_chosen(plan, selection), network, good, selection, tuple(trials))


def _selection(settings: FitSettings, plan: Plan, recipe: DefectRecipe, good: GoodImages) -> LayerSelection:
    return LayerSelection(
        plan.detectors,
        settings.layers,
        settings.defects,
        settings.search,
        settings.fuse,
        settings.seed,
        max_images=settings.max_images,
        finalists=settings.finalists,
        texture=settings.texture,
        foreground=settings.foreground,
        max_memory=settings.max_memory,
        budget=60 * settings.budget if settings.budget else None,
        defect_parameters=recipe.parameters,
        latency_budget=settings.latency_budget,
        first=settings.first,
        parts=None if good.parts.is_each_its_own else tuple(good.parts.of.tolist()),
    )


def _chosen(plan: Plan, selection: LayerSelection) -> tuple[MemberSpec, ...]:
    return tuple(
        MemberSpec(one.candidate.layers, one.candidate.reader(plan.detectors), one.weight)
        for one in selection.selected_
    )


def _scenes(settings: FitSettings, good: GoodImages, recipe: DefectRecipe, views: Sequence[View]) -> Scenes:
    """What all views are measured on: pictures in their own pixels, with the same defects."""
    is_exhaustive = settings.search == "exhaustive"
    most = len(good.paths) if is_exhaustive else settings.max_images
    pictures, numbers = some_pictures(good.pictures, most, settings.seed, good.parts.of)
    overviews = [good.images[int(number)] for number in numbers[:LOOKED_AT]]
    scenes = make_scenes(
        pictures,
        [good.sizes[number] for number in numbers],
        described_product(overviews, settings.seed, settings.texture, settings.foreground),
        views,
        _kinds_to_plant(settings, recipe),
        settings.seed,
        good.region,
        good.parts.of[numbers],
    )
    return scenes.without_originals() if is_exhaustive else scenes


def _kinds_to_plant(settings: FitSettings, recipe: DefectRecipe) -> dict[str, Mapping[str, Any]]:
    """Kinds of defects with their parameters: those asked for, or those that have the size asked for."""
    size = smallest_in_pixels(settings)
    if size is not None:
        return {kind: {"size": size} for kind in SIZED}
    return {kind: recipe.parameters.get(kind, {}) for kind in defect_kinds(settings.defects)}


def _named(plan: Plan, network: Extractor, good: GoodImages, recipe: DefectRecipe) -> tuple[MemberSpec, ...]:
    """The layers that were named, in equal parts."""
    del network, good, recipe
    sets = plan.fixed or ()
    return tuple(MemberSpec(names, plan.detector, 1 / len(sets)) for names in sets)


def _few_parts(plan: Plan, network: Extractor, good: GoodImages, recipe: DefectRecipe) -> tuple[MemberSpec, ...]:
    """What was best in the mean over many products, for parts too few to measure on: the layers at which the network's
    stages end, up to stride 16, without huge maps, read in all of the detector's ways, in equal parts.
    """
    del good, recipe
    detector = next(iter(plan.detectors.values()))
    readers = [detector, *detector.variants().values()]
    layers = network.select(plan.settings.layers)
    ends = stage_ends(layers) or (layers[-1].name,)
    small = [layer for layer in map(network.layer, ends) if layer.height <= LARGEST_MAP] or [network.layer(ends[-1])]
    names = [layer.name for layer in small if layer.stride <= COARSEST_OF_FEW] or [small[0].name]
    weight = 1 / (len(names) * len(readers))
    return tuple(MemberSpec((name,), reader, weight) for name in names for reader in readers)


def _whole_images(plan: Plan, network: Extractor, good: GoodImages, recipe: DefectRecipe) -> tuple[MemberSpec, ...]:
    """The images themselves."""
    del network, good, recipe
    return (MemberSpec((INPUT,), plan.detector),)


def _stages(plan: Plan, network: Extractor, good: GoodImages, recipe: DefectRecipe) -> tuple[MemberSpec, ...]:
    """The images and the layers that are read with them, with defects to learn from."""
    (stages,) = plan.fixed or ()
    detector, names = plan.detector, (INPUT, *stages)
    if plan.tags.needs_defects:
        detector.attach(anomaly_synthesis(network, stages, good.inputs, recipe, plan.settings))
    if plan.settings.budget is not None:
        detector = _in_time(detector, network, good, names, 60 * plan.settings.budget)
    return (MemberSpec(names, detector),)


_STRATEGIES = {"features": _named, "image": _whole_images, "image+features": _stages}


def _in_time(
    detector: Detector, network: Extractor, good: GoodImages, names: tuple[str, ...], seconds: float
) -> Detector:
    """The detector at the size and with the steps that so many seconds allow."""
    few = list(network.extract(good.inputs[:2], names).values())
    # The final training, and one for each part held out.
    together = n_jobs() if network.device.type == "cpu" else 1
    return detector.fit_to_time_budget(few, seconds / -(-(1 + detector.tags.cv_folds) // together))
