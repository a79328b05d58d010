"""The fit report: one HTML file that opens offline, plain words first, layers and settings further down."""

import math
import shlex
from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np

from flawsight.core import write_whole
from flawsight.metrics import Metrics
from flawsight.report import plain_language as words
from flawsight.report.charts import histogram, layer_chart
from flawsight.report.data_uri import data_uri
from flawsight.report.findings import shown_findings, shown_typical
from flawsight.report.heatmap import ColourScale, gradient, outline, overlay
from flawsight.report.inputs import AnomalyMap, DefectExample, FitReport, Image, LayerScore
from flawsight.report.pages import render
from flawsight.report.trade_off import trade_off_chart
from flawsight.report.trust.found import trust_section
from flawsight.report.trust.suspects import shown_suspects

GALLERY = 24  # pictures at most, so that the page stays small


def write_fit_report(path: Path, report: FitReport) -> None:
    """Write the report as one self-contained HTML file; FlawsightError where it cannot be written.

    >>> report = fs.pipeline.fit_report(inspector, fitted.record, bundle)
    >>> write_fit_report(tmp / "report.html", report)
    >>> "Inspector bundle" in (tmp / "report.html").read_text()
    True
    """
    page = render_fit_report(report)
    write_whole(path, page)


def render_fit_report(report: FitReport) -> str:
    """Return the report's HTML.

    >>> report = fs.pipeline.fit_report(inspector, fitted.record, bundle)
    >>> render_fit_report(report)[:15]
    '<!DOCTYPE html>'
    """
    return render("template.html.jinja", **_page(report))


def _page(report: FitReport) -> dict[str, Any]:
    """Return everything the template fills in."""
    scale = report.colour_scale
    scores = _one_each(report)
    winners = {layer: number for number, member in enumerate(report.chosen, 1) for layer in member}
    examples = _by_turns(report.examples)
    summary = dict(report.summary)
    return {
        "report": report,
        "good_images": summary.pop("good_images"),
        "bundle": shlex.quote(str(summary.pop("bundle", "BUNDLE"))),
        "point": report.operating_point,
        "scales": _scales(report),
        "layers_tried": len({score.layer for score in report.scores}),
        "detectors_tried": list(dict.fromkeys(score.detector for score in report.scores)),
        "has_coarse": any(score.stage != "full" for score in scores),
        "found": _found(report, scores),
        "is_stand_in": not report.found and len(winners) > 1,
        "first_examples": [_shown(example, scale) for example in examples[:3]],
        "gallery": [_shown(example, scale) for example in sorted(examples[:GALLERY], key=lambda example: example.kind)],
        "good_pictures": [_shown_good(image, values, scale) for image, values in report.good_examples[:4]],
        "colour_bar": ", ".join(gradient(11)),
        "winners": _winners(report, scores),
        "members": list(zip(report.chosen, report.shares, strict=True)),
        "layer_chart": layer_chart(scores, winners) if scores else "",
        "histogram": histogram(
            np.asarray(report.calibration_scores, dtype=np.float64), report.operating_point.threshold
        ),
        "region": data_uri(report.region, 880) if report.region is not None else "",
        "trade_off": trade_off_chart(report.options, report.latency_budget) if report.latency_budget else "",
        "trust": trust_section(report.trust, scale),
        "total_seconds": sum(report.timings.values()),
        "findings": shown_findings(report.health, report.picture, None) if report.health else [],
        "typical": shown_typical(report.health, report.picture) if report.health else "",
        "suspects": shown_suspects(report.suspects or (), scale),
        "tables": [
            (name, words.flatten(values))
            for name, values in (("Settings", report.settings), ("Summary", summary), ("Product", report.product))
            if values
        ],
    }


def _by_turns(examples: Sequence[DefectExample]) -> list[DefectExample]:
    """Return the examples reordered so that the kinds take turns."""
    kinds = dict.fromkeys(example.kind for example in examples)
    rounds = zip_longest(*([example for example in examples if example.kind == kind] for kind in kinds))
    return [example for turn in rounds for example in turn if example is not None]


def _scales(report: FitReport) -> list[dict[str, Any]]:
    """Return the three sizes of detail, and whether the chosen layers look at them."""
    strides = {score.layer: score.stride for score in report.scores}
    used = {words.scale_of(strides[layer]) for member in report.chosen for layer in member if layer in strides}
    return [{"name": name, "details": details, "is_used": name in used} for _, name, details in words.SCALES]


def _one_each(report: FitReport) -> list[LayerScore]:
    """Return one row for each kind and layer: its own detector's where it was chosen, else the best in full."""

    def rank(score: LayerScore) -> tuple[bool, bool, float]:
        is_own = report.readers.get(score.layer) == score.detector
        return is_own, score.stage == "full", score.p_h if math.isfinite(score.p_h) else -1.0

    best: dict[tuple[str, str], LayerScore] = {}
    for score in report.scores:
        key = score.defects, score.layer
        if key not in best or rank(score) > rank(best[key]):
            best[key] = score
    return list(best.values())


def _found(report: FitReport, scores: Sequence[LayerScore]) -> list[dict[str, Any]]:
    """Return how well each kind was seen, in figures and words."""
    found: dict[str, Metrics | LayerScore] = dict(report.found)
    if not found:
        chosen = {layer for member in report.chosen for layer in member}
        for row in scores:
            if row.layer not in chosen or math.isnan(row.p_h):
                continue
            if row.defects not in found or row.p_h > found[row.defects].p_h:
                found[row.defects] = row
    return [
        {
            "name": words.kind_name(kind),
            "details": words.kind_looks(kind),
            "grade": words.grade(score.auroc),
            "is_seen_well": score.auroc >= words.SEEN_WELL,
            "score": score,
        }
        for kind, score in found.items()
    ]


def _winners(report: FitReport, scores: Sequence[LayerScore]) -> list[dict[str, Any]]:
    """Return one row per chosen layer, with its share of the map and its P_h per kind."""
    rows = {(score.defects, score.layer): score for score in scores}
    about = {layer: row for (_, layer), row in rows.items()}
    kinds = list(dict.fromkeys(score.defects for score in report.scores))
    return [
        {
            "number": number,
            "layer": layer,
            "detector": report.readers.get(layer, ""),
            "share": share,
            "about": about.get(layer),
            "scale": words.scale_of(about[layer].stride) if layer in about else "–",
            "p_h": {kind: rows[kind, layer].p_h if (kind, layer) in rows else float("nan") for kind in kinds},
        }
        for number, (member, share) in enumerate(zip(report.chosen, report.shares, strict=True), 1)
        for layer in member
    ]


def _shown(example: DefectExample, scale: ColourScale) -> dict[str, Any]:
    """Return one example's picture, outlined picture and heat map for the page."""
    return {
        "name": words.kind_name(example.kind),
        "is_above": bool(example.anomaly_map.max() > scale.threshold),
        "picture": data_uri(example.image, 224),
        "outlined": data_uri(outline(example.image, example.mask, (0, 229, 255), width=2), 224),
        "heat": data_uri(overlay(example.image, example.anomaly_map, scale), 224),
    }


def _shown_good(image: Image, anomaly_map: AnomalyMap, scale: ColourScale) -> dict[str, str]:
    return {"picture": data_uri(image, 224), "heat": data_uri(overlay(image, anomaly_map, scale), 224)}
