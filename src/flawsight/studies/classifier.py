"""The fully supervised classifier of paper C (Sec. IV.C): what one could reach with labelled defects."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Self, cast

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn
from torch.nn import functional

from flawsight.core import FlawsightError
from flawsight.training import Schedule, seeded, train

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(eq=False, repr=False)
class SupervisedClassifier(BaseEstimator):
    """A pretrained network fine-tuned to tell good images (label 0) from defective ones (label 1).

    No detector: it sees labelled defects, and so is an upper bound to compare detectors with. network: of torchvision
    or timm, left as it is; a copy with one output is trained. mean, std: the normalisation that its weights expect.
    validation: share of either label held out of training; the state with the highest AU-ROC there is kept, as in
    the paper, the later of equals. batch_size: 16 for EfficientNets, 64 for ResNets there.

    >>> untrained = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 8 * 8, 2))
    >>> pictures, labels = torch.rand(8, 3, 8, 8), [0, 1] * 4
    >>> classifier = SupervisedClassifier(untrained, epochs=2).fit(pictures, labels)
    >>> classifier.image_scores(pictures).shape
    torch.Size([8])
    """

    network: nn.Module
    mean: Sequence[float] = IMAGENET_MEAN
    std: Sequence[float] = IMAGENET_STD
    epochs: int = 20
    batch_size: int = 16
    learning_rate: float = 1e-4
    validation: float = 0.25
    seed: int = 0

    def fit(self, X: Tensor, y: Any) -> Self:
        """Learn from images (N, 3, S, S) in [0, 1] and their labels (N,), at least two images of either label."""
        labels = np.asarray(y)
        held_out = self._held_out(X, labels)
        with seeded(self.seed):  # all along: dropout draws from the global state
            self.network_ = self._trained(X, labels, held_out)
        return self

    def _trained(self, images: Tensor, labels: np.ndarray, held_out: np.ndarray) -> nn.Module:
        device = images.device
        network = with_one_output(self.network).to(device)
        optimizer = torch.optim.Adam(network.parameters(), self.learning_rate)
        learn, check = (torch.from_numpy(np.flatnonzero(rows)) for rows in (~held_out, held_out))
        targets = torch.tensor(labels, dtype=torch.float32, device=device)

        def loss(rows: Tensor, generator: torch.Generator) -> Tensor:
            del generator
            chosen = learn[rows].to(device)
            return functional.binary_cross_entropy_with_logits(self._logits(network, images[chosen]), targets[chosen])

        self.validation_auroc_: list[float] = []
        best: dict[str, Tensor] = {}
        for epoch in range(self.epochs):
            size, seed = self.batch_size, self.seed + epoch
            train(network, optimizer, loss, len(learn), Schedule(batch_size=size, epochs=1, seed=seed))
            scores = self._scores(network, images[check.to(device)])
            self.validation_auroc_.append(float(roc_auc_score(labels[held_out], scores.cpu().numpy())))
            if self.validation_auroc_[-1] >= max(self.validation_auroc_):
                best = {name: values.clone() for name, values in network.state_dict().items()}
        network.load_state_dict(best)
        return network

    def image_scores(self, images: Tensor) -> Tensor:
        """Scores (N,) of images (N, 3, S, S) in [0, 1]: the logit of being defective."""
        if not hasattr(self, "network_"):
            raise NotFittedError("this SupervisedClassifier has learned nothing yet: call fit first")
        return self._scores(self.network_.to(images.device), images)

    @torch.no_grad()
    def _scores(self, network: nn.Module, images: Tensor) -> Tensor:
        return torch.cat([self._logits(network, batch) for batch in images.split(self.batch_size)])

    def _logits(self, network: nn.Module, images: Tensor) -> Tensor:
        mean, std = (images.new_tensor(values).view(3, 1, 1) for values in (self.mean, self.std))
        return cast(Tensor, network((images - mean) / std)).flatten()

    def _held_out(self, images: Tensor, labels: np.ndarray) -> np.ndarray:
        """Which images serve to choose the best state: a seeded share of either label."""
        if self.epochs < 1 or self.batch_size < 1 or not 0 < self.validation < 1:
            raise FlawsightError("epochs and batch_size must be 1 or more, and validation a share between 0 and 1")
        if images.ndim != 4 or images.shape[1] != 3 or labels.shape != (len(images),):
            raise FlawsightError("pass images (N, 3, S, S) and one label each, 0 for good and 1 for defective")
        if not np.isin(labels, (0, 1)).all():
            raise FlawsightError(f"labels must be 0 for good and 1 for defective, not {np.unique(labels).tolist()}")
        held_out = np.zeros(len(labels), bool)
        rng = np.random.default_rng(self.seed)
        for label in (0, 1):
            of_label = rng.permutation(np.flatnonzero(labels == label))
            if len(of_label) < 2:
                kind = "defective" if label else "good"
                raise FlawsightError(f"{len(of_label)} {kind} images are too few to learn from and to check: label two")
            count = min(len(of_label) - 1, max(1, round(self.validation * len(of_label))))
            held_out[of_label[:count]] = True
        return held_out


def with_one_output(network: nn.Module) -> nn.Module:
    """A trainable copy of a classification network whose last linear layer has a single output."""
    copy = deepcopy(network).requires_grad_(True)
    if hasattr(copy, "reset_classifier"):  # every network of timm
        copy.reset_classifier(1)  # type: ignore[operator]
        return copy
    linear = [name for name, module in copy.named_modules() if isinstance(module, nn.Linear)]
    if not linear:
        raise FlawsightError(f"{type(network).__name__} has no linear layer to replace: pass a classification network")
    parent, _, name = linear[-1].rpartition(".")
    setattr(copy.get_submodule(parent), name, nn.Linear(cast(int, copy.get_submodule(linear[-1]).in_features), 1))
    return copy
