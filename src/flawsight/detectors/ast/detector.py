"""Asymmetric student-teacher (Rudolph et al. 2023): a convolutional student of a normalising flow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self, cast

import torch
from sklearn.base import clone
from torch import Tensor, nn

from flawsight.core import FlawsightError
from flawsight.detectors.ast.network import Form, StudentTeacher
from flawsight.detectors.base import DetectorTags, FeatureMaps
from flawsight.detectors.bases.flow_network import Shape, negative_log_likelihood, trainable
from flawsight.detectors.bases.flows import FlowDetector
from flawsight.training import Loss, Schedule, TrainingContext, train

SCORES = ("max", "mean")
COARSE_COUPLINGS = 2
COARSE_GRID = 16
COARSE_WIDTH = 16
COARSE_EPOCHS = 3
COARSE_BATCH = 2


@dataclass(eq=False, repr=False)
class AsymmetricStudentTeacher(FlowDetector):
    """Squared distance of a student's answer to that of a flow, both trained on good images only.

    The teacher, a flow whose couplings know the position, makes good maps standard normal; the student, an ordinary
    network, learns the teacher's answers, and away from good images the two part. Several layers are resized
    bilinearly to the finest grid and concatenated.

    couplings, hidden, clamp: blocks of the teacher, hidden channels of their networks, bound of their log scale.
    width, blocks: channels and residual blocks of the student; the official width is 1024, far too slow without a GPU.
    encoding: dimensions of the positional encoding, a multiple of 4. epochs: of the teacher, and as many of the student
    (3 x 40 in paper B). standardise: subtract each channel's mean and divide by its deviation over good images; the
    official code takes features as they are, but other layers than its own can be of any scale, and the fixed learning
    rate is for one. score: an image's is the `max` of its map, or the `mean`. max_grid: finer maps are average-pooled
    to so many positions a side, which decides what training costs; None keeps all, as the official code does (24 x 24).
    mixed_precision: train in bfloat16 where that is safe.

    >>> detector = AsymmetricStudentTeacher(couplings=1, hidden=8, width=8, blocks=1, epochs=1).fit(features)
    >>> detector.anomaly_maps(features).shape
    torch.Size([12, 8, 8])
    """

    couplings: int = 4
    hidden: int = 64
    clamp: float = 1.9
    width: int = 128
    blocks: int = 4
    encoding: int = 32
    standardise: bool = True
    score: str = "max"
    epochs: int = 120
    batch_size: int = 8
    learning_rate: float = 2e-4
    weight_decay: float = 1e-5
    max_grid: int | None = 16
    mixed_precision: bool = False
    seed: int = 0

    @property
    def tags(self) -> DetectorTags:
        """Learning is slow; an image's score is its own where `score` is the mean."""
        return DetectorTags(
            image_score=self.score == "mean", cv_folds=2, position_bound=True, exportable=True, scale_varies=True
        )

    def low_fidelity(self) -> Self:
        """Few and narrow couplings, a narrow student of one block, small maps, and brief training in small batches."""
        return clone(self).set_params(
            couplings=min(COARSE_COUPLINGS, self.couplings),
            hidden=min(COARSE_WIDTH, self.hidden),
            width=min(COARSE_WIDTH, self.width),
            blocks=min(1, self.blocks),
            epochs=min(COARSE_EPOCHS, self.epochs),
            batch_size=min(COARSE_BATCH, self.batch_size),
            max_grid=min(COARSE_GRID, self.max_grid or COARSE_GRID),
        )

    @torch.no_grad()
    def anomaly_maps(self, features: FeatureMaps) -> Tensor:
        """Squared distances (N, h, w), the mean over channels, on the finest layer's grid."""
        maps = self._ready(features)
        return self._require("network_")(maps).square().mean(1)

    def image_scores(self, features: FeatureMaps) -> Tensor:
        """The maximum or the mean of each map."""
        return self.maps_and_scores(features)[1]

    def maps_and_scores(self, features: FeatureMaps) -> tuple[Tensor, Tensor]:
        """Maps (N, h, w), and their maxima or means (N,)."""
        maps = self.anomaly_maps(features)
        flat = maps.flatten(1)
        return maps, flat.mean(1) if self.score == "mean" else flat.amax(1)

    def _check_parameters(self) -> None:
        super()._check_parameters()
        least = min(self.couplings, self.hidden, self.width, self.epochs, self.batch_size)
        if least < 1 or self.blocks < 0:
            raise FlawsightError("couplings, hidden, width, epochs and batch_size must be 1 or more, blocks 0 or more")
        if self.encoding < 4 or self.encoding % 4:
            raise FlawsightError(f"encoding {self.encoding} must be a multiple of 4: sine and cosine of x and of y")
        if min(self.clamp, self.learning_rate) <= 0:
            raise FlawsightError("clamp and learning_rate must be above 0")
        if self.score not in SCORES:
            raise FlawsightError(f"unknown score '{self.score}': choose one of {', '.join(SCORES)}")

    def _learn(self, collected: Sequence[Tensor], training: TrainingContext | None) -> None:
        self.shapes_ = [cast(Shape, tuple(values.shape[1:])) for values in collected]
        pair = cast(StudentTeacher, self._made(self.shapes_)).to(collected[0].device)
        if self.standardise:
            pair.learn_scale(collected)

        def teaching(rows: Tensor, generator: torch.Generator) -> Tensor:
            del generator
            z, log_det = pair.taught(pair.joined([values[rows] for values in collected]))
            return (negative_log_likelihood(z, log_det) / z[0, 0].numel()).mean()

        def studying(rows: Tensor, generator: torch.Generator) -> Tensor:
            del generator
            # Batch statistics of a single value are not defined.
            rows = rows.repeat(2) if len(rows) == 1 else rows
            return pair([values[rows] for values in collected]).square().mean()

        whole = training or TrainingContext()
        self.teacher_losses_ = self._trained(pair.teacher, teaching, len(collected[0]), whole.part("teacher", 0.5))
        self.student_losses_ = self._trained(pair.student, studying, len(collected[0]), whole.part("student", 0.5))
        self.network_ = pair.eval()

    def _trained(self, module: nn.Module, loss: Loss, images: int, training: TrainingContext) -> list[float]:
        return train(
            module,
            torch.optim.Adam(trainable(module), self.learning_rate, weight_decay=self.weight_decay),
            loss,
            images,
            Schedule(
                batch_size=self.batch_size, epochs=self.epochs, seed=self.seed, mixed_precision=self.mixed_precision
            ),
            training,
        )

    def _network(self, shapes: Sequence[Shape]) -> StudentTeacher:
        form = Form(self.couplings, self.hidden, self.clamp, self.width, self.blocks, self.encoding)
        return StudentTeacher(shapes, form)
