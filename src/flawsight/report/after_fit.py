"""The report that a fit leaves behind, gathered from the fresh inspector."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path

import numpy as np

from flawsight.generation.description import Description
from flawsight.inspection import Inspector
from flawsight.inspection.fitting import Fitting, MadeDefects
from flawsight.inspection.manifest import MemberInfo
from flawsight.report.fit_report import write_fit_report
from flawsight.report.inputs import DefectExample, DefectScore, FitReport, LayerScore
from flawsight.selection import LayerSelection, Row

EXAMPLES_PER_KIND = 4


def write_report(inspector: Inspector, folder: Path) -> Path:
    """Write report.html, and selection.csv if there was a search, beside the bundle that `fit` has just made."""
    fitting = inspector.fitting
    if fitting is None:
        raise ValueError("only an inspector fresh from a fit has something to report")
    table, path = folder / "selection.csv", folder / "report.html"
    if fitting.selection is None:
        table.unlink(missing_ok=True)  # an earlier inspector's
    else:
        write_selection(table, fitting.selection.rows())
    write_fit_report(path, gathered(inspector, fitting, folder))
    return path


def write_selection(path: Path, rows: list[Row]) -> None:
    """selection.csv: one row for each layer and kind of defect."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Row)])
        writer.writeheader()
        writer.writerows(asdict(row) for row in rows)


def gathered(inspector: Inspector, fitting: Fitting, folder: Path) -> FitReport:
    """What the report in this folder says."""
    manifest = inspector.manifest
    point = manifest.working_point
    names = {field.name for field in fields(LayerScore)}
    selection = fitting.selection
    return FitReport(
        title=f"Inspector {folder.name}",
        summary={"good_images": manifest.data.images, "bundle": str(folder)},
        scores=[
            LayerScore(**{k: v for k, v in asdict(row).items() if k in names})
            for row in (selection.rows() if selection else ())
            if not row.same_as
        ],
        chosen=list(inspector.layers),
        shares=[member.weight for member in inspector.members],
        examples=_defect_examples(inspector, fitting.defects),
        calibration_scores=np.array(point.calibration_scores),
        threshold=point.threshold,
        low=manifest.colour_scale.low,
        middle=manifest.colour_scale.threshold,
        detectors=[member.detector.name for member in manifest.members],
        requested_rate=point.requested_rate,
        rate=point.rate,
        is_supported=point.rate <= point.requested_rate,
        needed_images=point.needed_images,
        product=selection.validation_.product.to_dict() if selection else {},
        timings=fitting.timings,
        settings={
            "extractor": manifest.extractor.name,
            "weights": manifest.extractor.weights_sha256[:16],
            "image size": manifest.extractor.image_size,
            **_detector_settings(manifest.members),
            **(_search_settings(selection) if selection else {}),
            **({"defects learned from": ", ".join(manifest.data.defects)} if manifest.data.defects else {}),
            **(_generator_settings(fitting.generator, fitting.kinds) if fitting.generator else {}),
            "seed": manifest.seed,
            "data fingerprint": manifest.data.fingerprint[:16],
            **manifest.versions,
        },
        good_examples=list(zip(fitting.images[: len(fitting.held_out_maps)], fitting.held_out_maps, strict=True)),
        found=[DefectScore(k, f.auroc, f.aupro, f.p_h) for k, f in (selection.figures_.items() if selection else ())],
    )


def _search_settings(selection: LayerSelection) -> dict[str, object]:
    return {
        "search": selection.search,
        "detectors tried": ", ".join(dict.fromkeys(trial.candidate.detector for trial in selection.trials_)),
        "candidates not tried, or not in full, for want of time": len(selection.untried_),
        "defects": ", ".join(selection.validation_.bad),
        "images used in the search": selection.images_used_,
    }


def _generator_settings(generator: Description, kinds: Sequence[str]) -> dict[str, object]:
    return {
        "generator": f"{generator.settings.preset}, {generator.settings.steps} steps, {generator.images} images",
        "distance of its pictures from good images (1: as other good images)": f"{generator.quality:.1f}",
        **({"concern": generator.concern} if generator.concern else {}),
        **({"kinds of defects made instead": ", ".join(kinds)} if "sdas" not in kinds else {}),
    }


def _detector_settings(members: Sequence[MemberInfo]) -> dict[str, object]:
    """Each detector once, with its parameters."""
    settings: dict[str, object] = {}
    for member in members:
        name = member.detector.name
        settings[f"detector {name}"] = ", ".join(f"{key} {value}" for key, value in member.detector.parameters.items())
    return settings


def _defect_examples(inspector: Inspector, defects: MadeDefects) -> list[DefectExample]:
    examples = []
    for kind, (images, masks) in defects.items():
        results = inspector.inspect_many(images[:EXAMPLES_PER_KIND])
        for image, mask, result in zip(images, masks, results, strict=False):
            examples.append(DefectExample(kind, image, mask, result.anomaly_map))
    return examples
