"""fit: a folder of good images becomes an inspector."""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Sequence
from contextlib import contextmanager, nullcontext, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from flawsight.data import MAX_PIXELS, SAFE, check_safe, enlarged, fingerprint, good_images
from flawsight.data.splits import MIN_GOOD
from flawsight.detectors import Detector, RealNet, detector_name, make_detectors
from flawsight.detectors.afforded import afforded
from flawsight.detectors.engine.cores import workers
from flawsight.detectors.engine.passes import LayerSet
from flawsight.detectors.engine.training import Training
from flawsight.errors import FlawsightError
from flawsight.features import DEFAULT_EXTRACTOR, PICTURE, Extractor, select_layers, stage_ends
from flawsight.inspection.blending import a_few_defects, anomaly_synthesis, blending_parameters
from flawsight.inspection.bundle import prepare_folder, save
from flawsight.inspection.fitting import Fitting
from flawsight.inspection.images import ResizedImages
from flawsight.inspection.inspector import Inspector
from flawsight.inspection.manifest import (
    ColourScaleInfo,
    DataInfo,
    DetectorInfo,
    ExtractorInfo,
    Manifest,
    MemberInfo,
    SelectionInfo,
    WorkingPointInfo,
)
from flawsight.inspection.members import FittedMembers, Share, fit_members
from flawsight.metrics import WorkingPoint, working_point
from flawsight.progress import Progress, default_progress
from flawsight.selection import LayerSelection, defect_kinds

SEARCH_FOLDER = ".search"
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


