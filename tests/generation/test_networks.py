"""The networks, and their running average."""

import pytest
import torch
from diffusers.models.attention_processor import Attention
from diffusers.models.downsampling import Downsample2D
from torch import nn

from flawsight.core import FlawsightError
from flawsight.generation.loss import Diffusion
from flawsight.generation.networks import EMA, PRESETS, Denoiser, find_preset


def test_the_untrained_network_predicts_what_costs_least() -> None:
    """No velocity: the noise is then guessed from the noisy picture alone, and the variance is halfway."""
    noisy, steps = torch.randn(2, 3, 16, 16), torch.tensor([0, 700])
    output = Denoiser(PRESETS["tiny"], 3)(noisy, steps)
    alpha_bar = Diffusion().alpha_bar[steps].view(-1, 1, 1, 1)
    assert torch.allclose(output[:, :3], (1 - alpha_bar).sqrt() * noisy) and not output[:, 3:].any()


def test_the_noise_follows_from_the_true_velocity() -> None:
    diffusion, steps = Diffusion(), torch.tensor([3, 500])
    clean, noise = torch.rand(2, 1, 16, 16), torch.randn(2, 1, 16, 16)
    alpha_bar = diffusion.alpha_bar[steps].view(-1, 1, 1, 1)
    denoiser = Denoiser(PRESETS["tiny"], 1)
    v_prediction = alpha_bar.sqrt() * noise - (1 - alpha_bar).sqrt() * clean

    class Knows(nn.Module):
        def forward(self, inner: torch.Tensor, _: torch.Tensor) -> object:
            both = torch.cat([v_prediction, torch.zeros_like(v_prediction)], 1)
            return type("Output", (), {"sample": nn.functional.pixel_unshuffle(both, denoiser.patch)})

    denoiser.unet = Knows()
    assert torch.allclose(denoiser(diffusion.noisy(clean, noise, steps), steps)[:, :1], noise, atol=1e-4)


def test_the_papers_network_has_its_size() -> None:
    """Guided diffusion's network of 256 pixels has 553 million parameters; it has attention at 32, 16 and 8 pixels."""
    with torch.device("meta"):
        network = Denoiser(PRESETS["paper"], 3)
    assert sum(values.numel() for values in network.parameters()) == pytest.approx(553e6, rel=0.02)
    assert ["Attn" in type(block).__name__ for block in network.unet.down_blocks] == [False] * 3 + [True] * 3


def test_attention_sees_normalised_values() -> None:
    """However large the values before it have grown: attention without a norm made trainings end as no number."""
    network = Denoiser(PRESETS["small"], 3)
    seen = []
    for module in network.unet.modules():
        if isinstance(module, Attention):
            module.to_q.register_forward_pre_hook(lambda _, given: seen.append(given[0].abs().max().item()))
        elif isinstance(module, Downsample2D):
            module.conv.weight.data *= 1e4
    network(torch.randn(1, 3, 64, 64), torch.tensor([500]))
    places, channels_in_a_group = 16**2, 128 // PRESETS["small"].norm_groups
    assert len(seen) == 4 and max(seen) <= (places * channels_in_a_group) ** 0.5


def test_unknown_presets() -> None:
    with pytest.raises(FlawsightError, match="small or paper"):
        find_preset("huge")


def test_the_average_follows_the_optimizer() -> None:
    """The first step is copied; then the old average keeps a share of min(decay, (1 + n) / (10 + n))."""
    layer = nn.Linear(1, 1, bias=False)
    layer.weight.data.fill_(0.0)
    module = EMA(layer, decay=0.2)
    optimizer = torch.optim.SGD(module.network.parameters(), lr=1.0)
    module.follow(optimizer)
    expected, seen = None, []
    for number in range(4):
        layer.weight.grad = torch.full((1, 1), -0.5)
        optimizer.step()
        share = min(0.2, (1 + number) / (10 + number))
        now = layer.weight.item()
        expected = now if expected is None else share * expected + (1 - share) * now
        seen.append((module.average.module.weight.item(), expected))
    assert all(found == pytest.approx(wanted) for found, wanted in seen)


def test_the_learning_rate_rises_by_the_steps_taken_before_too() -> None:
    layer = nn.Linear(1, 1, bias=False)
    module = EMA(layer, decay=0.9, warm_up=4)
    rates = []
    for steps in (2, 4):  # as if it went on from a checkpoint after two
        optimizer = torch.optim.SGD(layer.parameters(), lr=0.8)
        module.follow(optimizer)
        for _ in range(steps):
            layer.weight.grad = torch.ones(1, 1)
            optimizer.step()
            rates.append(optimizer.param_groups[0]["lr"])
    assert rates == pytest.approx([0.2, 0.4, 0.6, 0.8, 0.8, 0.8])


def test_gradients_are_clipped() -> None:
    layer = nn.Linear(2, 1, bias=False)
    module = EMA(layer, decay=0.9)
    optimizer = torch.optim.SGD(module.network.parameters(), lr=1.0)
    module.follow(optimizer)
    before = layer.weight.detach().clone()
    layer.weight.grad = torch.tensor([[300.0, 400.0]])
    optimizer.step()
    assert torch.allclose(before - layer.weight, torch.tensor([[0.6, 0.8]]), atol=1e-4)
