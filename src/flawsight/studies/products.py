"""What units are measured on: a category's good images to learn from, and its test images with what is true of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from flawsight.core import FlawsightError
from flawsight.data import (
    DEFECTIVE,
    GOOD,
    Dataset,
    learn_masks,
    learn_pixel_format,
    open_dataset,
    read_image,
)
from flawsight.features import RANDOM_WEIGHTS, Extractor
from flawsight.inspection.evaluation import test_samples
from flawsight.metrics import PixelTruth, auroc, harmonic_mean
from flawsight.scoring import RawPrediction, upsample
from flawsight.settings import StudySettings
from flawsight.studies.study import Unit
from flawsight.views import ImageCache, resize_image


@dataclass(frozen=True, eq=False)
class Product:
    """A category at one image size: squares (S, S, 3) uint8 to learn from and to test on.

    `truth` covers the test images `marked`, those whose defects are known by their pixels; None where no mask is.
    """

    side: int
    paths: list[Path]
    good: Sequence[np.ndarray]
    samples: Dataset
    test: Sequence[np.ndarray]
    truth: PixelTruth | None
    marked: tuple[int, ...]

    @property
    def labels(self) -> list[int]:
        """Of the test images: 0 good, 1 defective."""
        return [int(sample.label == DEFECTIVE) for sample in self.samples]

    def measured(self, found: RawPrediction, *, pixel_auroc: bool = False) -> dict[str, float | None]:
        """`figures` of what was found in `test`; an image's score is the detector's own, or the maximum of its map."""
        maps = self.upsampled(found.maps)
        scores = maps.max(axis=(1, 2)) if found.scores is None else found.scores
        return self.figures(maps, scores, pixel_auroc=pixel_auroc)

    def upsampled(self, maps: np.ndarray) -> np.ndarray:
        """Grid maps (N, h, w) of the test images, smoothed and at this size."""
        return np.stack([upsample(one, self.side) for one in maps])

    def figures(self, maps: np.ndarray, scores: np.ndarray, *, pixel_auroc: bool = False) -> dict[str, float | None]:
        """AU-ROC of scores (N,), AU-PRO up to 0.3 of maps (N, S, S) and their harmonic mean P_h (Eq. 3 of paper A).

        None for what cannot be said: without good and defective images, or without masks. `pixel_auroc`: with the
        pixels' AU-ROC.
        """
        labels, marked = self.labels, maps[list(self.marked)]
        image = auroc(scores, labels) if len(set(labels)) == 2 else None
        pixel = None if self.truth is None else self.truth.aupro(marked)
        both = None if image is None or pixel is None else harmonic_mean(image, pixel)
        figures = {"auroc": image, "aupro": pixel, "p_h": both}
        if pixel_auroc:
            figures["pixel_auroc"] = None if self.truth is None else self.truth.pixel_auroc(marked)
        return figures


def product_of(settings: StudySettings, unit: Unit) -> Product:
    """The product that a unit is measured on, as the settings say; the last few are kept.

    At most `most_good` good images, drawn by the unit's seed, and `most_test` test images, the same for every seed.
    """
    assert settings.data is not None
    few = settings.most_good, settings.most_test
    return _product(settings.data, unit.category, unit.image_size, *few, unit.seed if settings.most_good else 0)


@lru_cache(maxsize=2)
def _product(data: Path, category: str, side: int, most_good: int | None, most_test: int | None, seed: int) -> Product:
    dataset = open_dataset(data, category=category)
    paths = sorted(sample.path for sample in dataset.select("train", GOOD))
    if not paths:
        raise FlawsightError(f"'{dataset.root}' has no good images to learn from apart from those to test on")
    paths = [paths[at] for at in drawn(len(paths), most_good, seed)]
    known = test_samples(dataset)
    chosen = [known[at] for at in drawn(len(known), most_test, 0)]
    pixels = learn_pixel_format(paths)
    masks = learn_masks(chosen)
    test, truths = [], []
    for sample in chosen:
        picture = read_image(sample.path, pixels=pixels)
        test.append(resize_image(picture, side))
        mask = masks.of(sample, picture.shape[:2])
        truths.append(None if mask is None else cv2.resize(mask.view(np.uint8), (side, side), interpolation=0) > 0)
    marked = tuple(at for at, mask in enumerate(truths) if mask is not None)
    known_truths = [mask for mask in truths if mask is not None]
    return Product(
        side,
        paths,
        ImageCache(paths, side, pixels=pixels),
        Dataset(chosen, dataset.root, dataset.layout),
        test,
        PixelTruth(known_truths) if any(mask.any() for mask in known_truths) else None,
        marked,
    )


def drawn(count: int, most: int | None, seed: int) -> np.ndarray:
    """At most so many of the numbers below `count`, in order; None: all."""
    return np.sort(np.random.default_rng(seed).permutation(count)[:most])


def network_of(settings: StudySettings, unit: Unit) -> Extractor:
    """The network of a unit, random ones by its seed; the last two are kept."""
    weights = weights_of(settings, unit)
    seed = unit.seed if weights == RANDOM_WEIGHTS else 0
    return _network(unit.extractor, weights, unit.image_size, settings.device, seed=seed)


def weights_of(settings: StudySettings, unit: Unit) -> str | None:
    """The file of a unit's weights, `random`, or None for the usual ones."""
    return next((file for file in settings.weights if Path(file).name == unit.weights), None)


_network = lru_cache(maxsize=2)(Extractor)
