"""The two networks of the asymmetric student-teacher: a flow that knows positions, and its student."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple, cast

import torch
from FrEIA.framework import SequenceINN
from FrEIA.modules import GLOWCouplingBlock, PermuteRandom
from torch import Tensor, nn

from flawsight.detectors.bases.flow_network import Shape, Standardise
from flawsight.detectors.bases.grids import finest, resized

LAST_KERNEL = 5


class Form(NamedTuple):
    """Sizes of both networks, as the parameters of `AsymmetricStudentTeacher`."""

    couplings: int
    hidden: int
    clamp: float
    width: int
    blocks: int
    encoding: int


class StudentTeacher(nn.Module):
    """Maps of each layer -> what the student's answer lacks of the teacher's (N, C, h, w)."""

    def __init__(self, shapes: Sequence[Shape], form: Form) -> None:
        super().__init__()
        self.places: Tensor
        channels = sum(shape[0] for shape in shapes)
        self.size = finest([(height, width) for _, height, width in shapes])
        self.register_buffer("places", positional_encoding(form.encoding, *self.size), persistent=False)
        self.scales = nn.ModuleList([Standardise(count) for count, _, _ in shapes])
        self.teacher = teacher_flow((channels, *self.size), form)
        self.student = student_network(channels, form)

    def learn_scale(self, layers: Sequence[Tensor]) -> None:
        """Standardise by these maps of good images."""
        for scale, values in zip(self.scales, layers, strict=True):
            cast(Standardise, scale).learn(values)

    def joined(self, layers: Sequence[Tensor]) -> Tensor:
        """One map (N, C, h, w) of all layers."""
        scaled = [scale(values) for scale, values in zip(self.scales, layers, strict=True)]
        return torch.cat([resized(values, self.size) for values in scaled], dim=1)

    def taught(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        """The teacher's latents, and its log-determinant (N,)."""
        z, log_det = self.teacher(maps, c=[self._places(maps)])
        return z, log_det

    def forward(self, layers: Sequence[Tensor]) -> Tensor:
        """The teacher does not learn from it."""
        maps = self.joined(layers)
        with torch.no_grad():
            z, _ = self.taught(maps)
        answer: Tensor = self.student(torch.cat([maps, self._places(maps)], dim=1))
        return answer - z

    def _places(self, maps: Tensor) -> Tensor:
        return self.places.expand(maps.shape[0], -1, -1, -1)


def positional_encoding(size: int, height: int, width: int) -> Tensor:
    """Sine and cosine of x, then of y, at `size` / 4 wavelengths from 2 pi to nearly 10^4 * 2 pi: (size, h, w)."""
    count = size // 4
    rates = 1e4 ** (-torch.arange(count) / count)
    x, y = (rates[:, None] * torch.arange(side) for side in (width, height))
    across = torch.cat([x.sin(), x.cos()])[:, None, :].expand(-1, height, -1)
    down = torch.cat([y.sin(), y.cos()])[:, :, None].expand(-1, -1, width)
    return torch.cat([across, down])


def teacher_flow(shape: Shape, form: Form) -> SequenceINN:
    """Couplings that change both halves, each after a fixed permutation; they start as the identity."""
    flow = SequenceINN(*shape)
    for number in range(form.couplings):
        kernel = LAST_KERNEL if number == form.couplings - 1 else 3
        flow.append(PermuteRandom)
        flow.append(
            GLOWCouplingBlock,
            cond=0,
            cond_shape=(form.encoding, *shape[1:]),
            subnet_constructor=partial(_Subnet, kernel, form.hidden),
            clamp=form.clamp,
            clamp_activation=partial(_bounded, form.clamp),
            split_len=shape[0] // 2,
        )
    return flow


def _bounded(clamp: float, log_scale: Tensor) -> Tensor:
    """FrEIA clamps `clamp * atan(s)`, the method `clamp * atan(s / clamp)`."""
    return 0.636 * torch.atan(log_scale / clamp)


class _Subnet(nn.Module):
    """Two convolutions whose output is scaled by a learned number that starts at 0."""

    def __init__(self, kernel: int, hidden: int, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(channels_in, hidden, kernel, padding=kernel // 2, padding_mode="replicate"),
            nn.ReLU(),
            nn.Conv2d(hidden, channels_out, kernel, padding=kernel // 2, padding_mode="replicate"),
        )
        self.gamma = nn.Parameter(torch.zeros(()))

    def forward(self, maps: Tensor) -> Tensor:
        answer: Tensor = self.layers(maps)
        return self.gamma * answer


def student_network(channels: int, form: Form) -> nn.Module:
    """An ordinary residual network of the maps and the encoded positions."""
    width = form.width
    return nn.Sequential(
        nn.Conv2d(channels + form.encoding, width, 3, padding=1),
        nn.LeakyReLU(),
        *(_Residual(width) for _ in range(form.blocks)),
        nn.Conv2d(width, channels, 3, padding=1),
    )


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1),
            nn.BatchNorm2d(width),
            nn.LeakyReLU(),
            nn.Conv2d(width, width, 3, padding=1),
            nn.BatchNorm2d(width),
            nn.LeakyReLU(),
        )

    def forward(self, maps: Tensor) -> Tensor:
        answer: Tensor = self.layers(maps)
        return maps + answer
