"""Algorithm 1 of paper E against diffusers, and what a picture may depend on."""

from typing import Any

import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler

from flawsight.core import FlawsightError
from flawsight.generation.sampling import ancestral, check_sampling, sample

SETTINGS: dict[str, Any] = {"num_train_timesteps": 1000, "beta_start": 1e-4, "beta_end": 0.02, "clip_sample": True}


def network(pictures: torch.Tensor, steps: torch.Tensor) -> torch.Tensor:
    """A fixed function: something like noise, and a share of variance that varies over the picture."""
    return torch.cat([torch.tanh(pictures) + steps.view(-1, 1, 1, 1) / 5000, pictures.cos()], dim=1)


def plain(scheduler: Any, seed: int, **options: Any) -> torch.Tensor:
    """One picture, number 3, with a scheduler of diffusers and the chance that `sample` uses."""
    from flawsight.generation.sampling import _generator

    chance = _generator(seed, 3)
    torch.rand(1, 1, 1, generator=chance)  # the strength
    picture = torch.randn(1, 3, 8, 8, generator=chance)
    scheduler.set_timesteps(20)
    for step in scheduler.timesteps:
        output = network(picture, step.view(1))
        if isinstance(scheduler, DDIMScheduler):
            output = output[:, :3]
        picture = scheduler.step(output, step, picture, **({"generator": chance} | options)).prev_sample
    return picture


def test_strength_0_is_plain_sampling_bit_for_bit() -> None:
    oracle = plain(DDPMScheduler(**SETTINGS, variance_type="learned_range"), seed=5)
    assert torch.equal(sample(network, (3, 8, 8), [3], (0, 0), seed=5), oracle)


def test_ddim_of_strength_0_is_diffusers_ddim() -> None:
    oracle = plain(DDIMScheduler(**SETTINGS), seed=5, use_clipped_model_output=True)
    assert torch.equal(sample(network, (3, 8, 8), [3], (0, 0), seed=5, sampler="ddim"), oracle)


@pytest.mark.parametrize(
    ("kind", "channels"), [("learned_range", 6), ("fixed_small", 3), ("fixed_large", 3), ("fixed_small_log", 3)]
)
@pytest.mark.parametrize("strength", [0.15, 1.0])
def test_strength_scales_the_variance_of_a_step(kind: str, channels: int, strength: float) -> None:
    """For the same prediction, x_{t-1} has the same mean and 1 + s times the variance (Eq. 2 of paper E)."""
    pictures, output = torch.full((1, 3, 2, 2), 0.3), torch.full((1, channels, 2, 2), 0.2)
    results = []
    for value in (0.0, strength):
        scheduler = ancestral(variance_type=kind)
        scheduler.set_timesteps(20)
        scheduler.strength = value
        many = (values.expand(20_000, -1, -1, -1) for values in (output, pictures))
        chance = torch.Generator().manual_seed(int(100 * value))
        results.append(scheduler.step(next(many), 450, next(many), generator=chance).prev_sample)
    before, after = results
    assert (after.var() / before.var()).item() == pytest.approx(1 + strength, rel=0.02)
    assert after.mean().item() == pytest.approx(before.mean().item(), abs=0.005)


def test_the_last_step_adds_no_noise() -> None:
    scheduler = ancestral()
    scheduler.set_timesteps(20)
    scheduler.strength = 5.0
    pictures, output = torch.full((1, 3, 2, 2), 0.3), torch.full((1, 6, 2, 2), 0.2)
    first, again = (scheduler.step(output, 0, pictures).prev_sample for _ in range(2))
    assert torch.equal(first, again) and first.abs().max() <= 1


@pytest.mark.parametrize("sampler", ["ddpm", "ddim"])
def test_a_picture_depends_on_its_number_and_seed_only(sampler: Any) -> None:
    def made(numbers: list[int], seed: int = 1) -> torch.Tensor:
        return sample(network, (3, 8, 8), numbers, (0.1, 0.4), seed=seed, sampler=sampler)

    many = made([0, 1, 2, 3, 4])
    assert torch.equal(made([2])[0], many[2]) and torch.equal(made([4, 0])[1], many[0])
    assert not torch.equal(many[0], many[1]) and not torch.equal(made([2], seed=2)[0], many[2])


@pytest.mark.parametrize("sampler", ["ddpm", "ddim"])
def test_each_picture_has_a_strength_of_its_own(sampler: Any) -> None:
    """The same chance with strength s: more strength, farther from the normal picture."""
    normal, weak, strong = (
        sample(network, (3, 8, 8), range(4), (s, s), seed=1, sampler=sampler) for s in (0.0, 0.05, 0.5)
    )
    assert ((strong - normal).abs().mean((1, 2, 3)) > (weak - normal).abs().mean((1, 2, 3))).all()
    between = sample(network, (3, 8, 8), range(4), (0.05, 0.5), seed=1, sampler=sampler)
    assert not any(torch.equal(one, other) for end in (weak, strong) for one, other in zip(between, end, strict=True))


@pytest.mark.parametrize("strength", [-0.1, (0.2, 0.1), (0.1, 0.2, 0.3), float("nan"), "strong", (0.1, float("inf"))])
def test_strengths_that_are_none(strength: Any) -> None:
    with pytest.raises(FlawsightError, match="strength"):
        check_sampling(strength, 20, "ddpm")


def test_other_settings_that_cannot_be() -> None:
    assert check_sampling(0.3, 20, "ddpm") == (0.3, 0.3) and check_sampling((0, 1), 1000, "ddim") == (0, 1)
    with pytest.raises(FlawsightError, match="1 to 1000 steps"):
        check_sampling(0.1, 0, "ddpm")
    with pytest.raises(FlawsightError, match="use ddpm or ddim"):
        check_sampling(0.1, 20, "euler")
