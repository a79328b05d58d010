"""Algorithm 1 of paper E: reverse diffusion whose every step adds more variance than it should, by the strength."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
import torch
from diffusers import DDIMScheduler, DDPMScheduler
from diffusers.utils.torch_utils import randn_tensor
from torch import Tensor

from flawsight.core import FlawsightError
from flawsight.generation.loss import BETAS, STEPS

Sampler = Literal["ddpm", "ddim"]

_SETTINGS: dict[str, Any] = {
    "num_train_timesteps": STEPS,
    "beta_start": BETAS[0],
    "beta_end": BETAS[1],
    "clip_sample": True,
    "timestep_spacing": "leading",
}


class StrengthScheduler(DDPMScheduler):
    """Ancestral sampling with the variance times 1 + `strength` (Eq. 2 of paper E); 0 is plain sampling."""

    strength: Tensor | float = 0.0

    def _get_variance(self, t: int, predicted_variance: Tensor | None = None, variance_type: Any = None) -> Tensor:
        variance: Tensor = super()._get_variance(t, predicted_variance, variance_type)
        more = torch.as_tensor(self.strength, dtype=torch.float32, device=variance.device)
        match variance_type or self.config.variance_type:
            case "learned_range" | "fixed_large_log":
                return variance + more.log1p()
            case "fixed_small_log":  # which is a standard deviation, against its name
                return variance * (1 + more).sqrt()
        return variance * (1 + more)


def ancestral(**settings: Any) -> StrengthScheduler:
    """The scheduler that fits our training: learned range of variance, x_0 clipped to [-1, 1]."""
    return StrengthScheduler(**{**_SETTINGS, "variance_type": "learned_range", **settings})


@torch.inference_mode()
def sample(
    network: Callable[[Tensor, Tensor], Tensor],
    shape: tuple[int, int, int],
    numbers: Sequence[int],
    strength: tuple[float, float],
    *,
    steps: int = 20,
    sampler: Sampler = "ddpm",
    seed: int = 0,
    device: torch.device | str = "cpu",
) -> Tensor:
    """Pictures (N, C, S, S), about -1 to 1, of these numbers, from `steps` of the 1000 steps, equally spaced.

    Picture k draws all its chance, its strength first, from (seed, k). `ddim` is the official code's other variant:
    a deterministic step, then sqrt(strength) times the predicted deviation of noise.
    """
    generators = [_generator(seed, number) for number in numbers]
    drawn = torch.stack([torch.rand(1, 1, 1, generator=generator) for generator in generators])
    ancestor = ancestral()
    ancestor.set_timesteps(steps)
    ancestor.strength = (strength[0] + (strength[1] - strength[0]) * drawn).to(device)
    implicit = DDIMScheduler(**_SETTINGS)
    implicit.set_timesteps(steps)
    size = (len(numbers), *shape)
    pictures = randn_tensor(size, generator=generators, device=torch.device(device))
    for step in ancestor.timesteps.tolist():
        output = network(pictures, torch.full((len(numbers),), step, device=device))
        if sampler == "ddpm":
            pictures = ancestor.step(output, step, pictures, generator=generators).prev_sample
        else:
            pictures = _implicit_step(implicit, ancestor, output, step, pictures, generators)
    return pictures


def _implicit_step(
    implicit: DDIMScheduler,
    ancestor: StrengthScheduler,
    output: Tensor,
    step: int,
    pictures: Tensor,
    generators: list[torch.Generator],
) -> Tensor:
    noise, share = output.chunk(2, dim=1)
    result: Tensor = implicit.step(noise, step, pictures, use_clipped_model_output=True).prev_sample
    if step == 0:
        return result
    log_variance = DDPMScheduler._get_variance(ancestor, step, share)
    fresh = randn_tensor(tuple(pictures.shape), generator=generators, device=pictures.device)
    strength = torch.as_tensor(ancestor.strength)
    return result + strength.sqrt() * (0.5 * log_variance).exp() * fresh


def check_sampling(strength: Any, steps: int = 20, sampler: str = "ddpm") -> tuple[float, float]:
    """The bounds of the strength, from one number or two; FlawsightError for what cannot be sampled.

    >>> check_sampling(0.15), check_sampling((0.1, 0.2))
    ((0.15, 0.15), (0.1, 0.2))
    """
    bounds = np.broadcast_to(np.asarray(strength), 2) if np.size(strength) in (1, 2) else np.array([np.nan, np.nan])
    if bounds.dtype.kind not in "iuf" or not 0 <= bounds[0] <= bounds[1] < np.inf:
        raise FlawsightError(f"strength must be a number from 0, or (low, high) with 0 <= low <= high, got {strength}")
    if not 1 <= steps <= STEPS:
        raise FlawsightError(f"sampling takes 1 to {STEPS} steps, got {steps}; the default is 20")
    if sampler not in ("ddpm", "ddim"):
        raise FlawsightError(f"unknown sampler '{sampler}': use ddpm or ddim")
    return float(bounds[0]), float(bounds[1])


def _generator(seed: int, number: int) -> torch.Generator:
    state = np.random.SeedSequence([seed, number]).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(state) >> 1)
