"""The products that nothing is chosen on: their test images, how answers are measured, rows that go on after a stop."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from flawsight.data import Dataset, Masks, Sample
from flawsight.inspection import Inspector
from flawsight.metrics import PixelTruth, auroc, harmonic_mean
from flawsight.scoring import upsample

CATEGORIES = (
    "magnetic_tile",
    "kolektorsdd_tiles",
    "cookie",
    "paper_pa_bft01_tl",
    "paper_pa_gla01_tl",
    "paper_pa_fvn01_tl",
    "paper_pa_btn01_rl",
)
SIDE = 256


def draw_test(dataset: Dataset, most: int) -> Dataset:
    """At most so many test images, the same for every seed and method."""
    samples = list(dataset.select(split="test"))
    drawn = np.sort(np.random.default_rng(0).permutation(len(samples))[:most])
    return Dataset([samples[i] for i in drawn], dataset.root, dataset.layout)


def chosen(inspector: Inspector) -> str:
    return " ".join(
        f"{'+'.join(member.layers)}:{member.calibration.weight:.2f}" for member in inspector.manifest.members
    )


def small_mask(sample: Sample, picture: np.ndarray) -> np.ndarray:
    mask = Masks().of(sample, picture.shape[:2])
    assert mask is not None, f"{sample.path} has no mask"
    return cv2.resize(mask.view(np.uint8), (SIDE, SIDE), interpolation=cv2.INTER_NEAREST) > 0


def measure(
    grid_maps: np.ndarray, labels: Sequence[int | None], truth: PixelTruth, scores: np.ndarray | None = None
) -> tuple[float, float, float]:
    """AU-ROC of the scores, or else of the maps' maxima, AU-PRO, and their harmonic mean."""
    maps = np.stack([upsample(one, SIDE) for one in grid_maps])
    image, pixel = auroc(maps.max(axis=(1, 2)) if scores is None else scores, labels), truth.aupro(maps)
    return image, pixel, harmonic_mean(image, pixel)


def rows_done(table: Path, *columns: str) -> set[tuple]:
    """The values of these columns in every row that a study has made before."""
    if not table.exists():
        return set()
    return set(pd.read_csv(table)[list(columns)].itertuples(index=False, name=None))


def append_rows(table: Path, columns: Sequence[str], rows: list[dict]) -> None:
    new = not table.exists()
    with table.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns)
        if new:
            writer.writeheader()
        writer.writerows(rows)
