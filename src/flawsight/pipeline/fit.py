"""fit: a folder of good images becomes an inspector, in eight stages."""

from __future__ import annotations

import logging
import shutil
import warnings
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from flawsight.bundle import remove_bundle, write_bundle
from flawsight.core import FlawsightError, Progress, default_progress
from flawsight.defects import defect_kinds
from flawsight.export import export_inspector
from flawsight.inference import TorchBackend
from flawsight.inspection import Inspector
from flawsight.pipeline.choose import Ensemble, Networks, choose_members, with_named_layers
from flawsight.pipeline.defect_sources import DefectRecipe, defect_sources, preview_defects
from flawsight.pipeline.load_images import GoodImages, find_good, load_images
from flawsight.pipeline.package import make_manifest
from flawsight.pipeline.plan import Plan, make_plan
from flawsight.pipeline.record import FitRecord, Run, squares_with_defects
from flawsight.pipeline.region import region_preview
from flawsight.pipeline.region.of_fit import inspected_region
from flawsight.pipeline.reporting import PREVIEW, write_report
from flawsight.pipeline.trust.pod import measure_pod
from flawsight.pipeline.trust.said import said_of_suspects
from flawsight.pipeline.trust.smallest import size_notes
from flawsight.pipeline.trust.study import PodStudy
from flawsight.pipeline.trust.suspects import Learned, learn_and_calibrate
from flawsight.runtime import Samples
from flawsight.settings import FitSettings


@dataclass(frozen=True, eq=False)
class FitResult:
    """An inspector, and what happened while it was made.

    >>> fitted.inspector.manifest.data.images
    12
    >>> list(fitted.record.timings)
    ['checking images', 'choosing layers', 'learning and calibrating', 'trying artificial defects', 'exporting']
    """

    inspector: Inspector
    record: FitRecord


def fit(
    good: str | Path | Sequence[str | Path] | FitSettings,
    out: str | Path | None = None,
    *,
    progress: Progress | None = None,
    **options: Any,
) -> Inspector:
    """Learn an inspector from good images: a folder, a data set with train/good, or a list of image files.

    With `out` the bundle and its report are written there, and an interrupted fit goes on when called again. `options`
    are those of the command, by name (`flawsight.settings.FitSettings` lists them); `detector` may also be an instance,
    and `detector_parameters` is a dict. `run_fit` also tells what happened.

    >>> inspector = fs.fit(good, tmp / "bundle", image_size=64, fixed_layers="blocks.2.1.add")
    >>> inspector.inspect(dataset / "test" / "spot" / "000.png").verdict
    'defective'
    >>> sorted(path.name for path in (tmp / "bundle").iterdir())
    ['detectors.safetensors', 'inspector.json', 'model.onnx', 'network.safetensors', 'report.html', 'samples.png']
    """
    if not isinstance(good, FitSettings):
        images = good if isinstance(good, str | Path) else tuple(Path(path) for path in good)
        good = FitSettings.of({"good": images, "out": out, **options})
    result = run_fit(good, progress)
    for note in result.record.notes:
        warnings.warn(note, stacklevel=2)
    return result.inspector