def fit(
    good: str | Path | Sequence[str | Path],
    out: str | Path | None = None,
    *,
    extractor: str = DEFAULT_EXTRACTOR,
    weights: str | Path | None = None,
    image_size: int = 256,
    detector: str = "patchcore",
    detector_parameters: dict[str, Any] | None = None,
    defects: str = "auto",
    textures: str | Path | None = None,
    generator: str | Path | None = None,
    strength: tuple[float, float] = (0.1, 0.2),
    layers: str = "all",
    search: str = "auto",
    fuse: int = 3,
    false_alarm_rate: float = 0.01,
    seed: int = 0,
    device: str = "auto",
    layout: str = "auto",
    category: str | None = None,
    good_class: str | None = None,
    max_pixels: int = MAX_PIXELS,
    max_memory: int | None = None,
    budget: float | None = None,
    augment: int = 0,
    safe: Sequence[str] = SAFE,
    overwrite: bool = False,
    fixed_layers: Sequence[Sequence[str]] | None = None,
    progress: Progress | None = None,
) -> Inspector:
    """Learn an inspector from good images: a folder, a data set with train/good, or a list of image files.

    With `out` the bundle is written there, and an interrupted fit goes on when called again. `detector` may name
    several, such as `patchcore,gaussian`: the search tries all; `detector_parameters` as in `make_detectors`.
    `fixed_layers` names the layers of each member and skips the search. The search plans the process to stay within
    `max_memory` bytes; the default is 2 GiB, or half of what is free where that is less. `budget`: minutes that the
    search may take, or the trainings of a detector that needs none. `augment`: learn from so many changed copies of
    each image (`flawsight.data.enlarged`) rather than from the image, by the groups in `safe`; the search and the
    calibration see images as they are. `defects`: the kinds for the search, or for a detector that learns from them:
    then `auto` is `perlin`, or `sdas` where there is a generator whose pictures are of use. `textures` and `generator`
    are folders as in `blending_parameters`. The returned inspector's `fitting` holds the selection and timings.
    """
    progress = progress or default_progress()
    _check_options(false_alarm_rate, fuse, budget, augment, safe, fixed_layers)
    folder = prepare_folder(Path(out), overwrite) if out is not None else None
    prototypes = make_detectors(detector, detector_parameters or {}, seed)
    reads = _reads(prototypes, fixed_layers)
    uses_defects = reads == "both" or (reads == "layers" and fixed_layers is None)
    kinds = _kinds(defects, reads, generator, textures) if uses_defects else ()
    paths = _paths(good, layout, category, good_class)
    network = Extractor(extractor, weights, image_size, device)
    fixed = [tuple(network.layer(name).name for name in names) for names in fixed_layers or ()]
    images = ResizedImages(paths, image_size, max_pixels)
    fitting = Fitting(None, images)
    with _timed(fitting, "checking images"):
        mark = _check(images, progress)
    given_pictures = textures is not None or generator is not None
    with _timed(fitting, "pictures for defects") if given_pictures else nullcontext():
        fitting.kinds, parameters, material, fitting.generator = blending_parameters(
            kinds,
            paths,
            may_replace=defects == "auto",
            textures=textures,
            generator=generator,
            strength=strength,
            seed=seed,
            max_pixels=max_pixels,
            progress=progress,
        )
    if reads == "both":
        (prototype,) = prototypes.values()
        stages = fixed[0] if fixed else stage_ends(select_layers(network.layers, layers))
        prototype.attach(anomaly_synthesis(network, stages, images, fitting.kinds, parameters, seed))
        shares = [Share((PICTURE, *stages), _afforded(prototype, network, (PICTURE, *stages), images, budget), 1.0)]
    elif reads == "images":
        shares = [Share((PICTURE,), prototype, 1.0) for prototype in prototypes.values()]
    elif fixed_layers is None:
        selection = LayerSelection(
            prototypes,
            layers,
            defects,
            search,
            fuse,
            seed,
            max_memory=max_memory,
            budget=60 * budget if budget else None,
            defect_parameters=parameters,
        )
        work = folder / SEARCH_FOLDER if folder else None
        with _timed(fitting, "choosing layers"):
            selection.fit(network, images, work, stamp=mark + material, progress=progress)
        fitting.selection, fitting.defects = selection, selection.validation_.bad
        shares = [Share((one.layer,), prototypes[one.detector], one.weight) for one in selection.choices_]
    else:
        (prototype,) = prototypes.values()
        shares = [Share(names, prototype, 1 / len(fixed)) for names in fixed]
    with (
        _timed(fitting, "learning and calibrating"),
        progress.stage("Learning from all good images", (2 + max(1, augment)) * len(images)) as advance,
    ):
        stamp = _stamp(network, shares, mark, seed, augment, *sorted(safe), *fitting.kinds, material)
        training = Training(folder / SEARCH_FOLDER / stamp if folder else None)
        copies = enlarged(images, augment, safe, seed) if augment else None
        fitted = fit_members(network, images, shares, seed, advance, training, copies)
    fitting.held_out_maps = fitted.held_out_maps
    fitting.defects = fitting.defects or a_few_defects(images, fitting.kinds, parameters, seed)
    point = working_point(fitted.held_out_scores, false_alarm_rate)
    manifest = Manifest(
        versions=_versions(),
        extractor=ExtractorInfo(
            name=extractor,
            image_size=image_size,
            weights_source=network.network.source,
            weights_sha256=network.weights_sha256,
        ),
        members=[
            MemberInfo(
                layers=list(member.layers),
                detector=DetectorInfo(name=detector_name(member.detector), parameters=member.detector.get_params()),
                weight=member.weight,
                surprise_knots=member.surprise.knots.tolist(),
                surprise_tail=member.surprise.tail_scale,
                score_mean=member.score_scale.mean,
                score_deviation=member.score_scale.deviation,
            )
            for member in fitted.members
        ],
        working_point=_point_info(point, fitted),
        colour_scale=_colour_scale(point, fitted),
        data=DataInfo(
            images=len(paths),
            fingerprint=mark,
            augment=augment,
            safe=sorted(safe) if augment else [],
            defects=list(fitting.kinds) if reads == "both" else [],
            material=material if reads == "both" else "",
        ),
        seed=seed,
        selection=_selection_info(fitting.selection),
    )
    inspector = Inspector(network, fitted.members, manifest)
    inspector.fitting = fitting
    if folder:
        save(inspector, folder, overwrite)
        shutil.rmtree(folder / SEARCH_FOLDER, ignore_errors=True)
    return inspector


def _check_options(
    false_alarm_rate: float,
    fuse: int,
    budget: float | None,
    augment: int,
    safe: Sequence[str],
    fixed_layers: Sequence[Sequence[str]] | None,
) -> None:
    if not 0 < false_alarm_rate < 1:
        raise FlawsightError(f"false-alarm rate {false_alarm_rate} must lie between 0 and 1, such as 0.01")
    if budget is not None and budget <= 0:
        raise FlawsightError(f"budget {budget} must be a number of minutes above 0: leave it out to try everything")
    if augment < 0:
        raise FlawsightError(f"augment {augment} must be the number of copies of each image, or 0 for none")
    check_safe(safe)
    if fuse < 1:
        raise FlawsightError(f"fuse {fuse} must be 1 or more")
    if fixed_layers is not None and not (len(fixed_layers) and all(fixed_layers)):
        raise FlawsightError("fixed_layers must name at least one layer for each member: leave it out to search")


