"""The networks that predict noise, by preset, and their running average."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from diffusers import UNet2DModel
from diffusers.models.attention_processor import Attention
from diffusers.models.resnet import ResnetBlock2D
from torch import Tensor, nn
from torch.nn.functional import pixel_shuffle, pixel_unshuffle
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from flawsight.core import FlawsightError
from flawsight.generation.loss import Diffusion


@dataclass(frozen=True, kw_only=True)
class Preset:
    """A network and how it is trained; `attention` counts the deepest levels that have it.

    >>> PRESETS["paper"].side, PRESETS["paper"].steps
    (256, 100000)
    """

    side: int
    patch: int  # pixels of a patch's side that become channels: a patch of 1 leaves the picture as it is
    widths: tuple[int, ...]
    blocks: int
    attention: int
    head: int
    norm_groups: int
    res_block_resampling: bool
    v_prediction: bool  # learns large shapes in far fewer steps than predicting noise does
    batch_size: int
    learning_rate: float
    warm_up: int  # steps in which the learning rate rises to what it is
    steps: int
    decay: float
    sampling_steps: int


PRESETS = {
    "small": Preset(
        side=64, patch=2, widths=(32, 64, 128), blocks=1, attention=1, head=32, norm_groups=16,
        res_block_resampling=False, v_prediction=True, batch_size=8, learning_rate=2e-3, warm_up=50, steps=1200,
        decay=0.995, sampling_steps=50,
    ),
    "paper": Preset(
        side=256, patch=1, widths=(256, 256, 512, 512, 1024, 1024), blocks=2, attention=3, head=64, norm_groups=32,
        res_block_resampling=True, v_prediction=False, batch_size=20, learning_rate=1e-4, warm_up=1, steps=100_000,
        decay=0.9999, sampling_steps=20,
    ),
    "tiny": Preset(
        side=16, patch=4, widths=(16,), blocks=1, attention=0, head=8, norm_groups=4,
        res_block_resampling=False, v_prediction=True, batch_size=8, learning_rate=2e-3, warm_up=1, steps=20,
        decay=0.95, sampling_steps=5,
    ),
}  # fmt: skip
"""`small` trains on a CPU; having learned little, it paints cleaner in 50 steps than in the paper's 20.

`paper` is the 256-pixel network of paper E's official code, for a GPU, as far as diffusers' UNet2DModel can express it:
no ImageNet weights to start from and no class embedding, for there is one product. `tiny` takes seconds, to see
whether everything runs."""


def find_preset(name: str) -> Preset:
    """The preset of that name; FlawsightError if there is none.

    >>> find_preset("small").side
    64
    """
    if name not in PRESETS:
        raise FlawsightError(f"unknown preset '{name}' of the generator: use {' or '.join(PRESETS)}")
    return PRESETS[name]


class Denoiser(nn.Module):
    """Noisy pictures (N, C, S, S) and steps (N,) in; (N, 2C, S, S) out: the noise, then the share of log-variance.

    That share is -1 at the posterior's log-variance and 1 at log(beta). Where the preset says velocity, the network
    gives sqrt(alpha_bar) noise - sqrt(1 - alpha_bar) picture (Salimans and Ho 2022), from which the noise follows.
    """

    alpha_bar: Tensor

    def __init__(self, preset: Preset, channels: int) -> None:
        super().__init__()
        self.patch = preset.patch
        self.v_prediction = preset.v_prediction
        self.register_buffer("alpha_bar", Diffusion().alpha_bar, persistent=False)
        plain = len(preset.widths) - preset.attention
        kind = "Resnet{}sampleBlock2D" if preset.res_block_resampling else "{}Block2D"
        resampling = "resnet" if preset.res_block_resampling else "conv"
        self.unet = UNet2DModel(
            sample_size=preset.side // preset.patch,
            in_channels=channels * preset.patch**2,
            out_channels=2 * channels * preset.patch**2,
            block_out_channels=preset.widths,
            down_block_types=(kind.format("Down"),) * plain + ("AttnDownBlock2D",) * preset.attention,
            up_block_types=("AttnUpBlock2D",) * preset.attention + (kind.format("Up"),) * plain,
            layers_per_block=preset.blocks,
            attention_head_dim=preset.head,
            norm_num_groups=preset.norm_groups,
            # Else the middle block's attention has no norm, grows without bound and ends as no number.
            attn_norm_num_groups=preset.norm_groups,
            resnet_time_scale_shift="scale_shift",
            downsample_type=resampling,
            upsample_type=resampling,
        )
        _start_at_zero(self.unet)

    def forward(self, noisy: Tensor, steps: Tensor) -> Tensor:
        """Predict; see the class."""
        inner = pixel_unshuffle(noisy, self.patch).contiguous(memory_format=torch.channels_last)
        output = pixel_shuffle(self.unet(inner, steps).sample, self.patch)
        if not self.v_prediction:
            return output
        v_prediction, share = output.chunk(2, dim=1)
        alpha_bar = self.alpha_bar[steps].view(-1, 1, 1, 1)
        return torch.cat([alpha_bar.sqrt() * v_prediction + (1 - alpha_bar).sqrt() * noisy, share], dim=1)


def _start_at_zero(unet: UNet2DModel) -> None:
    """Every branch begins by adding nothing, and the prediction at zero, as in guided diffusion."""
    last = [unet.conv_out]
    for module in unet.modules():
        if isinstance(module, ResnetBlock2D):
            last.append(module.conv2)
        elif isinstance(module, Attention):
            last.append(module.to_out[0])
    for layer in last:
        nn.init.zeros_(layer.weight)
        nn.init.zeros_(layer.bias)


class EMA(nn.Module):
    """A network beside the exponential moving average of its weights, so that one checkpoint holds both.

    The average follows every step of an optimizer given to `follow`.
    """

    def __init__(self, network: nn.Module, decay: float, warm_up: int = 1) -> None:
        super().__init__()
        self.network = network
        self.decay = decay
        self.warm_up = warm_up
        self.average = AveragedModel(network, multi_avg_fn=self._average)
        self.average.requires_grad_(False)

    def follow(self, optimizer: torch.optim.Optimizer) -> None:
        """Keep gradients to a norm of 1 and warm up before every step, and update the average after it."""

        def prepare(*_: object) -> None:
            nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
            # Counted by the average, which a checkpoint holds: a training that goes on does not begin again.
            share = min(1.0, (int(self.average.n_averaged) + 1) / self.warm_up)
            for group in optimizer.param_groups:
                group["lr"] = share * optimizer.defaults["lr"]

        optimizer.register_step_pre_hook(prepare)
        optimizer.register_step_post_hook(lambda *_: self.average.update_parameters(self.network))

    def _average(self, averaged: Sequence[Tensor], current: Sequence[Tensor], count: Tensor | int) -> None:
        # A short training would else end as an average with its random beginning.
        number = int(count)
        get_ema_multi_avg_fn(min(self.decay, (1 + number) / (10 + number)))(averaged, current, count)
