"""The U-Nets that turn features with defects into those without."""

import pytest
import torch
from torch import nn

from flawsight.detectors.realnet.reconstruction import ReconstructionUNet


@pytest.mark.parametrize("attention", [True, False])
@pytest.mark.parametrize("shape", [(12, 16, 16), (5, 7, 9), (64, 1, 1), (8, 3, 2)])
def test_u_net_keeps_the_shape_and_begins_at_zero(shape: tuple[int, int, int], attention: bool) -> None:
    unet = ReconstructionUNet(shape[0], 8, attention)
    maps = torch.randn(2, *shape)
    assert torch.equal(unet(maps), torch.zeros(2, *shape))
    nn.init.ones_(unet.last[2].weight)
    assert unet(maps).shape == maps.shape and unet(maps).abs().sum() > 0


def test_u_net_learns_to_remove_what_does_not_belong() -> None:
    torch.manual_seed(0)
    unet = ReconstructionUNet(4, 8, attention=True)
    optimizer = torch.optim.Adam(unet.parameters(), 3e-3)
    clean = torch.linspace(-1, 1, 16).expand(8, 4, 16, 16)
    for _ in range(60):
        spoilt = clean.clone()
        spoilt[:, :, 4:8, 4:8] += torch.randn(8, 4, 1, 1)
        loss = (unet(spoilt) - clean).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 0.1 * clean.square().mean()
