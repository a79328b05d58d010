"""Scores of real pictures before and after something changed on the line, for `drift`.

The good pictures of a product, in order of their names, are cut in the middle: the first half is the lot that is
learned from and inspected, the second half is the later lot. No picture is both learned from and inspected. Scores of
good pictures are in the order of their names.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path

import cv2
import numpy as np

from flawsight.core import FlawsightError, write_whole
from flawsight.data import DEFECTIVE, GOOD, open_dataset
from flawsight.features import Extractor
from flawsight.inspection import Inspector
from flawsight.pipeline import fit

LEARNED, GOOD_INSPECTED, DEFECTIVE_INSPECTED = 100, 200, 40
Change = Callable[[np.ndarray], np.ndarray]
Scores = dict[str, dict[str, list[float]]]
"""By condition, of `good` and `defective` pictures; `calibration` has those of the fit as `good`."""


def gain(factor: float) -> Change:
    return lambda image: np.clip(image * factor, 0, 255).astype(np.uint8)


def blur(sigma: float) -> Change:
    return lambda image: cv2.GaussianBlur(image, (0, 0), sigma)


def moved(share: float) -> Change:
    """The part lies so much of the width further to the right and down; the edge goes on."""

    def change(image: np.ndarray) -> np.ndarray:
        step = round(share * image.shape[1])
        matrix = np.array([[1, 0, step], [0, 1, step]], np.float32)
        size = (image.shape[1], image.shape[0])
        return cv2.warpAffine(image, matrix, size, borderMode=cv2.BORDER_REFLECT_101)

    return change


def dirt(spots: int, depth: float) -> Change:
    """Soft dark spots of 3 % of the width, always at the same places, that take `depth` of the light."""

    def change(image: np.ndarray) -> np.ndarray:
        height, width = image.shape[:2]
        rows, columns = np.mgrid[:height, :width]
        kept = np.ones((height, width), np.float32)
        for y, x in np.random.default_rng(11).uniform(0.15, 0.85, (spots, 2)):
            distance = np.hypot(rows - y * height, columns - x * width) / (0.03 * width)
            kept *= 1 - depth * np.exp(-(distance**2) / 2)
        return (image * kept[..., None]).astype(np.uint8)

    return change


CHANGES: dict[str, Change] = {
    "brightness +5 %": gain(1.05),
    "brightness +20 %": gain(1.2),
    "blur, 0.7 pixels": blur(0.7),
    "blur, 1.5 pixels": blur(1.5),
    "part moved, 2 %": moved(0.02),
    "part moved, 8 %": moved(0.08),
    "lens dirt, 1 faint spot": dirt(1, 0.15),
    "lens dirt, 4 dark spots": dirt(4, 0.5),
}
UNCHANGED, LATER, CALIBRATION = "unchanged", "a later lot", "calibration"


def scores_of(data: Path, products: Iterable[str], seeds: Iterable[int], kept: Path | None) -> dict[str, Scores]:
    """By `PRODUCT SEED`; what `kept`, a file, has already is not measured again."""
    found: dict[str, Scores] = json.loads(kept.read_text()) if kept is not None and kept.exists() else {}
    for product in products:
        for seed in seeds:
            key = f"{product} {seed}"
            if key not in found:
                found[key] = measured(data / product, seed)
                print(f"scored {key}", flush=True)
                if kept is not None:
                    write_whole(kept, json.dumps(found))
    return found


def measured(folder: Path, seed: int) -> Scores:
    """One fit of the fixed pair of layers, and its scores."""
    samples = open_dataset(folder)
    good = in_order(one.path for one in samples if one.label == GOOD)
    defective = sorted(one.path for one in samples if one.label == DEFECTIVE)
    rng = np.random.default_rng([seed, 5])
    lot = rng.permutation(np.array(good[: len(good) // 2]))
    later = in_order(rng.permutation(np.array(good[len(good) // 2 :]))[:GOOD_INSPECTED])
    learned, unseen = lot[:LEARNED].tolist(), in_order(lot[LEARNED:][:GOOD_INSPECTED])
    bad = rng.permutation(np.array(defective))[:DEFECTIVE_INSPECTED]
    if len(unseen) < GOOD_INSPECTED / 2:
        raise FlawsightError(f"'{folder}' has too few good pictures: {len(good)}")
    inspector = fit(learned, fixed_layers=[[name] for name in Extractor().default_pair], seed=seed)
    found: Scores = {CALIBRATION: {"good": list(inspector.manifest.calibration.scores)}}
    for name, change in {UNCHANGED: lambda image: image, **CHANGES}.items():
        found[name] = {"good": scored(inspector, unseen, change), "defective": scored(inspector, bad, change)}
    found[LATER] = {"good": scored(inspector, later, lambda image: image), "defective": found[UNCHANGED]["defective"]}
    return found


def in_order(paths: Iterable[Path]) -> list[Path]:
    return sorted(paths, key=lambda path: path.name)


def scored(inspector: Inspector, paths: Iterable[Path], change: Change) -> list[float]:
    images = [change(inspector.read(path)) for path in paths]
    return [
        result.score
        for start in range(0, len(images), 16)
        for result in inspector.inspect_many(images[start : start + 16])
    ]
