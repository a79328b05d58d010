"""The report that a fit leaves behind, gathered from the fresh inspector and what happened while it was made."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path

import cv2
import numpy as np

from flawsight.bundle import Member
from flawsight.core import readable, written_whole
from flawsight.data import PixelFormat
from flawsight.features import JOINED
from flawsight.health import picture_of
from flawsight.inspection import Inspector
from flawsight.pipeline.defect_sources import MadeDefects
from flawsight.pipeline.record import FitRecord
from flawsight.pipeline.region import region_preview, region_sheet
from flawsight.pipeline.trust.smallest import finest_stride, seen_sizes
from flawsight.pipeline.trust.suspect import Suspect
from flawsight.report import (
    DefectExample,
    FitReport,
    FoundBySize,
    LayerScore,
    SpeedOption,
    SuspectPicture,
    Trust,
    ViewScore,
    write_fit_report,
)
from flawsight.report.pages import without_folders
from flawsight.selection import LayerSelection, pareto_front
from flawsight.views import least_seen, resize_image

PREVIEW = "region.png"
EXAMPLES_PER_KIND = 4
SHOWN_SIDE, SHOWN_TIMES = 256, 4


def write_report(inspector: Inspector, record: FitRecord, folder: Path) -> Path:
    """Write report.html, and selection.csv if there was a search, into the bundle's folder.

    >>> write_report(inspector, fitted.record, tmp).name
    'report.html'
    >>> sorted(path.name for path in tmp.iterdir())
    ['report.html', 'selection.csv']
    """
    if record.good.region is not None:
        region_preview(record.good.pictures, record.good.region, folder / PREVIEW)
    if record.selection is not None:
        write_selection(folder / "selection.csv", record.selection.results())
    path = folder / "report.html"
    write_fit_report(path, fit_report(inspector, record, folder))
    return path


def write_selection(path: Path, rows: Sequence[LayerScore]) -> None:
    """selection.csv: one row for each layer and kind of defect.

    >>> write_selection(tmp / "selection.csv", fitted.record.selection.results())
    >>> (tmp / "selection.csv").read_text().splitlines()[0]
    'layer,block,kind,order,stride,channels,same_as,detector,variant,stage,defects,auroc,aupro,p_h,seconds,milliseconds'
    """
    with written_whole(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(LayerScore)])
        writer.writeheader()
        writer.writerows(asdict(row) for row in rows)


def fit_report(inspector: Inspector, record: FitRecord, folder: Path) -> FitReport:
    """What the report in this folder says.

    >>> report = fit_report(inspector, fitted.record, bundle)
    >>> report.title, report.settings["search"]
    ('Inspector bundle', 'auto')
    """
    manifest, selection, maps = inspector.manifest, record.selection, record.held_out_maps
    readings = manifest.readings
    return FitReport(
        title=f"Inspector {readable(folder.resolve().name)}",
        # Its name alone: a report travels, and where it was made is nobody's business.
        summary={"good_images": manifest.data.images, "bundle": readable(folder.resolve().name)},
        scores=[row for row in (selection.results() if selection else ()) if not row.same_as and row.kind != JOINED],
        chosen=list(readings),
        shares=[sum(one.calibration.weight for one in members) for members in readings.values()],
        examples=_defect_examples(inspector, record.defects),
        calibration_scores=np.array(manifest.calibration.scores),
        operating_point=manifest.operating_point,
        colour_scale=manifest.colour_scale,
        detectors=[members[0].detector.name for members in readings.values()],
        ways=[len(members) for members in readings.values()],
        product=selection.validation_.product.to_dict() if selection else {},
        timings=record.timings,
        settings=_settings(inspector, record),
        good_examples=[
            (resize_image(image, one.shape), one) for image, one in zip(record.images[: len(maps)], maps, strict=True)
        ],
        found=selection.figures_ if selection else {},
        options=_options(selection) if selection else (),
        latency_budget=selection.latency_budget if selection else None,
        views=[
            ViewScore(trial.view.text, trial.inputs, trial.p_h, trial.view == manifest.view, trial.reason)
            for trial in record.views
        ],
        region=region_sheet(record.good.pictures, record.good.region) if record.good.region else None,
        concerns=[without_folders(note) for note in record.notes],
        health=record.health,
        trust=_trust(inspector, record),
        picture=lambda path: picture_of(record.checked, path),
        parts=manifest.data.parts,
        suspects=None if record.suspects is None else _suspects(record.suspects),
    )


def _suspects(suspects: Sequence[Suspect]) -> list[SuspectPicture]:
    return [
        SuspectPicture(
            one.path.name,
            resize_image(one.image, one.anomaly_map.shape),
            one.anomaly_map,
            one.expected,
            one.is_left_out,
        )
        for one in suspects
    ]


def _trust(inspector: Inspector, record: FitRecord) -> Trust:
    """What is found, and how small a defect may be."""
    least = least_seen(seen_sizes(inspector.view, record.good), inspector.view.side, finest_stride(inspector))
    study, scale = record.pod, inspector.manifest.mm_per_pixel
    if study is None:
        return Trust(least_seen=least, mm_per_pixel=scale)
    found = []
    for one in study.info.kinds:
        shown, example = study.shown.get(one.kind), None
        if shown is not None:
            part = _around(shown.mask)
            example = DefectExample(
                one.kind, shown.image[part].copy(), shown.mask[part].copy(), shown.anomaly_map[part].copy()
            )
        found.append(FoundBySize(one.kind, one.curve, example, shown.size if shown else 0.0))
    return Trust(
        least_seen=least,
        found=found,
        pictures=study.info.pictures,
        contrast=study.info.contrast,
        mm_per_pixel=scale,
    )


def _options(selection: LayerSelection) -> list[SpeedOption]:
    """What a latency budget left open, fastest first."""
    front = pareto_front(selection.options_)
    return [
        SpeedOption(
            " + ".join(one.layer for one in option.choices),
            option.milliseconds,
            option.p_h,
            is_on_front=option in front,
            is_chosen=option is selection.options_[-1],
        )
        for option in sorted(selection.options_, key=lambda option: option.milliseconds)
    ]


def _settings(inspector: Inspector, record: FitRecord) -> dict[str, object]:
    manifest, kinds = inspector.manifest, record.recipe.kinds
    is_replaced = record.recipe.about and "sdas" not in kinds
    return {
        "extractor": manifest.extractor.name,
        "weights": manifest.extractor.weights_sha256[:16],
        "image size": manifest.extractor.image_size,
        "view": manifest.view.text,
        **({"region of interest": f"{record.good.region.share:.0%} of a picture"} if record.good.region else {}),
        **_pixel_settings(manifest.data.pixels),
        **_detector_settings(manifest.members),
        **(_search_settings(record.selection) if record.selection else {}),
        **({"defects learned from": ", ".join(manifest.data.defects)} if manifest.data.defects else {}),
        **record.recipe.about,
        **({"kinds of defects made instead": ", ".join(kinds)} if is_replaced else {}),
        "seed": manifest.seed,
        "data fingerprint": manifest.data.fingerprint[:16],
        **manifest.versions,
    }


def _pixel_settings(pixels: PixelFormat | None) -> dict[str, object]:
    """What the pictures are."""
    if pixels is None:
        return {}
    return {"pictures": pixels.text}


def _search_settings(selection: LayerSelection) -> dict[str, object]:
    return {
        "search": selection.search,
        "detectors tried": ", ".join(dict.fromkeys(trial.candidate.detector for trial in selection.trials_)),
        "candidates not tried, or not in full, for want of time": len(selection.untried_),
        "defects": ", ".join(selection.validation_.bad),
        "images used in the search": selection.images_used_,
    }


def _detector_settings(members: Sequence[Member]) -> dict[str, object]:
    """Each detector once, with its parameters; with all values of those that members differ in."""
    values: dict[str, dict[str, dict[str, None]]] = {}
    for member in members:
        of_detector = values.setdefault(member.detector.name, {})
        for key, value in member.detector.parameters.items():
            of_detector.setdefault(key, {})[str(value)] = None
    return {
        f"detector {name}": ", ".join(f"{key} {' and '.join(found)}" for key, found in parameters.items())
        for name, parameters in values.items()
    }


def _defect_examples(inspector: Inspector, defects: MadeDefects) -> list[DefectExample]:
    examples = []
    for kind, (images, masks) in defects.items():
        for at in range(min(EXAMPLES_PER_KIND, len(images))):
            image, mask = images[at], masks[at]
            anomaly_map = inspector.inspect(image).anomaly_map
            part = _around(mask)
            # Copies: a view would keep the whole picture and its map.
            examples.append(DefectExample(kind, image[part].copy(), mask[part].copy(), anomaly_map[part].copy()))
    return examples


def _around(mask: np.ndarray) -> tuple[slice, slice]:
    """All of a picture, or of a large one with a small defect the part around that."""
    left, top, width, height = cv2.boundingRect(mask.astype(np.uint8))
    side = max(SHOWN_SIDE, SHOWN_TIMES * max(width, height))
    if max(mask.shape) <= 2 * side:
        return slice(None), slice(None)
    starts = (top + height // 2 - side // 2, left + width // 2 - side // 2)
    y, x = (int(np.clip(start, 0, max(0, length - side))) for start, length in zip(starts, mask.shape, strict=True))
    return slice(y, y + side), slice(x, x + side)
