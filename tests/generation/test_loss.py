"""The loss against independent oracles."""

import math

import pytest
import torch
from diffusers import DDPMScheduler
from torch.distributions import Normal, kl_divergence

from flawsight.generation.loss import Diffusion, log_likelihood

T = torch.tensor([1, 40, 500, 999])


@pytest.fixture
def diffusion() -> Diffusion:
    return Diffusion()


@pytest.fixture
def drawn() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """A prediction with variance, pictures and noise."""
    chance = torch.Generator().manual_seed(0)
    clean = torch.rand(4, 3, 5, 5, generator=chance) * 2 - 1
    return torch.randn(4, 6, 5, 5, generator=chance), clean, torch.randn(4, 3, 5, 5, generator=chance)


def test_the_steps_are_those_of_the_sampler(diffusion: Diffusion) -> None:
    scheduler = DDPMScheduler(1000, 1e-4, 0.02, "linear")
    assert torch.allclose(diffusion.alpha_bar, scheduler.alphas_cumprod, rtol=1e-3)
    assert diffusion.log_beta[999].exp() == pytest.approx(0.02, rel=1e-5)


def test_variance_lies_between_the_posterior_and_beta(diffusion: Diffusion) -> None:
    """The shares -1 and 1 are the ends, by the textbook formulas, and 0 is halfway between their logarithms."""
    beta = torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64)
    alpha_bar = torch.cumprod(1 - beta, 0)
    posterior = beta[T] * (1 - alpha_bar[T - 1]) / (1 - alpha_bar[T])
    low, middle, high = (diffusion.log_variance(torch.full((4, 1, 1, 1), s), T).flatten() for s in (-1.0, 0.0, 1.0))
    assert torch.allclose(low.exp(), posterior.float(), rtol=1e-4)
    assert torch.allclose(high.exp(), beta[T].float(), rtol=1e-4)
    assert torch.allclose(middle, (low + high) / 2)


def test_the_bound_is_the_divergence_of_two_normals(
    diffusion: Diffusion, drawn: tuple[torch.Tensor, torch.Tensor, torch.Tensor]
) -> None:
    output, clean, noise = (values.double() for values in drawn)
    predicted, share = output.chunk(2, dim=1)
    beta = torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64)
    alpha_bar = torch.cumprod(1 - beta, 0)
    for row, t in enumerate(T.tolist()):
        noisy = alpha_bar[t].sqrt() * clean[row] + (1 - alpha_bar[t]).sqrt() * noise[row]
        # Ho et al. 2020, Eq. 11: the mean from the noise; with the true noise it is the posterior's mean.
        true, guessed = (
            (noisy - beta[t] / (1 - alpha_bar[t]).sqrt() * eps) / (1 - beta[t]).sqrt()
            for eps in (noise[row], predicted[row])
        )
        low = (beta[t] * (1 - alpha_bar[t - 1]) / (1 - alpha_bar[t])).log()
        log_variance = (share[row] + 1) / 2 * beta[t].log() + (1 - share[row]) / 2 * low
        oracle = kl_divergence(Normal(true, (low / 2).exp()), Normal(guessed, (log_variance / 2).exp()))
        ours = diffusion.bound(predicted.float(), share.float(), clean.float(), noise.float(), T)[row]
        assert ours.item() == pytest.approx(oracle.mean().item() / math.log(2), rel=1e-3)


def test_the_first_step_is_the_likelihood_of_grey_levels(diffusion: Diffusion) -> None:
    levels = torch.arange(256) / 127.5 - 1
    for mean, deviation in ((0.3, 0.05), (-1.0, 0.2), (0.99, 0.001)):
        logs = log_likelihood(levels, torch.tensor(mean), 2 * torch.tensor(deviation).log())
        assert logs.exp().sum().item() == pytest.approx(1, abs=1e-4)
    clean, noise = torch.zeros(1, 1, 2, 2) + 1 / 255, torch.zeros(1, 1, 2, 2)
    first = torch.tensor([0])
    exact = diffusion.bound(noise, -torch.ones(1, 1, 2, 2), clean, noise, first)
    wrong = diffusion.bound(noise + 2, -torch.ones(1, 1, 2, 2), clean, noise, first)
    assert 0 <= exact < wrong


def test_each_half_of_the_output_learns_from_its_own_term(
    diffusion: Diffusion, drawn: tuple[torch.Tensor, torch.Tensor, torch.Tensor]
) -> None:
    output, clean, noise = drawn
    output.requires_grad_()
    diffusion.loss(output, clean, noise, T).sum().backward()
    assert output.grad is not None
    mean_error = 2 * (output[:, :3] - noise).detach() / noise[0].numel()
    assert torch.allclose(output.grad[:, :3], mean_error, atol=1e-6)
    assert output.grad[:, 3:].abs().sum() > 0


def test_velocity_weighs_by_the_signal(
    diffusion: Diffusion, drawn: tuple[torch.Tensor, torch.Tensor, torch.Tensor]
) -> None:
    """Without an error of the noise only the bound is left; an error counts 1 / alpha_bar times as much."""
    output, clean, noise = drawn
    output = torch.cat([noise + 0.1, output[:, 3:]], 1)
    bound = diffusion.bound(output[:, :3], output[:, 3:], clean, noise, T)
    plain, v_prediction = (diffusion.loss(output, clean, noise, T, how) - bound for how in (False, True))
    assert torch.allclose(plain, torch.full((4,), 0.01), atol=1e-4)
    assert torch.allclose(v_prediction, 0.01 / diffusion.alpha_bar[T], rtol=2e-2)
