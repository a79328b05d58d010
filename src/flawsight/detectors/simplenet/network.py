"""SimpleNet's trained part: an adaptor, a discriminator, and the loss of good against noisy descriptors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

SLOPE = 0.2
ADAPTORS = ("none", "linear", "mlp")
_BLOCK = 512
"""Rows whose hidden values stay in the processor's cache."""
_FEW = 0.75
"""Share of rows with a gradient below which it pays to pick them out."""


class Criterion(NamedTuple):
    """Loss of a score that should be high, row by row, and its derivative."""

    value: Callable[[Tensor], Tensor]
    slope: Callable[[Tensor], Tensor]


def truncated(margin: float) -> Criterion:
    """The truncated l1 loss (Eq. 7 of paper D), th+ = -th- = margin."""
    return Criterion(lambda score: (margin - score).relu(), lambda score: -(score < margin).to(score.dtype))


def cross_entropy() -> Criterion:
    """The cross-entropy that paper D compares with."""
    return Criterion(lambda score: functional.softplus(-score), lambda score: -(-score).sigmoid())


class Network(nn.Module):
    """Adaptor (Eq. 5) and discriminator (Sec. 3.4): descriptors (M, D) to scores (M,), high for good ones."""

    def __init__(self, size: int, hidden: int, adaptor: str, bias: bool) -> None:
        super().__init__()
        layers: list[nn.Module] = [] if adaptor == "none" else [nn.Linear(size, size, bias)]
        if adaptor == "mlp":
            layers += [nn.LeakyReLU(SLOPE), nn.Linear(size, size, bias)]
        self.adaptor = nn.Sequential(*layers)
        self.linear = nn.Linear(size, hidden, bias=False)  # batch normalisation would undo a bias
        self.norm = nn.BatchNorm1d(hidden)
        self.output = nn.Linear(hidden, 1, bias=False)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_normal_(module.weight)

    def forward(self, descriptors: Tensor) -> Tensor:
        """Scores (M,)."""
        return self.judged(self.adaptor(descriptors))

    def judged(self, adapted: Tensor) -> Tensor:
        """Scores (M,) of adapted descriptors (M, D)."""
        return self.output(functional.leaky_relu(self.norm(self.linear(adapted)), SLOPE)).squeeze(1)

    def loss(self, descriptors: Tensor, noise: Tensor, criterion: Criterion) -> Tensor:
        """Mean loss of the descriptors plus that of the same with noise (Eq. 6 to 8), judged as one batch."""
        good = self.adaptor(descriptors)
        both = torch.cat([good, good + noise])
        signs = torch.ones(len(both), device=both.device)
        signs[len(good) :] = -1
        size, hidden = both.shape[1], len(self.linear.weight)
        # The moments of wide descriptors cost more than they save; a GPU would wait for the rows to be picked out; and
        # autocast does not reach into what is computed by hand.
        if both.device.type != "cpu" or 2 * size > hidden or torch.is_autocast_enabled("cpu"):
            return 2 * criterion.value(self.judged(both).to(descriptors.dtype) * signs).mean()
        weight, bias = self._normalised(both)
        return 2 * _MeanLoss.apply(both, signs, weight, bias, self.output.weight[0], criterion)

    def _normalised(self, adapted: Tensor) -> tuple[Tensor, Tensor]:
        """The hidden layer with the batch's normalisation in it, from the moments of its inputs; keeps the statistics.

        Mean and variance of W x are W mean(x) and diag(W cov(x) W'): the hidden values need not be read for them.
        """
        rows, mean = len(adapted), adapted.mean(0)
        centred = adapted - mean.detach()  # the covariance does not change with the mean
        half = centred.detach().T @ centred / rows
        covariance = 2 * half - half.detach()  # its value, and the gradient of both factors, for one product each
        weight = self.linear.weight
        variance = ((weight @ covariance) * weight).sum(1).clamp_min(0)
        with torch.no_grad():
            momentum, (means, variances) = self.norm.momentum or 0.0, self._statistics()
            means.lerp_(weight @ mean, momentum)
            variances.lerp_(variance * (rows / (rows - 1)), momentum)
        scaled = weight * (self.norm.weight * torch.rsqrt(variance + self.norm.eps))[:, None]
        return scaled, self.norm.bias - scaled @ mean

    def _statistics(self) -> tuple[Tensor, Tensor]:
        """Running means and variances of the hidden values."""
        means, variances = self.norm.running_mean, self.norm.running_var
        assert means is not None and variances is not None
        return means, variances

    @torch.no_grad()
    def folded(self) -> Folded:
        """The same scores with as few products as possible: what is linear in a row becomes one layer."""
        means, variances = self._statistics()
        scale = self.norm.weight * (variances + self.norm.eps).rsqrt()
        weight = self.linear.weight * scale[:, None]
        bias = self.norm.bias - means * scale
        last = self.adaptor[-1] if len(self.adaptor) else None
        if isinstance(last, nn.Linear):
            bias = bias if last.bias is None else bias + weight @ last.bias
            weight = weight @ last.weight
        return Folded(self.adaptor[:-1], weight, bias, self.output.weight[0])


