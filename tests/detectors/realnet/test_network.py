"""The whole network: its presets, its answers and its export."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from flawsight.detectors import RealNet
from flawsight.detectors.realnet.network import SIZES, RealNetwork, log_odds


def test_log_odds_order_as_the_softmax_does() -> None:
    logits = torch.randn(3, 2, 4, 4)
    odds, probabilities = log_odds(logits), logits.softmax(1)[:, 1]
    assert torch.allclose(odds.sigmoid(), probabilities, atol=1e-6)


def test_presets_name_the_papers_channels() -> None:
    assert SIZES["paper"].channels == (256, 512, 512, 256)
    assert RealNet("paper")._counts(4) == [256, 512, 512, 256] and RealNet("small")._counts(2) == [16, 32]
    assert RealNet("small")._counts(6) == [16, 32, 48, 64, 64, 64]


def test_inference_can_be_exported_without_control_flow_on_values(
    pictures: Callable, layers_of: Callable, learned: Callable
) -> None:
    detector = learned()
    maps = layers_of(pictures(2, seed=1))

    class Alone(nn.Module):
        def __init__(self, network: RealNetwork) -> None:
            super().__init__()
            self.network = network

        def forward(self, fine: Tensor, coarse: Tensor) -> Tensor:
            return log_odds(self.network([fine, coarse]))

    program = torch.export.export(Alone(detector.network_), tuple(maps))
    others = layers_of(pictures(2, seed=5))
    expected = detector.anomaly_maps([torch.zeros(2, 3, 32, 32), *others])
    assert torch.allclose(program.module()(*others), expected, atol=1e-5)
