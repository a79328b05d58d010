"""Effective receptive fields: how large a part of the input a layer is sensitive to (Luo et al. 2016)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor

from flawsight.core import INPUT, JOIN, FlawsightError, Progress, Silent, cache_key, write_whole
from flawsight.features.graph import as_map
from flawsight.views import resize_image

if TYPE_CHECKING:
    from flawsight.features.extractor import Extractor

INSIDE = 1 - 0.9545
"""Of the largest mean gradient: a pixel with more belongs to the field (two standard deviations, Luo et al.)."""
RECIPE = 1
"""Counted up when the same network would be given other figures, which are then measured anew."""
_LAYERS_AT_ONCE = 32


class ReceptiveField(NamedTuple):
    """A layer's effective receptive field: the side of a square of that area in pixels of the network's input, and as
    a share of the input's side (the RRF of paper B).

    >>> ReceptiveField(pixels=64.0, relative=0.25).relative
    0.25
    """

    pixels: float
    relative: float


def effective_receptive_fields(
    extractor: Extractor,
    images: Sequence[np.ndarray] | None = None,
    layers: Sequence[str] | None = None,
    count: int = 20,
    seed: int = 0,
    cache: Path | None = None,
    progress: Progress | None = None,
) -> dict[str, ReceptiveField]:
    """The field of every layer, or of those named, for this network's weights and image size.

    The position (h // 2, w // 2) of the map, summed over channels, is differentiated by the input: |gradient|, summed
    over RGB and averaged over images. The field is the root of how many pixels exceed 4.55 % of the largest (Luo et al.
    2016; Sec. 3.1 of paper B, which leaves the sum over channels, the images and the threshold's reference open).
    `images`: RGB uint8 (H, W, 3), of which at most `count` are drawn by `seed`; default: `count` images of standard
    normal noise, as the network's normalised input. Layers joined by + have the largest field among them, `image` 1.

    What is measured is kept in the folder `cache`, layer by layer; default: `flawsight` in torch's hub folder, where
    weights lie as well.

    >>> fields = effective_receptive_fields(network, images, ["conv_stem", "blocks.2.1.add"], count=4, cache=tmp)
    >>> fields["conv_stem"].pixels, fields["blocks.2.1.add"].relative > 0.25
    (3.0, True)
    """
    if count < 1 or (images is not None and not len(images)):
        raise FlawsightError("a receptive field is measured on at least one image: pass some, and a count of 1 or more")
    squares = None if images is None else _drawn(images, extractor.image_size, count, seed)
    inputs = _Inputs(extractor, squares, count, seed)
    names = [layer.name for layer in extractor.layers] if layers is None else list(layers)
    parts = {name: [_source(extractor, part) for part in name.split(JOIN)] for name in names}
    asked = {part for sources in parts.values() for part in sources} - {INPUT}
    kept = _Kept(cache, extractor, inputs.key)
    missing = [layer.name for layer in extractor.layers if layer.name in asked - kept.pixels.keys()]
    watch = progress or Silent()
    if missing:
        with watch.stage("Measuring receptive fields", len(missing) * len(inputs)) as advance:
            for start in range(0, len(missing), _LAYERS_AT_ONCE):
                some = missing[start : start + _LAYERS_AT_ONCE]
                maps = np.zeros((len(some), *2 * [extractor.image_size]))
                for batch in inputs:
                    for number, gradient in enumerate(_gradients(extractor, some, batch)):
                        maps[number] += gradient
                        advance(1)
                kept.add({name: _side(one) for name, one in zip(some, maps, strict=True)})
    pixels = {**kept.pixels, INPUT: 1.0}
    found = {name: max(pixels[part] for part in sources) for name, sources in parts.items()}
    return {name: ReceptiveField(side, side / extractor.image_size) for name, side in found.items()}


def _source(extractor: Extractor, name: str) -> str:
    """The layer whose values the named one has."""
    if name == INPUT:
        return name
    layer = extractor.layer(name)
    return layer.same_as or layer.name


def _drawn(images: Sequence[np.ndarray], side: int, count: int, seed: int) -> list[np.ndarray]:
    numbers = np.random.default_rng(seed).permutation(len(images))[:count]
    return [resize_image(images[int(number)], side) for number in sorted(numbers)]


class _Inputs:
    """The images one by one, each as the network's input (1, 3, S, S), as often as they are asked for."""

    def __init__(self, extractor: Extractor, squares: list[np.ndarray] | None, count: int, seed: int) -> None:
        self._extractor, self._squares, self._count, self._seed = extractor, squares, count, seed
        self.key = cache_key(*squares) if squares is not None else f"noise, {count} images, seed {seed}"

    def __len__(self) -> int:
        return self._count if self._squares is None else len(self._squares)

    def __iter__(self) -> Iterator[Tensor]:
        if self._squares is not None:
            yield from (self._extractor.preprocess([square]) for square in self._squares)
            return
        generator, side = torch.Generator().manual_seed(self._seed), self._extractor.image_size
        for _ in range(self._count):
            noise = torch.randn(1, 3, side, side, generator=generator).to(self._extractor.device)
            yield noise.contiguous(memory_format=torch.channels_last)


def _gradients(extractor: Extractor, names: Sequence[str], batch: Tensor) -> Iterator[np.ndarray]:
    """|d unit / d input| of each layer, summed over RGB, (S, S); from one pass."""
    with torch.inference_mode(False), torch.enable_grad():
        pixels = batch.detach().clone().requires_grad_()
        outputs = extractor.truncated(names)(pixels)
        for name in names:
            layer = extractor.layer(name)
            unit = as_map(outputs[name], layer)[0, :, layer.height // 2, layer.width // 2].sum()
            (gradient,) = torch.autograd.grad(unit, pixels, retain_graph=True)
            yield gradient[0].abs().sum(0).cpu().numpy()


def _side(gradient: np.ndarray) -> float:
    """The side of a square with as many pixels as the field has."""
    return float(np.count_nonzero(gradient > INSIDE * gradient.max()) ** 0.5)


class _Kept:
    """Fields that were measured before, in a file for each network with its weights, image size and images.

    A file that cannot be read or written costs time, and nothing else.
    """

    def __init__(self, folder: Path | None, extractor: Extractor, images: str) -> None:
        facts = {
            "extractor": extractor.name,
            "weights_sha256": extractor.weights_sha256,
            "image_size": extractor.image_size,
            "images": images,
        }
        folder = folder or Path(torch.hub.get_dir()) / "flawsight" / "receptive_fields"
        self._facts, self._path = facts, folder / f"{cache_key(RECIPE, *facts.values())}.json"
        self.pixels = self._read()

    def _read(self) -> dict[str, float]:
        try:
            found = json.loads(self._path.read_bytes())["pixels"]
            return {str(name): float(side) for name, side in found.items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return {}

    def add(self, pixels: dict[str, float]) -> None:
        """Remember these, too, and what another process found meanwhile."""
        self.pixels = {**self._read(), **self.pixels, **pixels}
        with suppress(OSError, FlawsightError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(self._path, json.dumps({**self._facts, "pixels": self.pixels}, indent=1))