class Folded(NamedTuple):
    """The trained network as it is used: scores = leaky_relu(before(x) W' + b) v."""

    before: nn.Sequential
    weight: Tensor
    bias: Tensor
    output: Tensor

    @torch.no_grad()
    def __call__(self, descriptors: Tensor) -> Tensor:
        """Scores (M,) of descriptors (M, D), in blocks that stay in the cache."""
        blocks = (descriptors,) if torch.compiler.is_exporting() else descriptors.split(_BLOCK)
        scores = [
            functional.leaky_relu_(torch.addmm(self.bias, self.before(block), self.weight.T), SLOPE) @ self.output
            for block in blocks
        ]
        return torch.cat(scores)


class _MeanLoss(torch.autograd.Function):
    """mean(criterion(signs * (leaky_relu(x W' + b) v))): value and gradient in one pass over blocks of rows.

    The hidden values, by far the largest array of a training step, never leave the cache, and rows whose loss is
    truncated take no part in the backward products.
    """

    @staticmethod
    def forward(
        ctx: Any, rows: Tensor, signs: Tensor, weight: Tensor, bias: Tensor, output: Tensor, criterion: Criterion
    ) -> Tensor:
        total = rows.new_zeros(())
        found = [torch.zeros_like(values) for values in (rows, weight, bias, output)]
        to_rows, to_weight, to_bias, to_output = found
        for block, sign, to_block in zip(*(values.split(_BLOCK) for values in (rows, signs, to_rows)), strict=True):
            hidden = functional.leaky_relu_(torch.addmm(bias, block, weight.T), SLOPE)
            score = (hidden @ output).mul_(sign)
            total += criterion.value(score).sum()
            slope = criterion.slope(score).mul_(sign).div_(len(rows))
            picked = slope.nonzero().squeeze(1)
            few = len(picked) < _FEW * len(block)
            if few:
                hidden, slope, block = hidden[picked], slope[picked], block[picked]  # noqa: PLW2901
            to_output.addmv_(hidden.T, slope)
            # Leaky ReLU keeps signs, so its result tells its derivative.
            passed = torch.ops.aten.leaky_relu_backward(torch.outer(slope, output), hidden, SLOPE, True)
            to_weight.addmm_(passed.T, block)
            to_bias += passed.sum(0)
            if ctx.needs_input_grad[0] and few:
                to_block[picked] = passed @ weight
            elif ctx.needs_input_grad[0]:
                torch.mm(passed, weight, out=to_block)
        ctx.save_for_backward(*found)
        return total / len(rows)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (upstream,) = gradients
        rows, weight, bias, output = (upstream * values for values in ctx.saved_tensors)
        return rows, None, weight, bias, output, None
