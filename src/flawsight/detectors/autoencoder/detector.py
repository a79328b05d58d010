"""The autoencoder baseline of paper C (Sec. IV.C): what it cannot reconstruct is anomalous."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Self

import torch
from sklearn.base import clone
from torch import Tensor, nn
from torch.nn import functional

from flawsight.core import FlawsightError
from flawsight.detectors.autoencoder.components import component_score
from flawsight.detectors.autoencoder.network import STRIDE, ResNetAutoencoder
from flawsight.detectors.base import DetectorTags, FeatureMaps, checked
from flawsight.detectors.bases.buffered import BufferedDetector
from flawsight.training import Schedule, TrainingContext, seeded, train

SCORES = ("mean", "component")
COARSE_SIDE = 32
COARSE_WIDTH = 8
COARSE_EPOCHS = 10
COARSE_BATCH = 16
COARSE_LEARNING_RATE = 0.01


@dataclass(eq=False, repr=False)
class Autoencoder(BufferedDetector):
    """Squared distance of each pixel to its reconstruction, by a ResNet-18 and its mirror image around a short vector.

    side: images are resized to so many pixels, a multiple of 32 (224 in paper C). width: channels of the first block
    (64 there). The defaults are smaller than the paper's, whose network takes some twenty times as long. latent: size
    of the vector. score: `mean` of the map, or `component`: the highest threshold that leaves an 8-connected region of
    `least_area`, a fraction of the image; the paper takes that area from the smallest test defect, which nobody knows
    beforehand. patience: stop when the training loss has not fallen for so many epochs (the paper watches held-out
    images); None never stops early. mixed_precision: train in bfloat16 where that is safe.

    >>> pictures = network.pixels(images)
    >>> detector = Autoencoder(side=32, width=4, epochs=1).fit([pictures])
    >>> detector.anomaly_maps([pictures]).shape, detector.image_scores([pictures]).shape
    (torch.Size([12, 32, 32]), torch.Size([12]))
    """

    side: int = 128
    width: int = 16
    latent: int = 32
    score: str = "mean"
    least_area: float = 0.001
    epochs: int = 100
    batch_size: int = 64
    learning_rate: float = 1e-4
    patience: int | None = 3
    mixed_precision: bool = False
    seed: int = 0

    @property
    def tags(self) -> DetectorTags:
        """It reads images; their scores are its own, for the maximum would be a single pixel's noise."""
        return DetectorTags(
            input="image", image_score=True, cv_folds=2, exportable=self.score == "mean", scale_varies=True
        )

    def low_fidelity(self) -> Self:
        """A small network on small images, trained briefly in larger steps."""
        return clone(self).set_params(
            side=min(COARSE_SIDE, self.side),
            width=min(COARSE_WIDTH, self.width),
            epochs=min(COARSE_EPOCHS, self.epochs),
            batch_size=min(COARSE_BATCH, self.batch_size),
            learning_rate=max(COARSE_LEARNING_RATE, self.learning_rate),
        )

    @torch.no_grad()
    def anomaly_maps(self, features: FeatureMaps) -> Tensor:
        """Squared distances (N, side, side), summed over the colours."""
        network = self._require("network_")
        (images,) = self._reduced(checked(features))
        return (network(images) - images).square().sum(1)

    def image_scores(self, features: FeatureMaps) -> Tensor:
        """The mean of each map, or its connected-component score."""
        return self.maps_and_scores(features)[1]

    def maps_and_scores(self, features: FeatureMaps) -> tuple[Tensor, Tensor]:
        """Maps (N, side, side) and their scores (N,), for one reconstruction."""
        maps = self.anomaly_maps(features)
        if self.score == "mean":
            return maps, maps.mean((1, 2))
        scores = [component_score(values, self.least_area) for values in maps.cpu().numpy()]
        return maps, maps.new_tensor(scores)

    def collected_bytes(self, channels: int, places: int, images: int) -> int:
        """Bytes of the resized images."""
        del places
        return 4 * channels * self.side**2 * images

    def state_dict(self) -> dict[str, Tensor]:
        """The weights and statistics of the network."""
        state: dict[str, Tensor] = self._require("network_").state_dict()
        return state

    def load_state_dict(self, state: Mapping[str, Tensor]) -> Self:
        """Build the network again and take its weights back."""
        self.network_ = self._untrained().to(next(iter(state.values())).device).eval()
        self.network_.load_state_dict(dict(state))
        return self

    def _check_parameters(self) -> None:
        if self.side < STRIDE or self.side % STRIDE:
            raise FlawsightError(f"side {self.side} must be a multiple of {STRIDE}: 64, 128 or 224")
        if min(self.width, self.latent, self.epochs, self.batch_size) < 1:
            raise FlawsightError("width, latent, epochs and batch_size must be 1 or more")
        if self.score not in SCORES:
            raise FlawsightError(f"unknown score '{self.score}' of an autoencoder: choose one of {', '.join(SCORES)}")
        if not 0 < self.least_area <= 1:
            raise FlawsightError(f"least_area {self.least_area} must be above 0 and at most 1: a fraction of the image")

    def _reduced(self, features: FeatureMaps) -> Sequence[Tensor]:
        return [images_of(features, self.side)]

    def _learn(self, collected: Sequence[Tensor], training: TrainingContext | None) -> None:
        (images,) = collected
        network = self._untrained().to(images.device)

        def loss(rows: Tensor, generator: torch.Generator) -> Tensor:
            del generator
            # Batch statistics of one image with a 1 x 1 map are not defined.
            batch = images[rows.repeat(2) if len(rows) == 1 else rows]
            return functional.mse_loss(network(batch), batch)

        self.losses_ = train(
            network,
            torch.optim.Adam(network.parameters(), self.learning_rate),
            loss,
            len(images),
            Schedule(
                batch_size=self.batch_size,
                epochs=self.epochs,
                seed=self.seed,
                mixed_precision=self.mixed_precision,
                patience=self.patience,
            ),
            training,
        )
        self._settle(network, images)
        self.network_ = network

    @torch.no_grad()
    def _settle(self, network: ResNetAutoencoder, images: Tensor) -> None:
        """Take the batch statistics of the finished network: the running ones lag behind after a short training."""
        normalisations = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
        for module in normalisations:
            module.reset_running_stats()
            module.momentum = None  # the plain mean over all batches
        network.train()
        for batch in images.tensor_split(max(1, -(-len(images) // self.batch_size))):
            network(batch.repeat(2, 1, 1, 1) if len(batch) == 1 else batch)
        network.eval()

    def _untrained(self) -> ResNetAutoencoder:
        with seeded(self.seed):
            return ResNetAutoencoder(self.side, self.width, self.latent)


@cache
def _resizing(size: int, given: int) -> Tensor:
    """(size, given): what each row of a resized image is made of. Runtimes resize each in their own way."""
    lit = torch.eye(given)[:, None, :, None].expand(-1, -1, -1, 2)
    return functional.interpolate(lit, (size, 2), mode="bilinear", antialias=True)[:, 0, :, 0].T.contiguous()


def _resized(images: Tensor, side: int) -> Tensor:
    """Images (N, 3, H, W) as squares, areas averaged."""
    if images.shape[2:] == (side, side):
        return images
    down, across = (_resizing(side, extent).to(images.device) for extent in images.shape[2:])
    return (down @ images @ across.T).clamp(0, 1)


def images_of(features: FeatureMaps, side: int) -> Tensor:
    """The pictures (N, 3, side, side) that a detector of images was given, or an error that says what it was given."""
    if len(features) != 1 or features[0].shape[1] != 3:
        raise FlawsightError("this detector reads images: pass one tensor (N, 3, S, S), not feature maps of layers")
    images = features[0]
    if torch.compiler.is_exporting():
        return _resized(images, side)
    if len(images) and not 0 <= float(images.amin()) <= float(images.amax()) <= 1:
        raise FlawsightError("this detector reads images with values from 0 to 1: pass them without normalisation")
    return _resized(images, side).contiguous() if len(images) else images
