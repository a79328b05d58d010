"""What the generator's training minimises: the error of the noise, and the bound of one step for the variance."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

STEPS = 1000
BETAS = (1e-4, 0.02)
HALF_LEVEL = 1 / 255  # of a grey level, where the range from 0 to 255 spans -1 to 1


class Diffusion(nn.Module):
    """The constants of 1000 steps with linear betas; tables (1000,) indexed by step t, from 0."""

    alpha_bar: Tensor
    log_beta: Tensor
    log_posterior: Tensor
    of_clean: Tensor
    of_noisy: Tensor

    def __init__(self) -> None:
        super().__init__()
        beta = torch.linspace(*BETAS, STEPS, dtype=torch.float64)
        alpha_bar = torch.cumprod(1 - beta, 0)
        before = torch.cat([torch.ones(1, dtype=torch.float64), alpha_bar[:-1]])
        posterior = beta * (1 - before) / (1 - alpha_bar)
        posterior[0] = posterior[1]  # zero has no logarithm
        tables = {
            "alpha_bar": alpha_bar,
            "log_beta": beta.log(),
            "log_posterior": posterior.log(),
            "of_clean": beta * before.sqrt() / (1 - alpha_bar),
            "of_noisy": (1 - before) * (1 - beta).sqrt() / (1 - alpha_bar),
        }
        for name, values in tables.items():
            self.register_buffer(name, values.float(), persistent=False)

    def noisy(self, clean: Tensor, noise: Tensor, t: Tensor) -> Tensor:
        """x_t, drawn from q(x_t | x_0) with that noise (Sec. 3.1 of paper E)."""
        alpha_bar = self.alpha_bar[t].view(-1, 1, 1, 1)
        return alpha_bar.sqrt() * clean + (1 - alpha_bar).sqrt() * noise

    def log_variance(self, share: Tensor, t: Tensor) -> Tensor:
        """From the posterior's log-variance, at a share of -1, to log(beta), at 1."""
        part = (share + 1) / 2
        return part * self.log_beta[t].view(-1, 1, 1, 1) + (1 - part) * self.log_posterior[t].view(-1, 1, 1, 1)

    def loss(self, output: Tensor, clean: Tensor, noise: Tensor, t: Tensor, v_prediction: bool = False) -> Tensor:
        """The loss (N,) of predictions (N, 2C, S, S): Eq. 1 of paper E and, for the variance, one step's bound.

        The bound does not reach the predicted noise (Nichol and Dhariwal 2021); it weighs 1. `v_prediction`
        measures the error of the velocity in place of the noise's, which is sqrt(alpha_bar) times as large.
        """
        predicted, share = output.chunk(2, dim=1)
        simple = (predicted - noise).square().flatten(1).mean(1)
        if v_prediction:
            simple = simple / self.alpha_bar[t]
        return simple + self.bound(predicted.detach(), share, clean, noise, t)

    def bound(self, predicted: Tensor, share: Tensor, clean: Tensor, noise: Tensor, t: Tensor) -> Tensor:
        """One step's part of the variational bound (N,), in bits for each value."""
        noisy = self.noisy(clean, noise, t)
        alpha_bar, of_clean, of_noisy, log_posterior = (
            table[t].view(-1, 1, 1, 1) for table in (self.alpha_bar, self.of_clean, self.of_noisy, self.log_posterior)
        )
        predicted_clean = (noisy - (1 - alpha_bar).sqrt() * predicted) / alpha_bar.sqrt()
        true_mean = of_clean * clean + of_noisy * noisy
        mean = of_clean * predicted_clean + of_noisy * noisy
        log_variance = self.log_variance(share, t)
        divergence = 0.5 * (
            log_variance
            - log_posterior
            + (log_posterior - log_variance).exp()
            + (true_mean - mean).square() * (-log_variance).exp()
            - 1
        )
        first = (t == 0).view(-1, 1, 1, 1)
        nats = torch.where(first, -log_likelihood(clean, mean, log_variance), divergence)
        return nats.flatten(1).mean(1) / math.log(2)


def log_likelihood(values: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
    """Log-probability of the grey levels `values`, from -1 to 1, under a normal distribution cut into levels."""
    precision = (-0.5 * log_variance).exp()
    upper = torch.special.ndtr((values - mean + HALF_LEVEL) * precision)
    lower = torch.special.ndtr((values - mean - HALF_LEVEL) * precision)
    upper = torch.where(values > 0.999, 1.0, upper)
    lower = torch.where(values < -0.999, 0.0, lower)
    return (upper - lower).clamp_min(1e-12).log()
