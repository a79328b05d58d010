"""Rounds: how much is spent on a trial. A coarse one ranks all layers; a full one measures those that may still win."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from flawsight.detectors import Detector
from flawsight.selection.evaluator import LayerEvaluator
from flawsight.selection.validation import ValidationSet

COARSE_TRAIN, COARSE_GOOD, COARSE_BAD = 48, 24, 12
COARSE_SIDE = 32


@dataclass(frozen=True, eq=False)
class Fidelity:
    """One way to measure layers: detectors by name, the images they learn from and are measured on, who measures."""

    name: str
    detectors: dict[str, Detector]
    validation: ValidationSet
    evaluator: LayerEvaluator
    keeps_maps: bool

    @property
    def steps(self) -> int:
        """Steps of progress for each group of layers: images through the network, and again those learned from."""
        return 2 * len(self.validation.train) + len(self.validation.measured)


def high_fidelity(detectors: Mapping[str, Detector], validation: ValidationSet, side: int) -> Fidelity:
    """The detectors as they are, on the whole validation set; maps are judged at `side` pixels."""
    return Fidelity("full", dict(detectors), validation, LayerEvaluator(validation, side), keeps_maps=True)


def low_fidelity(detectors: Mapping[str, Detector], validation: ValidationSet, side: int) -> Fidelity:
    """A few images, each detector's own coarse form, half the resolution of the full round.

    Its cost does not grow with the number of images.
    """
    few = fewer(validation)
    coarse = {name: detector.low_fidelity() for name, detector in detectors.items()}
    return Fidelity("coarse", coarse, few, LayerEvaluator(few, max(COARSE_SIDE, side // 2)), keeps_maps=False)


def fewer(validation: ValidationSet) -> ValidationSet:
    """A few images of each part; the kinds of defects take turns over the images that carry them."""
    bad = {}
    for turn, (kind, (images, masks)) in enumerate(validation.bad.items()):
        drawn = spaced(len(images), COARSE_BAD, turn, len(validation.bad))
        bad[kind] = ([images[i] for i in drawn], [masks[i] for i in drawn])
    train = [validation.train[i] for i in spaced(len(validation.train), COARSE_TRAIN)]
    good = [validation.good[i] for i in spaced(len(validation.good), COARSE_GOOD)]
    return ValidationSet(train, good, bad, validation.product)


def spaced(count: int, most: int, turn: int = 0, turns: int = 1) -> np.ndarray:
    """At most `most` evenly spaced indices below `count`; each of the `turns` takes others where there are enough."""
    if count <= most:
        return np.arange(count)
    return (np.arange(most) * turns + turn) * count // (most * turns)
