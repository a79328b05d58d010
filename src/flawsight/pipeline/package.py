"""The manifest of what was learned."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

from flawsight.bundle import DataInfo, DetectorSpec, ExtractorSpec, Manifest, Member, PodInfo, SelectionInfo
from flawsight.bundle.manifest import CalibrationInfo
from flawsight.core import INPUT, installed_versions
from flawsight.data import ORIENTATIONS
from flawsight.detectors import DETECTORS
from flawsight.features import JOINED
from flawsight.inference import MemberSpec
from flawsight.pipeline.defect_sources import DefectRecipe
from flawsight.pipeline.learn import CrossFit
from flawsight.pipeline.plan import Plan
from flawsight.pipeline.trust.suspects import Learned
from flawsight.scoring import MemberCalibration
from flawsight.selection import LayerSelection
from flawsight.settings import RANDOM_WEIGHTS, FitSettings, LearnOptions

PACKAGES = (
    "flawsight",
    "torch",
    "torchvision",
    "timm",
    "numpy",
    "opencv-python-headless",
    "opencv-python",
    "scikit-learn",
)
"""Those that shape the result; OpenCV may be installed under another name."""
OF_THE_MACHINE = {
    "device", "budget", "max_memory", "overwrite", "category", "layout", "good_class", "detector", "workers", "ray",
    "track",
}  # fmt: skip
"""Options that say where images and time come from, not what the inspector is."""


def make_manifest(plan: Plan, recipe: DefectRecipe, outcome: Learned, pod: PodInfo | None = None) -> Manifest:
    """inspector.json, but for the hashes of the files beside it."""
    ensemble, learned, calibration = outcome.ensemble, outcome.cross_fit, outcome.calibration
    network, good = ensemble.network, ensemble.good
    settings, learns_defects = plan.settings, plan.tags.needs_defects
    assert good.view is not None
    names = tuple(dict.fromkeys(name for member in learned.members for name in member.layers if name != INPUT))
    return Manifest(
        versions=installed_versions(PACKAGES),
        settings=_repeatable(plan, learned),
        settings_paths=_places(settings),
        extractor=ExtractorSpec(
            name=settings.extractor,
            image_size=network.image_size,
            weights_source=network.network.source,
            weights_sha256=network.weights_sha256,
            layers=tuple(network.layer(name) for name in names),
        ),
        view=good.view,
        region=b64encode(good.region.png()).decode() if good.region else "",
        mm_per_pixel=settings.mm_per_pixel,
        has_own_scores=calibration.has_own_scores,
        members=[_member(plan, spec, own) for spec, own in zip(learned.members, calibration.members, strict=True)],
        operating_point=calibration.operating_point,
        calibration=CalibrationInfo(folds=learned.folds, scores=tuple(calibration.part_scores.tolist())),
        colour_scale=calibration.colour_scale,
        data=DataInfo(
            images=len(good.paths),
            fingerprint=good.fingerprint,
            augment=settings.augment,
            label_preserving=_changes(settings, good.parts.is_few),
            defects=list(recipe.kinds) if learns_defects else [],
            sources_digest=recipe.sources_digest if learns_defects else "",
            pixels=good.pixels,
            overview=good.images.side,
            parts=good.parts.count,
            suspects=tuple(one.info for one in outcome.suspects or ()),
        ),
        seed=settings.seed,
        selection=_selection_info(ensemble.selection),
        pod=pod,
    )


def _changes(settings: LearnOptions, is_few: bool) -> list[str]:
    """How what is learned from was changed."""
    if settings.augment:
        return sorted(settings.label_preserving)
    return [name for name in ORIENTATIONS if is_few and name in settings.label_preserving]


def _member(plan: Plan, spec: MemberSpec, calibration: MemberCalibration) -> Member:
    name = next(name for name, known in plan.detectors.items() if type(known) is type(spec.detector))
    detector = DetectorSpec(
        name=name,
        parameters=spec.detector.get_params(),
        provider=DETECTORS.provider(name),
        localizes=spec.detector.tags.localizes,
    )
    return Member(layers=spec.layers, detector=detector, calibration=calibration)


def _places(settings: FitSettings) -> list[str]:
    """The options that named files or folders, but for those that each fit names anew."""
    elsewhere = {"good", "out"} | ({"weights"} if settings.has_random_weights else set())
    return [name for name in settings.paths() if name not in elsewhere and settings.is_changed(name)]


def _repeatable(plan: Plan, learned: CrossFit) -> dict[str, Any]:
    """The options by which the same fit can be made again: parameters as they were, also those set by a time budget."""
    settings = {"detector": ",".join(plan.detectors), **plan.settings.dump(OF_THE_MACHINE)}
    if plan.settings.has_random_weights:
        settings["weights"] = RANDOM_WEIGHTS
    if plan.searches:
        return settings
    if plan.settings.fixed_layers is not None and plan.fixed:  # by name: evenly:4 may be others elsewhere
        settings["fixed_layers"] = [list(names) for names in plan.fixed]
    detector = learned.members[0].detector
    defaults = type(detector)().get_params()
    changed = {name: value for name, value in detector.get_params().items() if value != defaults[name]}
    return settings | {"parameter": changed}


def _selection_info(selection: LayerSelection | None) -> SelectionInfo | None:
    if selection is None:
        return None
    return SelectionInfo(
        search=selection.search,
        defects=list(selection.validation_.bad),
        layers_tried=len({row.layer for row in selection.results() if row.kind != JOINED}),
        detectors=list(dict.fromkeys(trial.candidate.detector for trial in selection.trials_)),
        untried=len(selection.untried_),
        images_used=selection.images_used_,
        p_h={kind: figures.p_h for kind, figures in selection.figures_.items()},
        product=selection.validation_.product.to_dict(),
    )
