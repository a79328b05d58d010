"""How well an inspector does on a labelled data set."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from flawsight.core import (
    FlawsightError,
    Progress,
    all_of,
    default_progress,
    readable_document,
    writable_folder,
    write_whole,
)
from flawsight.data import (
    DEFECTIVE,
    GOOD,
    MAX_PIXELS,
    Dataset,
    Masks,
    Sample,
    learn_masks,
    read_image,
)
from flawsight.inspection.found_by_size import FoundBySize
from flawsight.inspection.inspector import Inspector
from flawsight.inspection.onlooker import Onlooker
from flawsight.inspection.pixel_truth import PixelResults, Resolution
from flawsight.metrics import evaluate_maps
from flawsight.report import write_found_page
from flawsight.settings import EvaluateSettings

FOUND_PAGE = "pod.html"


def evaluate(
    inspector: Inspector,
    dataset: Dataset,
    resolution: Resolution = "native",
    max_pixels: int = MAX_PIXELS,
    advance: Callable[[float], None] | None = None,
    warn: Callable[[str], object] = warnings.warn,
) -> dict[str, Any]:
    """The figures of `metrics.evaluate_maps` over the labelled test samples of `dataset`.

    Maps meet masks at each image's own size, as in the official code, or at `resolution` x `resolution`; where maps at
    their own size would not fit in memory, at a smaller one, and "warnings" says so. What the masks mean is decided
    from all of them first; "masks" says how. What is found above the inspector's pixel threshold is counted too. On
    MVTec LOCO AD defects saturate as its defects_config.json says. `warn` is told where the good images differ as a
    whole from those learned.

    >>> figures = evaluate(inspector, fs.data.open_dataset(dataset))
    >>> figures["images"], figures["auroc"], list(figures["kinds"])
    (6, 1.0, ['spot'])
    """
    samples = test_samples(dataset)
    errors: list[FlawsightError] = []
    truth = _masks(samples, errors)
    labels, scores = [], []
    pixels = PixelResults(dataset, samples, truth, resolution)
    onlooker, by_size = Onlooker(inspector), FoundBySize(inspector.manifest.pod)
    for start in range(0, len(samples), inspector.at_once):
        chunk = samples[start : start + inspector.at_once]
        images = [one for sample in chunk if (one := _read(sample, max_pixels, inspector, errors)) is not None]
        if errors:
            continue  # nothing is measured any more, only looked for what else is wrong
        onlooker.see([image for image, sample in zip(images, chunk, strict=True) if sample.label == GOOD])
        for sample, result in zip(chunk, inspector.inspect_many(images), strict=True):
            labels.append(int(sample.label == DEFECTIVE))
            scores.append(result.score)
            by_size.add(pixels.add(sample, result.anomaly_map), result.is_defective)
        if advance:
            advance(len(chunk))
    if errors:
        raise all_of(f"not all of {len(samples)} test images and their masks can be used", errors)
    onlooker.tell(warn)
    figures = evaluate_maps(
        scores,
        labels,
        pixels.maps,
        pixels.masks,
        inspector.threshold,
        kinds=[sample.kind for sample in samples],
        pixel_threshold=inspector.pixel_threshold,
        defects=pixels.defects,
    )
    return figures | {
        "pod": by_size.figures(inspector.threshold),
        "masks": truth.to_dict(),
        "warnings": [*dataset.notes, *truth.warnings, *pixels.warnings],
    }


def evaluate_to_folder(
    inspector: Inspector, dataset: Dataset, settings: EvaluateSettings, progress: Progress | None = None
) -> tuple[dict[str, Any], Path]:
    """`evaluate`, with its figures and warnings in metrics.json of the settings' folder, and that file.

    Where masks mark the defects, pod.html beside it shows how many were found of which size."""
    found: list[str] = []
    path = writable_folder(settings.out) / "metrics.json"
    with (progress or default_progress()).stage("Inspecting", len(test_samples(dataset))) as advance:
        figures = evaluate(inspector, dataset, settings.resolution, settings.max_pixels, advance, found.append)
    figures["warnings"] += found
    write_whole(path, json.dumps(readable_document(figures), indent=2) + "\n")
    if figures["pod"] is not None:
        write_found_page(path.with_name(FOUND_PAGE), dataset.root.resolve().name, figures["pod"])
    return figures, path


def test_samples(dataset: Dataset) -> Sequence[Sample]:
    """The test samples whose label is known; an error when there is none."""
    samples = [sample for sample in dataset.select(split="test") if sample.label is not None]
    if not samples:
        raise FlawsightError(f"'{dataset.root}' has no labelled test images: evaluate needs good and defective ones")
    return samples


def _masks(samples: Sequence[Sample], errors: list[FlawsightError]) -> Masks:
    """What the masks mean; what is wrong with them is noted."""
    try:
        return learn_masks(samples)
    except FlawsightError as error:
        errors.append(error)
        return Masks()


def _read(sample: Sample, max_pixels: int, inspector: Inspector, errors: list[FlawsightError]) -> np.ndarray | None:
    """The sample's image, or None where it is bad, which is noted."""
    try:
        image = read_image(sample.path, max_pixels, inspector.manifest.data.pixels)
        inspector.frame(image, str(sample.path))
        return image
    except FlawsightError as error:
        errors.append(error)
        return None
