"""Reduction: one layer's feature maps on a coarser grid, standardised, and in fewer channels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from flawsight.detectors.bases.grids import pooled


class Reduction(nn.Module):
    """Maps (N, C, H, W) to (N, m, h, w): pooled to at most `max_grid` a side, standardised, and the channels that are
    `chosen` (m,), or the products with `matrix` (m, C). Nothing in it is trained."""

    mean: Tensor
    spread: Tensor
    chosen: Tensor | None
    matrix: Tensor | None

    def __init__(
        self,
        max_grid: int | None,
        mean: Tensor,
        spread: Tensor,
        chosen: Tensor | None = None,
        matrix: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.max_grid = max_grid
        for name, values in {"mean": mean, "spread": spread, "chosen": chosen, "matrix": matrix}.items():
            self.register_buffer(name, values)

    @property
    def count(self) -> int:
        """Channels that are left."""
        kept = self.matrix if self.chosen is None else self.chosen
        assert kept is not None
        return len(kept)

    def forward(self, maps: Tensor) -> Tensor:
        """The reduced maps."""
        maps = pooled(maps, self.max_grid)
        mean, spread = self.mean[:, None, None], self.spread[:, None, None]
        if self.chosen is None:
            return torch.einsum("mc,nchw->nmhw", self.matrix, (maps - mean) / spread)
        return (maps[:, self.chosen] - mean[self.chosen]) / spread[self.chosen]


def channel_statistics(batches: Iterable[Sequence[Tensor]]) -> list[tuple[Tensor, Tensor]]:
    """Mean and standard deviation (C,) of every channel of each layer, over all positions of maps (N, C, H, W)."""
    sums: list[list[Tensor]] = []
    count = 0
    for maps in batches:
        count += len(maps[0])
        one = [
            torch.stack([len(values) * power.mean((0, 2, 3)) for power in (values.double(), values.double().square())])
            for values in maps
        ]
        sums.append(one)
    found = []
    for parts in zip(*sums, strict=True):
        mean, square = torch.stack(parts).sum(0) / count
        spread = (square - mean.square()).clamp_min(0).sqrt()
        # Divided by next to nothing, a channel that is always the same would drown the others at the first change.
        floor = (spread.mean() / 100).clamp_min(1e-6)
        found.append((mean.float(), torch.maximum(spread, floor).float()))
    return found
