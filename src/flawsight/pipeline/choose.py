"""Choosing members: which layers are read, by which detector, with which weight."""

from __future__ import annotations

from dataclasses import dataclass

from flawsight.core import INPUT
from flawsight.detectors import Detector
from flawsight.features import Extractor, select_layers, stage_ends
from flawsight.inference import MemberSpec
from flawsight.pipeline.defect_sources import DefectRecipe, anomaly_synthesis
from flawsight.pipeline.load_images import GoodImages
from flawsight.pipeline.plan import Plan
from flawsight.pipeline.record import Run
from flawsight.selection import LayerSelection
from flawsight.training import n_jobs


@dataclass(frozen=True, eq=False)
class Ensemble:
    """What is to be learned, and the search that chose it, if there was one."""

    members: tuple[MemberSpec, ...]
    selection: LayerSelection | None = None


def choose_members(plan: Plan, network: Extractor, good: GoodImages, recipe: DefectRecipe, run: Run) -> Ensemble:
    """The members, by the strategy for what the detectors read and whether layers were named."""
    strategy = _STRATEGIES[plan.tags.input, plan.fixed is not None]
    return strategy(plan, network, good, recipe, run)


def _searched(plan: Plan, network: Extractor, good: GoodImages, recipe: DefectRecipe, run: Run) -> Ensemble:
    """The best layers on synthetic defects."""
    settings = plan.settings
    selection = LayerSelection(
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
    )
    with run.timed("choosing layers"):
        key = good.key + recipe.sources_digest
        selection.fit(network, good.images, plan.work, cache_key=key, progress=run.progress)
    chosen = (MemberSpec((one.layer,), plan.detectors[one.detector], one.weight) for one in selection.selected_)
    return Ensemble(tuple(chosen), selection)


def _named(plan: Plan, network: Extractor, good: GoodImages, recipe: DefectRecipe, run: Run) -> Ensemble:
    """The layers that were named, in equal parts."""
    del good, recipe, run
    sets = _checked(plan, network)
    return Ensemble(tuple(MemberSpec(names, plan.detector, 1 / len(sets)) for names in sets))


def _whole_images(plan: Plan, network: Extractor, good: GoodImages, recipe: DefectRecipe, run: Run) -> Ensemble:
    """The images themselves."""
    del network, good, recipe, run
    return Ensemble((MemberSpec((INPUT,), plan.detector),))


def _stages(plan: Plan, network: Extractor, good: GoodImages, recipe: DefectRecipe, run: Run) -> Ensemble:
    """The images and the ends of the network's stages, or the layers that were named, with defects to learn from."""
    del run
    stages = (
        _checked(plan, network)[0] if plan.fixed else stage_ends(select_layers(network.layers, plan.settings.layers))
    )
    detector, names = plan.detector, (INPUT, *stages)
    if plan.tags.needs_defects:
        detector.attach(anomaly_synthesis(network, stages, good.images, recipe, plan.settings))
    if plan.settings.budget is not None:
        detector = _in_time(detector, network, good, names, 60 * plan.settings.budget)
    return Ensemble((MemberSpec(names, detector),))


_STRATEGIES = {
    ("features", False): _searched,
    ("features", True): _named,
    ("image", False): _whole_images,
    ("image+features", False): _stages,
    ("image+features", True): _stages,
}


def _checked(plan: Plan, network: Extractor) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(network.layer(name).name for name in names) for names in plan.fixed or ())


def _in_time(
    detector: Detector, network: Extractor, good: GoodImages, names: tuple[str, ...], seconds: float
) -> Detector:
    """The detector at the size and with the steps that so many seconds allow."""
    few = list(network.extract(good.images[:2], names).values())
    # The final training, and one for each part held out.
    together = n_jobs() if network.device.type == "cpu" else 1
    return detector.fit_to_time_budget(few, seconds / -(-(1 + detector.tags.cv_folds) // together))
