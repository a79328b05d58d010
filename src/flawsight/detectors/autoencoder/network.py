"""The autoencoder network of paper C: a ResNet-18 and its mirror image."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock, conv1x1  # type: ignore[import-untyped]

STRIDE = 32
"""How much smaller than the image the last map of the encoder is."""


class ResNetAutoencoder(nn.Module):
    """Images (N, 3, S, S) through a vector of `latent` values and back, to values from 0 to 1.

    The encoder is a ResNet-18 whose first block has `width` channels (64 in the original) and whose last map one
    convolution gathers into the vector; the decoder undoes each step, upsampling by pixel shuffle. S is a multiple
    of 32.
    """

    def __init__(self, side: int, width: int, latent: int) -> None:
        super().__init__()
        cells = side // STRIDE
        widths = [width, width, 2 * width, 4 * width, 8 * width]
        steps = list(zip(widths, widths[1:], (1, 2, 2, 2), strict=False))
        self.encoder = nn.Sequential(
            nn.Conv2d(3, width, 7, 2, padding=3, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, 2, padding=1),
            *(block for step in steps for block in _down(*step)),
            nn.Conv2d(8 * width, latent, cells, bias=False),
        )
        self.decoder = nn.Sequential(
            nn.ConvTranspose2d(latent, 8 * width, cells, bias=False),
            nn.ReLU(inplace=True),
            *(block for narrow, wide, stride in reversed(steps) for block in _up(wide, narrow, stride)),
            nn.Upsample(scale_factor=2),
            *_wider(width, 3, 7, 2),
            nn.Sigmoid(),
        )
        self._start_simple()

    def _start_simple(self) -> None:
        """Residual branches start at zero and the picture nearly grey: without that, short trainings lead nowhere."""
        convolutions = [module for module in self.modules() if isinstance(module, nn.Conv2d | nn.ConvTranspose2d)]
        for convolution in convolutions:
            nn.init.kaiming_normal_(convolution.weight, mode="fan_out", nonlinearity="relu")
        with torch.no_grad():
            convolutions[-1].weight.mul_(0.1)
        for module in self.modules():
            if isinstance(module, BasicBlock | _MirroredBlock):
                nn.init.zeros_(module.bn2.weight)

    def forward(self, images: Tensor) -> Tensor:
        """The reconstruction."""
        return self.decoder(self.encoder(images))


class _MirroredBlock(nn.Module):
    """The basic residual block of a ResNet, run backwards."""

    def __init__(self, wide: int, narrow: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.ConvTranspose2d(wide, wide, 3, padding=1, bias=False),
            nn.BatchNorm2d(wide),
            nn.ReLU(inplace=True),
            *_wider(wide, narrow, 3, stride),
        )
        self.bn2 = nn.BatchNorm2d(narrow)
        same = wide == narrow and stride == 1
        shortcut = [] if same else [*_wider(wide, narrow, 1, stride), nn.BatchNorm2d(narrow)]
        self.shortcut = nn.Sequential(*shortcut)

    def forward(self, values: Tensor) -> Tensor:
        return (self.bn2(self.body(values)) + self.shortcut(values)).relu_()


def _down(narrow: int, wide: int, stride: int) -> list[nn.Module]:
    same = wide == narrow and stride == 1
    shortcut = None if same else nn.Sequential(conv1x1(narrow, wide, stride), nn.BatchNorm2d(wide))
    return [BasicBlock(narrow, wide, stride, shortcut), BasicBlock(wide, wide)]


def _up(wide: int, narrow: int, stride: int) -> list[nn.Module]:
    return [_MirroredBlock(wide, wide, 1), _MirroredBlock(wide, narrow, stride)]


def _wider(before: int, after: int, kernel: int, stride: int) -> list[nn.Module]:
    """A transposed convolution that makes maps `stride` times as large, without a checkerboard."""
    convolution = nn.ConvTranspose2d(before, after * stride**2, kernel, padding=kernel // 2, bias=False)
    return [convolution, nn.PixelShuffle(stride)] if stride > 1 else [convolution]