def _reads(prototypes: dict[str, Detector], fixed_layers: Sequence[Sequence[str]] | None) -> str:
    """What the detectors read, if they can be fitted together and from these layers."""
    reads = {prototype.reads for prototype in prototypes.values()}
    names = ",".join(prototypes)
    if len(prototypes) > 1 and (reads != {"layers"} or fixed_layers is not None):
        raise FlawsightError(
            f"detectors '{names}' cannot be compared: name one alone with fixed layers, or where one reads pictures"
        )
    (sort,) = reads
    if sort == "images" and fixed_layers is not None:
        raise FlawsightError(f"detector '{names}' reads pictures, not layers: leave fixed_layers out")
    if sort == "both" and fixed_layers is not None and len(fixed_layers) > 1:
        raise FlawsightError(f"detector '{names}' reads all its layers at once: name them as one member")
    return sort


def _afforded(
    detector: Detector, network: Extractor, layers: LayerSet, images: ResizedImages, minutes: float | None
) -> Detector:
    """The detector at the size and with the steps that the time allows, where it comes in sizes."""
    if minutes is None or not isinstance(detector, RealNet):
        return detector
    few = list(network.extract(images[:2], layers).values())
    # The final training, and one for each part held out.
    side_by_side = workers() if network.device.type == "cpu" else 1
    return afforded(detector, few, 60 * minutes / -(-(1 + detector.folds) // side_by_side))


def _kinds(defects: str, reads: str, generator: str | Path | None, textures: str | Path | None) -> tuple[str, ...]:
    """Kinds of defects; for a detector that learns from them those of paper E, where nothing else is said."""
    if reads != "both" or defects != "auto":
        return defect_kinds(defects)
    if generator is None:
        return ("perlin",)
    return ("sdas",) if textures is None else ("sdas", "perlin")


def _paths(
    good: str | Path | Sequence[str | Path], layout: str, category: str | None, good_class: str | None
) -> list[Path]:
    if isinstance(good, str | Path):
        paths = good_images(good, layout, category, good_class)
        where = f"'{good}'"
    else:
        paths, where = [Path(path) for path in good], "the list"
    if len(paths) < MIN_GOOD:
        raise FlawsightError(
            f"{where} holds {len(paths)} good images, but at least {MIN_GOOD} are needed: add pictures of good parts"
        )
    return sorted(paths)


def _check(images: ResizedImages, progress: Progress) -> str:
    """Decode every image once, so that a bad one is named before long work begins; the images' fingerprint."""
    with progress.stage("Checking images", len(images)) as advance:
        for index in range(len(images)):
            images[index]
            advance(1)
    return fingerprint(images.paths)


def _versions() -> dict[str, str]:
    """Of the packages that shape the result; OpenCV may be installed under another name."""
    found = {}
    for name in PACKAGES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


@contextmanager
def _timed(fitting: Fitting, name: str) -> Any:
    start = time.perf_counter()
    yield
    fitting.timings[name] = time.perf_counter() - start


def _point_info(point: WorkingPoint, fitted: FittedMembers) -> WorkingPointInfo:
    return WorkingPointInfo(
        requested_rate=point.requested_rate,
        rate=point.rate,
        threshold=point.threshold,
        needed_images=point.needed_images,
        method="cross-conformal",
        folds=fitted.folds,
        calibration_scores=np.sort(fitted.held_out_scores).tolist(),
    )


def _colour_scale(point: WorkingPoint, fitted: FittedMembers) -> ColourScaleInfo:
    """Cold is the usual level of good images, the middle is the threshold of the maps' maxima."""
    threshold = working_point(fitted.held_out_peaks, point.requested_rate).threshold
    low = min(fitted.held_out_level, threshold - 1e-6 * max(1.0, abs(threshold)))
    return ColourScaleInfo(low=low, threshold=threshold)


def _stamp(network: Extractor, shares: Sequence[Share], *settings: object) -> str:
    """What the trainings of these members depend on, as a folder's name."""
    members = [(share.layers, detector_name(share.detector), share.detector.get_params()) for share in shares]
    text = repr((network.name, network.image_size, network.weights_sha256, members, settings))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _selection_info(selection: LayerSelection | None) -> SelectionInfo | None:
    if selection is None:
        return None
    return SelectionInfo(
        search=selection.search,
        defects=list(selection.validation_.bad),
        layers_tried=len(selection.layers_),
        detectors=list(dict.fromkeys(trial.candidate.detector for trial in selection.trials_)),
        untried=len(selection.untried_),
        images_used=selection.images_used_,
        p_h={kind: figures.p_h for kind, figures in selection.figures_.items()},
        product=selection.validation_.product.to_dict(),
    )
