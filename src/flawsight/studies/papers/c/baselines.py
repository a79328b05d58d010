"""What paper C compares with (Sec. IV.C): a one-class machine, an autoencoder, and a classifier that sees defects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import torch
from sklearn.base import clone
from sklearn.model_selection import StratifiedKFold

from flawsight.core import INPUT, JOIN, FlawsightError, unknown
from flawsight.data import DEFECTIVE, learn_masks, read_image
from flawsight.detectors import Detector, PooledDetector, make_detectors
from flawsight.features import Extractor
from flawsight.inference import MemberSpec, fit_detectors, predict_raw
from flawsight.settings import StudySettings
from flawsight.studies.classifier import SupervisedClassifier
from flawsight.studies.papers.c.learned import Pooled, auroc_of, kept_images, learned_pictures, pooled
from flawsight.studies.papers.c.measure import measure_levels
from flawsight.studies.papers.c.units import DISTANCES, FOLDS, SUPERVISED, Part
from flawsight.studies.products import Product, network_of, product_of
from flawsight.studies.rows import ERROR
from flawsight.studies.study import Row, Unit

BATCH = {"efficientnet": 16, "resnet": 64}
"""The paper's batches of the classifier, by what the network's name has in it."""


def measure_baselines(units: Sequence[Unit], settings: StudySettings) -> list[Row]:
    """AU-ROC of each approach; what cannot be said of one, and why, is its row."""
    return [_one(unit, settings) for unit in units]


def _one(unit: Unit, settings: StudySettings) -> Row:
    try:
        if unit.method in DISTANCES:
            return measure_levels([unit], settings)[0]
        product, network = product_of(settings, unit), network_of(settings, unit)
        if unit.method == SUPERVISED:
            return supervised(product, network, unit, _own(settings, SUPERVISED))
        given = {name: value for name, value in settings.parameter.items() if not name.startswith(f"{SUPERVISED}.")}
        known = ",".join(name for name in settings.detector if name != SUPERVISED)
        detector = make_detectors(known, given, unit.seed)[unit.method]
        if detector.tags.input == "image":
            return _of_pictures(product, network, unit, detector)
        if isinstance(detector, PooledDetector):
            at = pooled(product, network, tuple(unit.layers.split(JOIN)), unit.seed)
            return _of_vectors(at, unit, detector)
    except FlawsightError as error:
        return {ERROR: str(error)}
    raise FlawsightError(f"'{unit.method}' is no baseline of paper C: it has ocsvm, autoencoder and {SUPERVISED}")


def _own(settings: StudySettings, name: str) -> dict[str, Any]:
    given = settings.parameter.items()
    return {key.removeprefix(f"{name}."): value for key, value in given if key.startswith(f"{name}.")}


def _of_vectors(at: Pooled, unit: Unit, detector: Detector) -> Row:
    """Of a detector of pooled vectors, which are maps of one position; it sums over the levels itself."""
    part = Part.of(unit.variant)
    images = kept_images(len(at.product.good), part.fold, at.seed)
    learned = [at.vectors(name, images, part) for name in at.names]
    detector.fit([[vectors.float()[:, :, None, None] for vectors in learned]])
    scores = detector.image_scores([at.test[name].float()[:, :, None, None] for name in at.names])
    return {"auroc": auroc_of(scores.cpu().numpy(), at.labels)}


def _of_pictures(product: Product, network: Extractor, unit: Unit, detector: Detector) -> Row:
    """Of a detector of pictures: by its own score, and by connected components as large as the smallest defect.

    Noise is left out of the changes, as in the paper.
    """
    learned = learned_pictures(product, Part.of(unit.variant), unit.seed, without="noise")
    fit_detectors(network, learned, [MemberSpec((INPUT,), detector)])
    labels = np.array(product.labels)

    def asked(one: Detector) -> float | None:
        (found,) = predict_raw(network, product.test, [MemberSpec((INPUT,), one)])
        assert found.scores is not None
        return auroc_of(found.scores, labels)

    row = {"auroc": asked(detector), "auroc_component": None}
    area = least_area(product) if "least_area" in detector.get_params() else None
    if area is not None:
        by_component = clone(detector).set_params(score="component", least_area=area)
        row["auroc_component"] = asked(by_component.load_state_dict(detector.state_dict()))
    return row


def least_area(product: Product) -> float | None:
    """The smallest 8-connected region of the test images' masks, as a share of its image; None without masks."""
    masks, areas = learn_masks(product.samples), []
    for sample in product.samples:
        if sample.label == DEFECTIVE and sample.masks:
            mask = masks.of(sample, read_image(sample.path).shape[:2])
            if mask is not None and mask.any():
                _, _, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
                areas.append(float(stats[1:, cv2.CC_STAT_AREA].min()) / mask.size)
    return min(areas, default=None)


def supervised(product: Product, network: Extractor, unit: Unit, parameters: dict[str, Any]) -> Row:
    """A classifier on four fifths of all images of the product, good and defective, and its AU-ROC on the fifth."""
    classifier = _classifier(network, unit.seed, parameters)
    squares = [*(product.good[number] for number in range(len(product.good))), *product.test]
    labels = np.array([0] * len(product.good) + product.labels)
    if min(np.bincount(labels, minlength=2)) < FOLDS:
        counts = f"{(labels == 0).sum()} good and {(labels == 1).sum()} defective"
        raise FlawsightError(f"{counts} images are too few for {FOLDS} folds of either: label {FOLDS} or more")
    cut = StratifiedKFold(FOLDS, shuffle=True, random_state=unit.seed).split(labels, labels)
    learned, asked = list(cut)[Part.of(unit.variant).fold - 1]

    def pixels(rows: np.ndarray) -> torch.Tensor:
        return network.pixels([squares[row] for row in rows])

    classifier.fit(pixels(learned), labels[learned])
    scores = classifier.image_scores(pixels(asked)).cpu().numpy()
    return {"auroc": auroc_of(scores, labels[asked]), "labelled": float(labels[learned].sum())}


def _classifier(network: Extractor, seed: int, parameters: dict[str, Any]) -> SupervisedClassifier:
    own = network.network
    usual = next((size for name, size in BATCH.items() if name in network.name), BATCH["efficientnet"])
    classifier = SupervisedClassifier(own.module, own.mean, own.std, batch_size=usual, seed=seed)
    for name in parameters:
        if name not in classifier.get_params(deep=False):
            raise unknown("parameter of the supervised classifier", name, classifier.get_params(deep=False))
    return classifier.set_params(**parameters)
