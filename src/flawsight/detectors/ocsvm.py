"""One-class support vector machines on pooled features: a baseline of paper C."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from sklearn.svm import OneClassSVM as Machine
from torch import Tensor

from flawsight.core import FlawsightError
from flawsight.detectors.bases.pooled import PooledDetector


@dataclass(eq=False, repr=False)
class OneClassSVM(PooledDetector):
    """A one-class machine with a Gaussian kernel per level; the score is the negated decision function, whose weights
    add up to 1, summed over levels.

    nu: bound on the share of good images outside, 0.5 as in paper C. gamma: width of the kernel; None is
    scikit-learn's `scale`, one over channels times variance.

    >>> detector = OneClassSVM(nu=0.1).fit([features[0][:8]])
    >>> detector.image_scores(features).shape
    torch.Size([12])
    """

    nu: float = 0.5
    gamma: float | None = None

    def _check_parameters(self) -> None:
        if not 0 < self.nu <= 1:
            raise FlawsightError(f"nu {self.nu} must be above 0 and at most 1: it is a share of the good images")
        if self.gamma is not None and self.gamma <= 0:
            raise FlawsightError(f"gamma {self.gamma} must be above 0: leave it out for one that fits the features")

    def _learn_level(self, vectors: Tensor) -> dict[str, Tensor]:
        good = vectors.double().cpu().numpy()
        spread = good.shape[1] * good.var()
        gamma = self.gamma or (1 / spread if spread > 0 else 1.0)
        machine = Machine(kernel="rbf", nu=self.nu, gamma=gamma)
        machine.random_state = 0  # it needs no chance, but would draw a seed from the global state
        machine.fit(good)
        # Its weights add up to nu times the number of images: by their sum, as in Schoelkopf et al. 2001, scores of
        # machines that learned from fewer images, such as those of a calibration's folds, are on the same scale.
        total = machine.dual_coef_.sum()
        numbers = {
            "vectors": machine.support_vectors_,
            "weights": machine.dual_coef_[0] / total,
            "offset": machine.offset_ / total,
            "gamma": [gamma],
        }
        return {
            name: torch.tensor(values, dtype=torch.float64, device=vectors.device) for name, values in numbers.items()
        }

    def _level_scores(self, level: Mapping[str, Tensor], vectors: Tensor) -> Tensor:
        squared = (vectors.double()[:, None] - level["vectors"]).square().sum(2)
        return (level["offset"] - (squared * -level["gamma"]).exp() @ level["weights"]).float()
