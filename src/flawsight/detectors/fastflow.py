"""FastFlow (Yu et al. 2021): two-dimensional normalising flows, with the settings of anomalib that paper B uses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Self, cast

import torch
from FrEIA.framework import SequenceINN
from FrEIA.modules import AllInOneBlock
from sklearn.base import clone
from torch import Tensor, nn

from flawsight.core import FlawsightError
from flawsight.detectors.base import DetectorTags, FeatureMaps
from flawsight.detectors.bases.flow_network import Shape, Standardise, negative_log_likelihood, trainable
from flawsight.detectors.bases.flows import FlowDetector
from flawsight.detectors.bases.grids import finest, resized
from flawsight.training import Schedule, TrainingContext, train

NORMALISATIONS = ("layer", "channel")
MAPS = ("log", "probability")
COARSE_GRID = 16
COARSE_FLOW_STEPS = 2
COARSE_HIDDEN = 32
COARSE_TRAINING_STEPS = 30
COARSE_EPOCHS = 10


@dataclass(eq=False, repr=False)
class FastFlow(FlowDetector):
    """How unlikely each position of each layer is under a flow that is trained to make good maps standard normal.

    flow_steps, conv3x3_only, hidden_ratio: couplings per layer, whether all have 3x3 kernels or every other one 1x1,
    and the hidden channels of their networks as a share of the input's (20 and 0.16 for transformers), at most
    max_hidden. clamp: bound of a coupling's log scale. training_steps: optimisation steps as in paper B, rounded up to
    whole epochs; epochs, where given, counts instead (500 in the official setting).

    normalise: `channel` standardises each channel by its mean and deviation over good images. `layer` is the trainable
    LayerNorm over [C, H, W] of the known implementations, paper B's among them (the method's own paper has none): it
    takes every image's own mean and deviation away, so that a map which is shifted or scaled as a whole goes unnoticed.

    map: `log` is 0.5 mean_c z^2, averaged over layers on the finest grid; `probability` is -exp(-0.5 mean_c z^2) as in
    the implementations, the same order for one layer until it saturates at 0 for defects far out. max_grid: finer maps
    are average-pooled to so many positions a side, because few machines train on 128 x 128 of them; None is the paper.
    mixed_precision: train in bfloat16 where that is safe.

    >>> detector = FastFlow(flow_steps=1, max_hidden=8, training_steps=2).fit(features)
    >>> detector.anomaly_maps(features).shape
    torch.Size([12, 8, 8])
    """

    flow_steps: int = 8
    conv3x3_only: bool = False
    hidden_ratio: float = 1.0
    max_hidden: int | None = None
    clamp: float = 2.0
    normalise: str = "channel"
    map: str = "log"
    training_steps: int = 200
    epochs: int | None = None
    batch_size: int = 32
    learning_rate: float = 1e-3
    weight_decay: float = 1e-5
    max_grid: int | None = 32
    mixed_precision: bool = False
    seed: int = 0

    @property
    def tags(self) -> DetectorTags:
        """Learning is slow: calibration holds out halves."""
        return DetectorTags(cv_folds=2, exportable=True, scale_varies=True)

    def low_fidelity(self) -> Self:
        """Small flows on small maps, trained briefly."""
        return clone(self).set_params(
            flow_steps=min(COARSE_FLOW_STEPS, self.flow_steps),
            max_hidden=min(COARSE_HIDDEN, self.max_hidden or COARSE_HIDDEN),
            training_steps=min(COARSE_TRAINING_STEPS, self.training_steps),
            epochs=self.epochs and min(COARSE_EPOCHS, self.epochs),
            max_grid=min(COARSE_GRID, self.max_grid or COARSE_GRID),
        )

    @torch.no_grad()
    def anomaly_maps(self, features: FeatureMaps) -> Tensor:
        """Maps (N, h, w) on the finest layer's grid."""
        maps = self._ready(features)
        network = cast(nn.ModuleList, self._require("network_"))
        size = finest([(height, width) for _, height, width in self.shapes_])
        latents = [flow(values)[0] for flow, values in zip(network, maps, strict=True)]
        unlikely = [0.5 * z.square().mean(1, keepdim=True) for z in latents]
        if self.map == "probability":
            unlikely = [-torch.exp(-values) for values in unlikely]
        return torch.stack([resized(values, size)[:, 0] for values in unlikely]).mean(0)

    def _check_parameters(self) -> None:
        super()._check_parameters()
        if min(self.flow_steps, self.training_steps, self.batch_size) < 1:
            raise FlawsightError("flow_steps, training_steps and batch_size must be 1 or more")
        if any(value is not None and value < 1 for value in (self.epochs, self.max_hidden)):
            raise FlawsightError("epochs and max_hidden must be 1 or more, or None")
        if min(self.hidden_ratio, self.clamp, self.learning_rate) <= 0:
            raise FlawsightError("hidden_ratio, clamp and learning_rate must be above 0")
        if self.normalise not in NORMALISATIONS or self.map not in MAPS:
            raise FlawsightError(f"normalise must be one of {', '.join(NORMALISATIONS)}, map one of {', '.join(MAPS)}")

    def _learn(self, collected: Sequence[Tensor], training: TrainingContext | None) -> None:
        self.shapes_ = [cast(Shape, tuple(values.shape[1:])) for values in collected]
        flows = cast(nn.ModuleList, self._made(self.shapes_)).to(collected[0].device)
        for flow, values in zip(flows, collected, strict=True):
            if isinstance(flow.normalise, Standardise):
                flow.normalise.learn(values)

        def loss(rows: Tensor, generator: torch.Generator) -> Tensor:
            del generator
            nats = [negative_log_likelihood(*flow(values[rows])) for flow, values in zip(flows, collected, strict=True)]
            return torch.stack(nats).sum(0).mean()

        images = len(collected[0])
        self.losses_ = train(
            flows,
            torch.optim.Adam(trainable(flows), self.learning_rate, weight_decay=self.weight_decay),
            loss,
            images,
            Schedule(
                batch_size=self.batch_size,
                epochs=self.epochs or -(-self.training_steps // -(-images // self.batch_size)),
                seed=self.seed,
                mixed_precision=self.mixed_precision,
            ),
            training,
        )
        self.network_ = flows

    def _network(self, shapes: Sequence[Shape]) -> nn.ModuleList:
        return nn.ModuleList([_Flow(shape, self) for shape in shapes])


class _Flow(nn.Module):
    """Normalised maps of one layer (N, C, H, W) -> latents of the same shape and the flow's log-determinant (N,)."""

    def __init__(self, shape: Shape, detector: FastFlow) -> None:
        super().__init__()
        self.normalise = nn.LayerNorm(shape) if detector.normalise == "layer" else Standardise(shape[0])
        self.couplings = SequenceINN(*shape)
        for step in range(detector.flow_steps):
            kernel = 3 if detector.conv3x3_only or step % 2 == 0 else 1
            subnet = partial(_subnet, kernel, detector)
            self.couplings.append(AllInOneBlock, subnet_constructor=subnet, affine_clamping=detector.clamp)
            _permute_by_index(self.couplings[step])

    def forward(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        """The log-determinant leaves the normalisation out, as the known implementations do."""
        z, log_det = self.couplings(self.normalise(maps))
        return z, log_det


def _subnet(kernel: int, detector: FastFlow, channels_in: int, channels_out: int) -> nn.Module:
    hidden = max(1, int(channels_in * detector.hidden_ratio))
    hidden = min(hidden, detector.max_hidden or hidden)
    return nn.Sequential(
        nn.Conv2d(channels_in, hidden, kernel, padding="same"),
        nn.ReLU(),
        nn.Conv2d(hidden, channels_out, kernel, padding="same"),
    )


def _permute_by_index(block: AllInOneBlock) -> None:
    """The same permutation without FrEIA's two dense C x C matrices, a third of what would be saved, and faster."""
    for name in ("w_perm", "w_perm_inv"):
        order = getattr(block, name).flatten(1).argmax(1)
        setattr(block, name, nn.Parameter(order, requires_grad=False))
    block.permute_function = _permuted


def _permuted(maps: Tensor, order: Tensor) -> Tensor:
    return maps.index_select(1, order)
