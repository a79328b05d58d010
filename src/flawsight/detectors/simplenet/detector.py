"""SimpleNet (paper D): a discriminator of good patch descriptors and the same with noise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import torch
from sklearn.base import clone
from torch import Tensor

from flawsight.core import FlawsightError
from flawsight.detectors.base import DetectorTags, FeatureMaps, checked
from flawsight.detectors.bases.patches import PatchDetector
from flawsight.detectors.simplenet.network import ADAPTORS, Folded, Network, cross_entropy, truncated
from flawsight.training import Schedule, TrainingContext, gaussian, seeded, train

LOSSES = ("truncated", "cross_entropy")
COARSE_GRID, COARSE_SAMPLE = 32, 2048
COARSE_HIDDEN, COARSE_EPOCHS, COARSE_BATCH, COARSE_RATE = 128, 40, 256, 1e-3


@dataclass(eq=False, repr=False)
class SimpleNet(PatchDetector):
    """Scores each patch descriptor by a small network that tells good ones from good ones with Gaussian noise.

    neighbourhood: side of the averaged window. embed_dim: pool descriptors to so many values (1536 in paper D); None
    concatenates. adaptor: "none", "linear", or "mlp" (two layers with a leaky ReLU between); adaptor_bias: with a
    bias, as in the official code. noise: standard deviation of the noise (Eq. 6), in units of the mean standard
    deviation of the sampled descriptors' values; with `noise_relative=False` absolute, 0.015 in paper D. loss:
    "truncated" (Eq. 7) with its margin, or "cross_entropy". hidden: width of the discriminator. epochs, batch_size (in
    descriptors; 4 images of 32 x 32 positions in paper D), adaptor_learning_rate, learning_rate of the discriminator,
    weight_decay: training with Adam; the last state is kept. max_descriptors: learn from a seeded uniform sample of
    at most so many; None keeps all, as paper D does. max_grid: read at most so many positions a side, evenly spaced;
    None reads all. mixed_precision: train in bfloat16.

    The noise is relative by default because layers differ in scale: descriptors of the embedded network's layers vary
    by 0.04 to 2.7, those of the ResNets of paper D by 0.01 to 0.07. Absolute noise of 0.015 is 0.2 to 1 of the latter,
    but not learned at all on the embedded network's default pair. On synthetic defects on good images of three
    products and of three choices of layers, 0.3 to 0.6 was best, and about even.

    >>> detector = SimpleNet(hidden=16, epochs=2).fit(features)
    >>> detector.anomaly_maps(features).shape
    torch.Size([12, 8, 8])
    """

    neighbourhood: int = 3
    embed_dim: int | None = None
    adaptor: str = "linear"
    adaptor_bias: bool = False
    noise: float = 0.4
    noise_relative: bool = True
    loss: str = "truncated"
    margin: float = 0.5
    hidden: int = 1024
    epochs: int = 160
    batch_size: int = 4096
    adaptor_learning_rate: float = 1e-4
    learning_rate: float = 2e-4
    weight_decay: float = 1e-5
    max_descriptors: int | None = 16_384
    max_grid: int | None = None
    mixed_precision: bool = False
    seed: int = 0

    @property
    def tags(self) -> DetectorTags:
        """Learning is slow: calibration holds out halves."""
        return DetectorTags(cv_folds=2, exportable=True, joined_bonus=1.0, scale_varies=True)

    def reset(self) -> None:
        """Forget the network."""
        if self.adaptor not in ADAPTORS or self.loss not in LOSSES:
            raise FlawsightError(
                f"adaptor '{self.adaptor}' or loss '{self.loss}' is unknown: use one of {ADAPTORS} and of {LOSSES}"
            )
        if self.hidden < 1 or self.epochs < 1 or self.batch_size < 1:
            raise FlawsightError("hidden, epochs and batch_size must be 1 or more")
        if not self.noise > 0:
            raise FlawsightError(f"noise {self.noise} must be above 0: what is learned is to tell it from none")
        super().reset()

    def low_fidelity(self) -> Self:
        """No adaptor, a narrow discriminator, a small sample, fewer and larger steps."""
        return clone(self).set_params(
            adaptor="none",
            hidden=min(COARSE_HIDDEN, self.hidden),
            epochs=min(COARSE_EPOCHS, self.epochs),
            batch_size=min(COARSE_BATCH, self.batch_size),
            learning_rate=COARSE_RATE,
            max_descriptors=min(COARSE_SAMPLE, self.max_descriptors or COARSE_SAMPLE),
            max_grid=min(COARSE_GRID, self.max_grid or COARSE_GRID),
        )

    def _learn(self, descriptors: Tensor, training: TrainingContext | None) -> None:
        """Train the adaptor and the discriminator."""
        # Tensors of an inference pass cannot take part in training.
        with torch.inference_mode(False), torch.enable_grad():
            rows = descriptors.clone() if descriptors.is_inference() else descriptors
            network = self._network(rows.shape[1]).to(rows.device)
            criterion = truncated(self.margin) if self.loss == "truncated" else cross_entropy()
            scale = self._noise_scale(rows)

            def loss(batch: Tensor, generator: torch.Generator) -> Tensor:
                good = rows[batch.to(rows.device)]
                return network.loss(good, gaussian(good.shape, generator, good.device).mul_(scale), criterion)

            groups: list[dict[str, Any]] = [
                {"params": list(network.adaptor.parameters()), "lr": self.adaptor_learning_rate},
                {"params": [*network.linear.parameters(), *network.norm.parameters(), *network.output.parameters()]},
            ]
            optimizer = torch.optim.Adam(groups, lr=self.learning_rate, weight_decay=self.weight_decay, fused=True)
            losses = train(
                network,
                optimizer,
                loss,
                len(rows),
                Schedule(
                    batch_size=self.batch_size, epochs=self.epochs, seed=self.seed, mixed_precision=self.mixed_precision
                ),
                training,
            )
        self._take(network, torch.tensor(losses))

    def _network(self, size: int) -> Network:
        with seeded(self.seed):
            return Network(size, self.hidden, self.adaptor, self.adaptor_bias)

    def _noise_scale(self, descriptors: Tensor) -> float:
        if not self.noise_relative:
            return self.noise
        spread = descriptors.std(0, correction=0).mean().item()
        return self.noise * (spread or 1.0)

    def _take(self, network: Network, losses: Tensor) -> None:
        self.network_ = network.requires_grad_(False).eval()
        self.losses_ = losses
        self._folded: Folded = network.folded()

    def anomaly_maps(self, features: FeatureMaps) -> Tensor:
        """Negative scores of the discriminator (Eq. 9), (N, h, w) on the grid of the finest layer."""
        network = self._require("network_")
        descriptors = self._descriptors(checked(features))
        size = network.linear.weight.shape[1]
        if descriptors.shape[3] != size:
            raise FlawsightError(f"descriptors have {descriptors.shape[3]} values, the network reads {size}")
        return self._folded(descriptors.flatten(0, 2)).neg_().reshape(descriptors.shape[:3])

    def state_dict(self) -> dict[str, Tensor]:
        """The network's tensors, and the mean loss of each epoch."""
        return {**self._require("network_").state_dict(), "losses": self.losses_}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> Self:
        """Take a network back."""
        tensors = {name: values for name, values in state.items() if name != "losses"}
        network = self._network(tensors["linear.weight"].shape[1]).to(tensors["linear.weight"].device)
        network.load_state_dict(tensors)
        self._take(network, state["losses"])
        return self
