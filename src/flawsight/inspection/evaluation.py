"""How well an inspector does on a labelled data set."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import cv2
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
from flawsight.data import DEFECTIVE, GOOD, MAX_PIXELS, Dataset, Sample, read_image, read_mask
from flawsight.inspection.inspector import CHUNK, Inspector
from flawsight.metrics import evaluate_maps
from flawsight.settings import EvaluateSettings

Resolution = int | Literal["native"]


def evaluate(
    inspector: Inspector,
    dataset: Dataset,
    resolution: Resolution = "native",
    max_pixels: int = MAX_PIXELS,
    advance: Callable[[float], None] | None = None,
) -> dict[str, Any]:
    """The figures of `metrics.evaluate_maps` over the labelled test samples of `dataset`.

    Maps meet masks at each image's own size, as in the official code, or at `resolution` x `resolution`.
    """
    samples = test_samples(dataset)
    labels, scores, maps, masks = [], [], [], []
    errors: list[FlawsightError] = []
    for start in range(0, len(samples), CHUNK):
        chunk = samples[start : start + CHUNK]
        read = [one for sample in chunk if (one := _read(sample, max_pixels, errors)) is not None]
        if errors:
            continue  # nothing is measured any more, only looked for what else is wrong
        results = inspector.inspect_many([image for image, _ in read])
        for sample, (_, mask), result in zip(chunk, read, results, strict=True):
            labels.append(int(sample.label == DEFECTIVE))
            scores.append(result.score)
            maps.append(_resized(result.anomaly_map, resolution, cv2.INTER_LINEAR))
            masks.append(None if mask is None else _resized(mask.view(np.uint8), resolution, cv2.INTER_NEAREST) > 0)
        if advance:
            advance(len(chunk))
    if errors:
        raise all_of(f"{len(errors)} of {len(samples)} test images cannot be used", errors)
    has_masks = any(mask is not None for mask, label in zip(masks, labels, strict=True) if label)
    return evaluate_maps(
        scores,
        labels,
        maps if has_masks else None,
        masks if has_masks else None,
        inspector.threshold,
        kinds=[sample.kind for sample in samples],
    )


def evaluate_to_folder(
    inspector: Inspector, dataset: Dataset, settings: EvaluateSettings, progress: Progress | None = None
) -> tuple[dict[str, Any], Path]:
    """`evaluate`, with its figures in metrics.json of the settings' folder, and that file."""
    path = writable_folder(settings.out) / "metrics.json"
    with (progress or default_progress()).stage("Inspecting", len(test_samples(dataset))) as advance:
        figures = evaluate(inspector, dataset, settings.resolution, settings.max_pixels, advance)
    write_whole(path, json.dumps(readable_document(figures), indent=2) + "\n")
    return figures, path


def test_samples(dataset: Dataset) -> Sequence[Sample]:
    """The test samples whose label is known; an error when there is none."""
    samples = [sample for sample in dataset.select(split="test") if sample.label is not None]
    if not samples:
        raise FlawsightError(f"'{dataset.root}' has no labelled test images: evaluate needs good and defective ones")
    return samples


def _read(sample: Sample, max_pixels: int, errors: list[FlawsightError]) -> tuple[np.ndarray, np.ndarray | None] | None:
    """The sample's image and mask, or None where one of them is bad, which is noted."""
    try:
        image = read_image(sample.path, max_pixels)
        return image, mask_of(sample, image.shape[:2])
    except FlawsightError as error:
        errors.append(error)
        return None


def mask_of(sample: Sample, size: tuple[int, int]) -> np.ndarray | None:
    """The sample's bool mask: all False for a good image, None where a defective one has no mask file."""
    if sample.label == GOOD:
        return np.zeros(size, bool)
    return None if sample.mask_path is None else read_mask(sample.mask_path, size)


def _resized(values: np.ndarray, resolution: Resolution, interpolation: int) -> np.ndarray:
    if resolution == "native":
        return values
    return cv2.resize(values, (resolution, resolution), interpolation=interpolation)
