"""RealNet's network: reductions, reconstructions, and the discriminator of their residuals (paper E)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import cast

from torch import Tensor, nn

from flawsight.detectors.realnet.reconstruction import ReconstructionUNet
from flawsight.detectors.realnet.reduction import Reduction
from flawsight.detectors.realnet.residuals import ResidualDiscriminator, selected, together


@dataclass(frozen=True)
class Size:
    """What a preset stands for: at most so many channels of each layer, finest first (the last counts for further
    ones), on grids of at most `max_grid` a side, pictures per step, and whether the U-Nets have attention."""

    channels: tuple[int, ...]
    max_grid: int | None
    batch_size: int
    attention: bool


SIZES = {
    "small": Size((16, 32, 48, 64), 32, 8, False),
    "medium": Size((64, 128, 128, 64), None, 16, True),
    "paper": Size((256, 512, 512, 256), None, 16, True),
}


class RealNetwork(nn.Module):
    """Feature maps of all layers to logits (N, 2, 2 h, 2 w); nothing in it depends on values, so it can be exported."""

    def __init__(
        self,
        reductions: Sequence[Reduction],
        *,
        attention: bool,
        mode: str,
        retention: float,
        normalise_ranking: bool,
    ) -> None:
        super().__init__()
        self.reductions = nn.ModuleList(reductions)
        counts = [reduction.count for reduction in reductions]
        self.reconstructions = nn.ModuleList(
            [ReconstructionUNet(count, max(8, count // 2 // 4 * 4), attention) for count in counts]
        )
        self.mode = mode
        self.kept = sum(counts) if mode == "all" else max(2, round(retention * sum(counts)))
        self.ranking = nn.BatchNorm2d(sum(counts), affine=False, momentum=0.9) if normalise_ranking else None
        self.discriminator = ResidualDiscriminator(self.kept)

    @property
    def channels_in(self) -> list[int]:
        """Channels of each layer before the reduction."""
        return [len(reduction.mean) for reduction in cast(Iterable[Reduction], self.reductions)]

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Logits of good and defective."""
        given = self.reduce(maps)
        return self.discriminate(given, self.reconstruct(given))

    def reduce(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """Feature maps of each layer (N, C, H, W) as (N, m, h, w)."""
        return [reduction(values) for reduction, values in zip(self.reductions, maps, strict=True)]

    def reconstruct(self, given: Sequence[Tensor]) -> list[Tensor]:
        """What the reduced maps would be without a defect."""
        return [network(values) for network, values in zip(self.reconstructions, given, strict=True)]

    def discriminate(self, given: Sequence[Tensor], rebuilt: Sequence[Tensor]) -> Tensor:
        """Logits from the residuals, E = (given - rebuilt)^2."""
        residuals = together([(a - b).square() for a, b in zip(given, rebuilt, strict=True)])
        ranked = self.ranking(residuals) if self.ranking is not None else None
        logits: Tensor = self.discriminator(selected(residuals, self.mode, self.kept, ranked))
        return logits


def log_odds(logits: Tensor) -> Tensor:
    """Of defective against good (N, H, W); unlike the softmax of the paper, which it orders alike, never flat at 1."""
    return logits[:, 1] - logits[:, 0]
