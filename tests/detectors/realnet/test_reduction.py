"""How the maps of a layer become fewer and smaller."""

import torch

from flawsight.detectors.realnet.reduction import Reduction, channel_statistics


def test_statistics_are_those_of_all_positions() -> None:
    maps = torch.randn(7, 3, 4, 5) * torch.tensor([1.0, 5.0, 0.0])[:, None, None] + 2
    ((mean, spread),) = channel_statistics([[maps[:4]], [maps[4:]]])
    assert torch.allclose(mean, maps.mean((0, 2, 3)), atol=1e-5)
    assert torch.allclose(spread[:2], maps.std((0, 2, 3), unbiased=False)[:2], rtol=1e-4)
    assert 0 < spread[2] < 0.05  # a channel that never changes


def test_reduction_standardises_and_chooses_or_projects() -> None:
    maps, mean, spread = torch.randn(2, 5, 4, 4), torch.arange(5.0), torch.tensor([1.0, 2, 4, 8, 16])
    standard = (maps - mean[:, None, None]) / spread[:, None, None]
    chosen = Reduction(None, mean, spread, chosen=torch.tensor([1, 4]))
    assert torch.allclose(chosen(maps), standard[:, [1, 4]]) and chosen.count == 2
    matrix = torch.randn(3, 5)
    projected = Reduction(2, mean, spread, matrix=matrix)
    assert projected(maps).shape == (2, 3, 2, 2) and projected.count == 3
    expected = torch.einsum("mc,nchw->nmhw", matrix, standard).unflatten(2, (2, 2)).unflatten(4, (2, 2)).mean((3, 5))
    assert torch.allclose(projected(maps), expected, atol=1e-5)
