"""RealNet (paper E): what the good picture's features would have been, and how far these are from that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self, cast

import numpy as np
import torch
from sklearn.base import clone
from torch import Tensor
from torch.nn import functional

from flawsight.core import FlawsightError
from flawsight.detectors.base import DetectorTags, FeatureMaps, checked
from flawsight.detectors.bases.buffered import BufferedDetector
from flawsight.detectors.bases.grids import resized
from flawsight.detectors.realnet.network import SIZES, RealNetwork, log_odds
from flawsight.detectors.realnet.pairs import SyntheticPairs
from flawsight.detectors.realnet.reduction import Reduction, channel_statistics
from flawsight.detectors.realnet.residuals import MODES
from flawsight.detectors.realnet.time_budget import fit_to_time_budget
from flawsight.detectors.synthesis import AnomalySynthesis
from flawsight.features.channels import ChannelSelection
from flawsight.training import Schedule, TrainingContext, seeded, train

REDUCTIONS = ("afs", "random", "projection")
SCORES = ("max", "pooled")
POOL = 1 / 16
"""Side of the window that the official code averages over, 16 pixels of 256, as a share of the picture's side."""
COARSE_STEPS = 20


@dataclass(eq=False, repr=False)
class RealNet(BufferedDetector):
    """U-Nets turn features of pictures with synthetic defects into those without; what differs is looked at closely.

    It takes the pictures and the feature maps of several layers, finest first. To learn it makes its own defects:
    `attach` says with which network, and which.

    size: the preset of `SIZES`; `paper` needs a GPU. channels: of each layer, instead of the preset's. reduction:
    how they are chosen: `afs`, at `random`, or by an untrained linear `projection`. afs_pairs: pictures it looks at
    (1,024 in the paper). pairs: pictures with a defect that are made, and met again and again; None makes new ones
    for every step, as the paper does. standardise: divide each channel by its spread over good pictures first (the
    paper does not, and trains for 1,000 epochs). residuals: which of them the discriminator sees, `max&avg`, `max`,
    `avg` or `all`; retention: the share of them; normalise_ranking: rank them by their batch-normalised values, as
    the official code does. defect_share: share of pictures that are given a defect. score: `max` of the map
    (paper), or of the `pooled` map (official code). micro_batch_size: pictures of a batch in memory together.
    mixed_precision: compute in bfloat16 where that is safe. Losses are means over elements rather than the sums of
    Eq. 5, as in the official code.

    >>> read = lambda pictures, names=network.default_pair: list(network.extract(pictures, names).values())
    >>> synthesis = AnomalySynthesis(read, [fs.defects.make("nsa")])
    >>> detector = RealNet(channels=[8, 8], training_steps=2, pairs=4, afs_pairs=4).attach(synthesis)
    >>> pictures = read(images, ["image", *network.default_pair])
    >>> detector.fit(pictures).anomaly_maps(pictures).shape
    torch.Size([12, 16, 16])
    """

    size: str = "small"
    channels: Sequence[int] | None = None
    reduction: str = "afs"
    afs_pairs: int = 64
    pairs: int | None = 512
    standardise: bool = False
    residuals: str = "max&avg"
    retention: float = 1 / 3
    normalise_ranking: bool = False
    defect_share: float = 0.5
    score: str = "max"
    training_steps: int = 1000
    batch_size: int | None = None
    micro_batch_size: int | None = None
    learning_rate: float = 1e-3
    mixed_precision: bool = False
    seed: int = 0

    @property
    def tags(self) -> DetectorTags:
        """It reads images and layers, learns from defects and comes in sizes; scores may be its own."""
        return DetectorTags(
            input="image+features",
            image_score=self.score == "pooled",
            cv_folds=2,
            needs_defects=True,
            has_time_budget=True,
            exportable=not self.mixed_precision,
            scale_varies=True,
        )

    def fit_to_time_budget(self, features: FeatureMaps, seconds: float) -> Self:
        """The largest preset and as many steps as so many seconds allow; see `time_budget`."""
        return fit_to_time_budget(self, features, seconds)

    _synthesis: AnomalySynthesis | None = field(default=None, init=False)

    def attach(self, synthesis: AnomalySynthesis) -> Self:
        """Learn from these defects, seen by this network; copies of the detector do, too."""
        self._synthesis = synthesis
        return self

    def __sklearn_clone__(self) -> Self:
        other: Self = super().__sklearn_clone__()
        other._synthesis = self._synthesis
        return other

    def low_fidelity(self) -> Self:
        """Trained for a moment."""
        return clone(self).set_params(
            training_steps=min(COARSE_STEPS, self.training_steps), afs_pairs=min(COARSE_STEPS, self.afs_pairs)
        )

    @torch.no_grad()
    def anomaly_maps(self, features: FeatureMaps) -> Tensor:
        """Log-odds of a defect (N, 2 h, 2 w), where the finest of the reduced grids is h x w."""
        network = cast(RealNetwork, self._require("network_"))
        maps = list(checked(features)[1:])
        if [values.shape[1] for values in maps] != network.channels_in:
            raise FlawsightError(
                f"this detector has learned from a picture and layers of {network.channels_in} channels, but was given "
                f"{[values.shape[1] for values in features]}"
            )
        with torch.autocast(maps[0].device.type, torch.bfloat16, enabled=self.mixed_precision):
            logits = network(maps)
        return log_odds(logits.float())

    def image_scores(self, features: FeatureMaps) -> Tensor:
        """The maximum of each map, or of the averages of its probabilities over windows."""
        return self.maps_and_scores(features)[1]

    def maps_and_scores(self, features: FeatureMaps) -> tuple[Tensor, Tensor]:
        """Maps (N, h, w), and scores (N,) of the same."""
        maps = self.anomaly_maps(features)
        if self.score == "max":
            return maps, maps.flatten(1).amax(1)
        windows = [max(1, round(POOL * extent)) for extent in maps.shape[1:]]
        return maps, functional.avg_pool2d(maps.sigmoid()[:, None], windows, 1).flatten(1).amax(1)

    def state_dict(self) -> dict[str, Tensor]:
        """The chosen channels, the weights and the statistics."""
        state: dict[str, Tensor] = self._require("network_").state_dict()
        return state

    def load_state_dict(self, state: Mapping[str, Tensor]) -> Self:
        """Build the networks again and take their weights back."""
        reductions = []
        for number in range(sum(name.endswith(".mean") for name in state if name.startswith("reductions."))):
            own = {
                name.removeprefix(f"reductions.{number}."): values
                for name, values in state.items()
                if name.startswith(f"reductions.{number}.")
            }
            reductions.append(Reduction(SIZES[self.size].max_grid, **own))
        self.network_ = self._network(reductions).to(reductions[0].mean.device).eval()
        self.network_.load_state_dict(dict(state))
        return self

    def _check_parameters(self) -> None:
        if self.size not in SIZES or self.reduction not in REDUCTIONS or self.residuals not in MODES:
            raise FlawsightError(
                f"size must be one of {', '.join(SIZES)}, reduction one of {', '.join(REDUCTIONS)}, "
                f"residuals one of {', '.join(MODES)}"
            )
        if self.score not in SCORES:
            raise FlawsightError(f"unknown score '{self.score}' of RealNet: choose one of {', '.join(SCORES)}")
        if not 0 < self.retention <= 1 or not 0 < self.defect_share <= 1:
            raise FlawsightError("retention and defect_share must be above 0 and at most 1")
        optional = (self.batch_size or 1, self.micro_batch_size or 1, self.pairs or 1)
        least = (self.training_steps, self.afs_pairs, *optional, *(self.channels or ()))
        if min(least) < 1:
            raise FlawsightError(
                "training_steps, afs_pairs, pairs, batch_size, micro_batch_size and channels must be 1 or more"
            )

    def _reduced(self, features: FeatureMaps) -> Sequence[Tensor]:
        """The pictures alone: their features change with every defect."""
        picture = features[0]
        if picture.shape[1] != 3 or (len(picture) and not 0 <= float(picture.amin()) <= float(picture.amax()) <= 1):
            raise FlawsightError("this detector reads pictures (N, 3, S, S) from 0 to 1, and then the maps of layers")
        return [(255 * picture).round().to(torch.uint8)]

    def _learn(self, collected: Sequence[Tensor], training: TrainingContext | None) -> None:
        if self._synthesis is None:
            raise FlawsightError(
                "RealNet learns from defects that it makes: attach(AnomalySynthesis(network, defects)) before fit"
            )
        pictures = [np.ascontiguousarray(image) for image in collected[0].permute(0, 2, 3, 1).cpu().numpy()]
        pairs = SyntheticPairs(pictures, self._synthesis, self.seed, self.pairs)
        try:
            self._train(pairs, len(pictures), training)
        except torch.cuda.OutOfMemoryError as error:
            names = list(SIZES)
            smaller = names[max(0, names.index(self.size) - 1)]
            raise FlawsightError(
                f"the GPU's memory does not hold RealNet of size '{self.size}': compute fewer pictures at once "
                f"(--parameter realnet.micro_batch_size=2), or use size={smaller}"
            ) from error

    def _train(self, pairs: SyntheticPairs, images: int, training: TrainingContext | None) -> None:
        reductions = self._reductions(pairs)
        with seeded(self.seed):
            network = self._network(reductions).to(reductions[0].mean.device)

        def loss(rows: Tensor, generator: torch.Generator) -> Tensor:
            anomalous, normal, masks = pairs.sample(rows, self.defect_share, generator, network.reduce)
            with torch.autocast(normal[0].device.type, torch.bfloat16, enabled=self.mixed_precision):
                rebuilt = network.reconstruct(anomalous)
                logits = resized(network.discriminate(anomalous, rebuilt).float(), (masks.shape[1], masks.shape[2]))
            apart = [functional.mse_loss(a.float(), b) for a, b in zip(rebuilt, normal, strict=True)]  # Eq. 5
            return torch.stack(apart).sum() + functional.cross_entropy(logits, masks.long().to(logits.device))  # Eq. 6

        batch_size = self.batch_size or SIZES[self.size].batch_size
        self.losses_ = train(
            network,
            torch.optim.Adam(network.parameters(), self.learning_rate, fused=True),
            loss,
            images,
            Schedule(
                batch_size=batch_size,
                epochs=-(-self.training_steps // -(-images // batch_size)),
                seed=self.seed,
                micro_batch_size=self.micro_batch_size,
            ),
            training,
        )
        self.network_ = network

    def _reductions(self, pairs: SyntheticPairs) -> list[Reduction]:
        """How the maps of each layer become fewer and smaller."""
        grid = SIZES[self.size].max_grid
        statistics = channel_statistics(pairs.good(self.afs_pairs))
        widths = [len(mean) for mean, _ in statistics]
        counts = [min(count, width) for count, width in zip(self._counts(len(widths)), widths, strict=True)]
        if not self.standardise:
            statistics = [(torch.zeros_like(mean), torch.ones_like(mean)) for mean, _ in statistics]
        return [
            Reduction(grid, *statistic, **{name: values.to(statistic[0].device) for name, values in how.items()})
            for statistic, how in zip(statistics, self._chosen(pairs, counts, widths), strict=True)
        ]

    def _chosen(self, pairs: SyntheticPairs, counts: Sequence[int], widths: Sequence[int]) -> list[dict[str, Tensor]]:
        """What `Reduction` is told of each layer's channels."""
        if self.reduction == "afs":
            found = ChannelSelection(counts).fit(pairs.anomalous(self.afs_pairs))
            return [{"chosen": channels} for channels in found.channels_]
        generator = torch.Generator().manual_seed(self.seed)
        sizes = list(zip(counts, widths, strict=True))
        if self.reduction == "random":
            return [
                {"chosen": torch.randperm(width, generator=generator)[:count].sort().values} for count, width in sizes
            ]
        return [{"matrix": torch.randn(count, width, generator=generator) / width**0.5} for count, width in sizes]

    def _network(self, reductions: Sequence[Reduction]) -> RealNetwork:
        return RealNetwork(
            reductions,
            attention=SIZES[self.size].attention,
            mode=self.residuals,
            retention=self.retention,
            normalise_ranking=self.normalise_ranking,
        )

    def _counts(self, layers: int) -> list[int]:
        counts = list(self.channels or SIZES[self.size].channels)
        if self.channels is not None and len(counts) != layers:
            raise FlawsightError(f"channels names {len(counts)} layers, but {layers} are read")
        return (counts + layers * counts[-1:])[:layers]
