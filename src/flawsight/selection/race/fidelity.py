"""Rounds: how much is spent on a trial. A coarse one ranks all layers; a full one measures those that may still win."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from flawsight.detectors import Detector
from flawsight.selection.evaluator import Evaluator
from flawsight.selection.validation import ValidationSet

COARSE_SIDE = 32


@dataclass(frozen=True, eq=False)
class Fidelity:
    """One way to measure layers: detectors by name, the images they learn from and are measured on, who measures."""

    name: str
    detectors: dict[str, Detector]
    validation: ValidationSet
    evaluator: Evaluator
    keeps_maps: bool

    @property
    def steps(self) -> int:
        """Steps of progress for each group of layers: images through the network, and again those learned from."""
        return 2 * len(self.validation.train) + len(self.validation.measured)


def high_fidelity(detectors: Mapping[str, Detector], validation: ValidationSet, side: int) -> Fidelity:
    """The detectors as they are, on the whole validation set; maps are judged at `side` pixels."""
    return Fidelity("full", dict(detectors), validation, validation.evaluator(side), keeps_maps=True)


def low_fidelity(detectors: Mapping[str, Detector], validation: ValidationSet, side: int) -> Fidelity:
    """A few images, each detector's own coarse form, half the resolution of the full round.

    Its cost does not grow with the number of images.
    """
    few = validation.fewer()
    coarse = {name: detector.low_fidelity() for name, detector in detectors.items()}
    return Fidelity("coarse", coarse, few, few.evaluator(max(COARSE_SIDE, side // 2)), keeps_maps=False)
