"""The generator of SDAS (Sec. 3.1 of paper E): a diffusion model of the good images."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from math import gcd
from pathlib import Path
from typing import Self

import numpy as np
import torch
from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import load, save
from sklearn.base import BaseEstimator
from torch import Tensor

from flawsight.core import FlawsightError, writable_folder, write_whole, written_whole
from flawsight.generation.card import GeneratorCard, Settings, read_card
from flawsight.generation.loss import STEPS, Diffusion
from flawsight.generation.networks import EMA, Denoiser, Preset, find_preset
from flawsight.generation.quality import relative_frechet_distance
from flawsight.generation.sampling import Sampler, check_sampling, sample
from flawsight.training import DivergenceError, Schedule, TrainingContext, gaussian, resolve_device, seeded, train
from flawsight.views import resize_image

WEIGHTS = "generator.safetensors"
FEWEST_IMAGES = 4
_EPOCH = 20  # steps after which a training may be interrupted; any number of steps is a multiple of a divisor
_TOGETHER = 8  # always so many at once: how many are asked for then cannot change a rounding
_MEASURED = 32
_QUARTERS = 4


@dataclass(eq=False, repr=False)
class Generator(BaseEstimator):
    """A denoising diffusion model of good images, and pictures drawn from it that are anomalous by a stated strength.

    `preset` is one of `PRESETS`; `steps`, `batch_size` and `learning_rate` are the preset's unless given. Pictures are
    squares of the preset's side. Where all good images are grey, the network knows one channel and pictures are grey.
    Images are never flipped or turned: that may be a defect.

    >>> model = Generator(steps=2).fit(images)  # 1200 steps if not said otherwise
    >>> pictures = model.sample(3, strength=(0.1, 0.2))
    >>> len(pictures), pictures[0].shape
    (3, (64, 64, 3))
    """

    preset: str = "small"
    steps: int | None = None
    batch_size: int | None = None
    learning_rate: float | None = None
    seed: int = 0
    device: str = "auto"

    def settings(self, images: Sequence[np.ndarray], stamp: str = "") -> Settings:
        """What decides the training on these images (H, W, 3) uint8 RGB, of any sizes."""
        preset = self._preset()
        digest = hashlib.sha256()
        for image in images:
            digest.update(resize_image(image, preset.side).tobytes())
        return Settings(
            preset=self.preset,
            steps=preset.steps,
            batch_size=preset.batch_size,
            learning_rate=preset.learning_rate,
            seed=self.seed,
            images_sha256=digest.hexdigest(),
            stamp=stamp,
        )

    def fit(self, images: Sequence[np.ndarray], training: TrainingContext | None = None, stamp: str = "") -> Self:
        """Learn from good images (H, W, 3) uint8 RGB of any sizes; a fifth is kept to measure the quality with.

        A training with a folder goes on from its checkpoint, and shows samples there after every quarter. `stamp` is
        kept in the description. Raises FlawsightError for fewer than 4 images or settings that cannot work.
        """
        preset = self._preset()
        if len(images) < FEWEST_IMAGES:
            raise FlawsightError(
                f"a generator needs at least {FEWEST_IMAGES} good images, better 100, got {len(images)}: "
                "take more pictures, or use --defects perlin --textures DIR"
            )
        squares = np.stack([resize_image(image, preset.side) for image in images])
        grey = bool((squares == squares[..., :1]).all())
        held_out, kept = _hold_out(len(squares), self.seed)
        try:
            self._train(squares[kept], grey, preset, training or TrainingContext())
            few = self.sample(min(len(kept), _MEASURED), strength=0.0, seed=self.seed)
        except torch.cuda.OutOfMemoryError as error:
            raise FlawsightError(
                f"the GPU's memory does not hold the preset '{self.preset}' at {preset.batch_size} pictures a step: "
                "use --generator-preset small, or a smaller batch_size"
            ) from error
        except DivergenceError as error:
            raise FlawsightError(
                "the training of the generator diverged: use another --seed, from Python a smaller learning_rate, "
                "or --defects perlin --textures DIR"
            ) from error
        self.card_ = GeneratorCard(
            settings=self.settings(list(squares), stamp),
            side=preset.side,
            grey=grey,
            images=len(squares),
            held_out=len(held_out),
            quality=round(relative_frechet_distance(few, list(squares[kept]), list(squares[held_out]), self.seed), 3),
            versions={name: version(name) for name in ("flawsight", "torch", "diffusers")},
        )
        return self

    def sample(
        self,
        count: int,
        strength: float | tuple[float, float] = (0.1, 0.2),
        seed: int = 0,
        *,
        first: int = 0,
        steps: int | None = None,
        sampler: Sampler = "ddpm",
        advance: Callable[[int], object] | None = None,
    ) -> list[np.ndarray]:
        """Pictures `first` to `first + count - 1` of this seed, each (side, side, 3) uint8 RGB.

        A picture depends on its number, the seed, the strength and the number of `steps`, by default the preset's. Its
        strength is drawn from the range `strength`, 0 being normal images (Algorithm 1 of paper E); for `ddim` use 0.01
        to 0.03.
        """
        if not hasattr(self, "network_"):
            raise FlawsightError("this generator has learned nothing yet: call fit first")
        steps = self._preset().sampling_steps if steps is None else steps
        bounds = check_sampling(strength, steps, sampler)
        shape = (1 if self.grey_ else 3, self.side_, self.side_)
        device = next(self.network_.parameters()).device
        pictures: list[np.ndarray] = []
        for start in range(first, first + count, _TOGETHER):
            numbers = range(start, start + _TOGETHER)
            made = sample(self.network_, shape, numbers, bounds, steps=steps, sampler=sampler, seed=seed, device=device)
            wanted = min(_TOGETHER, first + count - start)
            pictures += list(_as_images(made[:wanted]))
            if advance:
                advance(wanted)
        return pictures

    def save(self, folder: str | Path) -> None:
        """Write `generator.safetensors` and `generator.json`."""
        folder = Path(folder)
        tensors = {name: values.contiguous() for name, values in self.network_.state_dict().items()}
        write_whole(writable_folder(folder) / WEIGHTS, save(tensors))
        self.card_.write(folder)

    @classmethod
    def load(cls, folder: str | Path, device: str = "auto") -> Self:
        """The generator that `save` wrote; FlawsightError where a file is missing or does not fit."""
        folder = Path(folder)
        description = read_card(folder)
        settings = description.settings
        generator = cls(
            settings.preset, settings.steps, settings.batch_size, settings.learning_rate, settings.seed, device
        )
        network = Denoiser(generator._preset(), 1 if description.grey else 3)
        try:
            network.load_state_dict(load((folder / WEIGHTS).read_bytes()))
        except (OSError, SafetensorError, RuntimeError) as error:
            raise FlawsightError(f"'{folder / WEIGHTS}' is missing or damaged: delete the folder '{folder}'") from error
        generator._keep(network.to(resolve_device(device)), description.grey, description.side)
        generator.card_ = description
        return generator

    def _preset(self) -> Preset:
        preset = find_preset(self.preset)
        given = {name: getattr(self, name) for name in ("steps", "batch_size", "learning_rate")}
        for name, value in given.items():
            if value is not None and not value > 0:
                raise FlawsightError(f"{name} of the generator must be above 0, got {value}")
        return replace(preset, **{name: value for name, value in given.items() if value is not None})

    def _train(self, squares: np.ndarray, grey: bool, preset: Preset, training: TrainingContext) -> None:
        device = resolve_device(self.device)
        pixels = torch.from_numpy(squares).permute(0, 3, 1, 2)[:, : 1 if grey else 3]
        with seeded(self.seed):
            module = EMA(Denoiser(preset, pixels.shape[1]), preset.decay, preset.warm_up)
        module.to(device).to(memory_format=torch.channels_last)
        diffusion = Diffusion().to(device)
        optimizer = torch.optim.Adam(module.network.parameters(), lr=preset.learning_rate)
        module.follow(optimizer)

        def loss(rows: Tensor, generator: torch.Generator) -> Tensor:
            clean = pixels[rows % len(pixels)].to(device).float() / 127.5 - 1
            # Uniform for each picture, and spread over a batch: losses of few pictures then differ less.
            spread = torch.arange(len(rows)) + torch.rand(len(rows), generator=generator)
            t = (spread * STEPS / len(rows)).long().clamp_max(STEPS - 1).to(device)
            noise = gaussian(clean.shape, generator, device)
            output = module.network(diffusion.noisy(clean, noise, t), t)
            return diffusion.loss(output, clean, noise, t, preset.v_prediction).mean()

        self._keep(module.average.module, grey, preset.side)
        each = gcd(preset.steps, _EPOCH)
        self.losses_ = train(
            module,
            optimizer,
            loss,
            each * preset.batch_size,
            Schedule(batch_size=preset.batch_size, epochs=preset.steps // each, seed=self.seed),
            TrainingContext(training.folder, _Showing(self, training)),
        )

    def _keep(self, network: torch.nn.Module, grey: bool, side: int) -> None:
        self.network_ = network.eval()
        self.grey_ = grey
        self.side_ = side


class _Showing:
    """Passes the progress of a training on, and shows samples when another quarter is done."""

    def __init__(self, generator: Generator, training: TrainingContext) -> None:
        self.generator = generator
        self.training = training
        self.done = 0.0

    def __call__(self, share: float) -> None:
        quarter = int(self.done * _QUARTERS + 1e-6)
        self.done += share
        reached = int(self.done * _QUARTERS + 1e-6)
        if self.training.folder and reached > quarter:
            folder = writable_folder(self.training.folder / "samples")
            normal, anomalous = (
                self.generator.sample(_TOGETHER, strength, self.generator.seed) for strength in (0, 0.2)
            )
            sheet = np.vstack([np.hstack(normal), np.hstack(anomalous)])
            with written_whole(folder / f"{100 * reached // _QUARTERS:03d}_percent.png") as partial:
                Image.fromarray(sheet).save(partial, "PNG")
        if self.training.advance:
            self.training.advance(share)


def _hold_out(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Which images to measure with, a fifth but at least 4, and which to learn from, never fewer than half."""
    held = min(max(4, round(0.2 * count)), count // 2)
    order = np.random.default_rng(seed).permutation(count)
    return np.sort(order[:held]), np.sort(order[held:])


def _as_images(pictures: Tensor) -> np.ndarray:
    """Pictures (N, C, S, S) from -1 to 1 as uint8 (N, S, S, 3)."""
    levels = ((pictures.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1).cpu()
    return levels.expand(-1, -1, -1, 3).contiguous().numpy()