def run_fit(settings: FitSettings, progress: Progress | None = None, work: Path | None = None) -> FitResult:
    """`fit`, and what happened on the way. `work`: a folder for what is not finished, instead of one in the bundle's.

    >>> settings = fs.FitSettings(good=good, out=None, image_size=64, fixed_layers="blocks.2.1.add")
    >>> result = run_fit(settings)
    >>> result.inspector.layers, sorted(result.record.timings)
    ((('blocks.2.1.add',),), ['checking images', 'learning and calibrating', 'trying artificial defects'])
    """
    run = Run(progress or default_progress())
    plan = make_plan(settings, work)
    if plan.without_graph:  # now, and not after long work
        logging.getLogger(__name__).warning(plan.without_graph)
    paths, notes, skipped = find_good(settings, settings.good)
    networks = Networks(settings)
    plan = with_named_layers(plan, networks, run.progress)  # an unknown layer is named before anything is read
    with run.timed("checking images"):
        good = load_images(paths, settings, run.progress)
        region, about_region = inspected_region(settings, good)
        good = replace(good, region=region)
        if region and plan.folder:  # to be looked at while the rest is made
            region_preview(good.pictures, region, plan.folder / PREVIEW)
    recipe = _recipe(plan, paths, good, run)
    ensemble = choose_members(plan, networks, good, recipe, run)
    outcome = learn_and_calibrate(plan, networks, good, recipe, ensemble, run)
    ensemble, found = outcome.ensemble, outcome.calibration
    good, selection = ensemble.good, ensemble.selection
    study = _study(plan, outcome, run)
    manifest = make_manifest(plan, recipe, outcome, study.info if study else None)
    inspector = Inspector(TorchBackend(ensemble.network, outcome.cross_fit.members, found.members), manifest)
    defects = selection.validation_.shown if selection else preview_defects(good, recipe, settings)
    notes = (
        *notes,
        *about_region,
        *good.concerns,
        *said_of_suspects(outcome),
        *recipe.concerns,
        *_said_of_choice(ensemble, settings),
        *size_notes(inspector, good, settings, study),
    )
    record = FitRecord(
        selection,
        good,
        recipe,
        defects,
        found.held_out_maps if len(good.paths) > 1 else [],  # of one picture they are of changed copies
        run.timings,
        notes,
        skipped,
        ensemble.views,
        outcome.suspects,
        study,
    )
    if plan.folder and plan.work:
        inspector, files, refusal = _with_graph(inspector, record, plan, run)
        record = replace(record, notes=(*record.notes, *refusal))
        _write(inspector, files, record, plan.folder, settings.overwrite)
        shutil.rmtree(plan.work, ignore_errors=True)
    return FitResult(inspector, record)


def _recipe(plan: Plan, paths: Sequence[Path], good: GoodImages, run: Run) -> DefectRecipe:
    """What defects are made of, with the pictures that some kinds need."""
    settings = plan.settings
    given = settings.textures is not None or settings.generator is not None
    with run.timed("pictures for defects") if given else nullcontext():
        may_replace = settings.defects == "auto"
        return defect_sources(settings, plan.kinds, paths, good.pixels, run.progress, may_replace=may_replace)


def _study(plan: Plan, outcome: Learned, run: Run) -> PodStudy | None:
    """What is found of artificial defects on pictures not learned from, where that was asked for and there are such."""
    ensemble = outcome.ensemble
    if not plan.settings.pod or len(ensemble.good.paths) < 2:
        return None
    with run.timed("trying artificial defects"):
        return measure_pod(ensemble.network, ensemble.good, outcome.cross_fit, outcome.calibration, plan.settings, run)


def _with_graph(
    inspector: Inspector, record: FitRecord, plan: Plan, run: Run
) -> tuple[Inspector, dict[str, bytes], list[str]]:
    """The inspector whose manifest describes its graph, all files of the bundle, and why there is no graph, if so."""
    backend, manifest = inspector.backend, inspector.manifest
    assert isinstance(backend, TorchBackend)
    files = backend.files(manifest.network_layers)
    settings = plan.settings
    if settings.export == "none" or plan.without_graph:
        return inspector, files, [plan.without_graph] if plan.without_graph else []
    with run.timed("exporting"), run.progress.stage("Exporting", 1) as advance:
        samples = Samples.of(record.good.inputs, squares_with_defects(record), inspector.view.side)
        try:
            exported = export_inspector(inspector, samples, settings.export)
        except FlawsightError as error:  # what was learned is not lost
            return inspector, files, [f"this bundle has no graph and runs in torch alone: {error}"]
        advance(1)
    return Inspector(backend, exported.described_in(manifest)), {**files, **exported.files}, []


def _write(inspector: Inspector, files: dict[str, bytes], record: FitRecord, folder: Path, overwrite: bool) -> None:
    """The bundle with its report, or nothing of either."""
    write_bundle(inspector.manifest, files, folder, overwrite)
    try:
        write_report(inspector, record, folder)
    except FlawsightError:
        remove_bundle(folder)
        raise


def _said_of_choice(ensemble: Ensemble, settings: FitSettings) -> list[str]:
    """What was read of a weights file, and kinds of defects that found no place."""
    read = list(filter(None, [ensemble.network.network.remark]))
    if ensemble.selection is None or settings.smallest_defect is not None:
        return read
    missing = [kind for kind in defect_kinds(ensemble.selection.defects) if kind not in ensemble.selection.figures_]
    if not missing:
        return read
    return [
        *read,
        f"artificial defects of the kind {', '.join(missing)} found no place on these pictures and were left out: are "
        "they nearly uniform at this size?",
    ]
