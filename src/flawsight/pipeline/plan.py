"""Plan: what a fit will do, refused before any work begins where it makes no sense."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from flawsight.bundle import prepare_folder
from flawsight.core import FlawsightError
from flawsight.data import check_label_preserving
from flawsight.defects import SIZED, defect_kinds
from flawsight.detectors import Detector, DetectorTags, detector_name, make_detectors
from flawsight.features import EXTRACTORS
from flawsight.inference import LayerSet
from flawsight.pipeline.trust.smallest import smallest_in_pixels
from flawsight.settings import (
    DefectOptions,
    ExtractorOptions,
    FitSettings,
    SearchOptions,
    WorkerOptions,
    flag_of,
)

WORK_FOLDER = ".search"


@dataclass(frozen=True, eq=False)
class Plan:
    """Unfitted detectors by name, what they are, the kinds of defects to make, the layers that were named, if any.

    `folder` is where the bundle goes; in `work` a search and trainings keep what they have, to go on from there.
    """

    settings: FitSettings
    detectors: Mapping[str, Detector]
    tags: DetectorTags
    kinds: tuple[str, ...]
    fixed: tuple[LayerSet, ...] | None
    folder: Path | None
    work: Path | None = None

    @property
    def searches(self) -> bool:
        """Whether layers are to be chosen."""
        return self.tags.input == "features" and self.fixed is None

    @property
    def is_position_bound(self) -> bool:
        """Whether some method learns what is usual at each place, so that tiles of all places cannot be mixed."""
        return any(detector.tags.position_bound for detector in self.detectors.values())

    @property
    def without_graph(self) -> str:
        """Why bundles will run in torch alone, where a method has no form as a graph; empty where they need not."""
        names = [name for name, detector in self.detectors.items() if not detector.tags.exportable]
        if not names or self.folder is None or self.settings.export == "none":
            return ""
        return f"the method '{', '.join(names)}' has no form as a graph: this bundle will run in torch alone"

    @property
    def detector(self) -> Detector:
        """The one detector, where several make no sense."""
        (one,) = self.detectors.values()
        return one


def make_plan(settings: FitSettings, work: Path | None = None) -> Plan:
    """Check that the options go together; FlawsightError says which do not. `work`: where what is begun is kept."""
    check_label_preserving(settings.label_preserving)
    fixed = settings.fixed_layers
    if fixed is not None and not (len(fixed) and all(fixed)):
        raise FlawsightError("fixed_layers must name at least one layer for each member: leave it out to search")
    detectors = _detectors(settings)
    tags = _common_tags(detectors, fixed)
    plan = Plan(settings, detectors, tags, (), fixed, None)
    _refuse_unusable(plan)
    _refuse_views(plan)
    kinds = _kinds(settings, tags) if plan.searches or tags.needs_defects else ()
    folder = None if settings.out is None else prepare_folder(settings.out, settings.overwrite)
    if folder and not work:
        work = folder / WORK_FOLDER
    return Plan(settings, detectors, tags, kinds, fixed, folder, work)


def _detectors(settings: FitSettings) -> dict[str, Detector]:
    """By name; a detector that was made in Python is taken as it is."""
    given = settings.detector
    if isinstance(given, Detector):
        if settings.parameter:
            raise FlawsightError("a detector that is made already takes no parameters: set them on it")
        return {detector_name(given) if settings.out else type(given).__name__.lower(): given}
    names = ",".join(given) if isinstance(given, list | tuple) else given
    if not isinstance(names, str):
        raise FlawsightError(f"detector must be a name, several with commas, or a Detector, not {type(given).__name__}")
    return make_detectors(names, settings.parameter, settings.seed)


def _common_tags(detectors: Mapping[str, Detector], fixed: tuple[LayerSet, ...] | None) -> DetectorTags:
    """The tags of detectors that can be fitted together, and on these layers."""
    tags = {name: detector.tags for name, detector in detectors.items()}
    names, inputs = ",".join(detectors), {one.input for one in tags.values()}
    if len(detectors) > 1 and (inputs != {"features"} or fixed is not None):
        raise FlawsightError(
            f"detectors '{names}' cannot be compared: name one alone with fixed layers, or where one reads images"
        )
    first = next(iter(tags.values()))
    if first.input == "image" and fixed is not None:
        raise FlawsightError(f"detector '{names}' reads images, not layers: leave fixed_layers out")
    if first.input == "image+features" and fixed is not None and len(fixed) > 1:
        raise FlawsightError(f"detector '{names}' reads all its layers at once: name them as one member")
    return first


def _refuse_unusable(plan: Plan) -> None:
    """Raise where an option was set that this fit has no use for."""
    settings, tags = plan.settings, plan.tags
    usable = {"layers"} if tags.input == "image+features" else set()
    if plan.searches:
        usable = {*SearchOptions.model_fields, *WorkerOptions.model_fields}
    if plan.fixed is not None:
        usable -= {"layers"}
    if plan.searches or tags.needs_defects:
        usable |= set(DefectOptions.model_fields)
    if tags.input != "image":
        usable |= set(ExtractorOptions.model_fields)
    if tags.has_time_budget:
        usable |= {"budget"}
    if settings.search == "exhaustive":
        usable -= {"budget", "max_images", "finalists", "first"}
    if smallest_in_pixels(settings) is not None:
        usable -= {"defects", "textures", "generator"}
    if settings.has_random_weights and settings.extractor in EXTRACTORS:
        raise FlawsightError(f"--weights random: '{settings.extractor}' comes with weights of its own; leave it out")
    for name in settings.changed(SearchOptions, DefectOptions, ExtractorOptions, WorkerOptions):
        if name not in usable:
            raise FlawsightError(f"{flag_of(name)} has no effect here: {_why(plan, name)}; leave it out")


def _refuse_views(plan: Plan) -> None:
    """Raise where a view makes no sense for this fit."""
    settings = plan.settings
    may_cut = settings.view == "tiles" or (settings.view == "auto" and plan.searches)
    for name in ("tile", "overlap"):
        if settings.is_changed(name) and not may_cut:
            raise FlawsightError(f"{flag_of(name)} has no effect here: nothing is cut into tiles; add --view tiles")
    if not plan.searches and len(settings.sides) != 1:
        raise FlawsightError("--image-size needs a search to choose by: name one size, or let layers be searched")
    if plan.is_position_bound and settings.view == "tiles":
        raise FlawsightError(
            f"the method '{','.join(plan.detectors)}' learns what is usual at each place of the picture, which tiles "
            "of all places would mix up: use --view whole, or another method"
        )


def _why(plan: Plan, name: str) -> str:
    names = ",".join(plan.detectors)
    if plan.searches and plan.settings.smallest_defect is not None and name in DefectOptions.model_fields:
        return f"with --smallest-defect the search makes defects of that size ({', '.join(SIZED)})"
    if plan.searches:
        return "an exhaustive search tries everything on all images"
    if plan.fixed is not None:
        return "the layers are fixed, so that nothing is searched"
    if plan.tags.input == "image" and name in ExtractorOptions.model_fields:
        return f"the detector '{names}' reads images, not layers of a network"
    return f"the detector '{names}' chooses no layers by a search"


def _kinds(settings: FitSettings, tags: DetectorTags) -> tuple[str, ...]:
    """Kinds of defects; for a detector that learns from them those of paper E, where nothing else is said."""
    if not tags.needs_defects or settings.defects != "auto":
        return defect_kinds(settings.defects)
    if settings.generator is None:
        return ("perlin",)
    return ("sdas",) if settings.textures is None else ("sdas", "perlin")
