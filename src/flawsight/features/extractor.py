"""Extractor: a pretrained network with its preprocessing; images in, feature maps out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx

from flawsight.core import INPUT, FlawsightError, Layer, Progress
from flawsight.features.graph import as_map, catalogue, trace
from flawsight.features.layers import default_pair, is_spread, named_globs, select_layers, unknown_layer
from flawsight.features.networks import DEFAULT_EXTRACTOR, create_network
from flawsight.features.receptive import ReceptiveField, effective_receptive_fields
from flawsight.features.tracing import GLOBAL_STATE
from flawsight.training import resolve_device
from flawsight.views import resize_image


class Extractor:
    """A pretrained network as a catalogue of layers.

    `name`: the embedded default, or any classification network of torchvision or timm. `weights`: None, a file, the
    tensors of a network that was cut, or `"random"`, by `seed`. Images are resized to `image_size` x `image_size`,
    without a crop (paper A). `catalogue`: the layers that will be asked for, where they are known; else the network is
    traced to list them all.

    >>> network = Extractor(image_size=64, device="cpu")
    >>> maps = network.extract(images, ["blocks.2.1.add", "blocks.4.2.add"])
    >>> [tuple(values.shape) for values in maps.values()]
    [(12, 40, 8, 8), (12, 112, 4, 4)]
    """

    def __init__(
        self,
        name: str = DEFAULT_EXTRACTOR,
        weights: str | Path | Mapping[str, Tensor] | None = None,
        image_size: int = 256,
        device: str = "auto",
        catalogue: Sequence[Layer] = (),
        seed: int = 0,
    ) -> None:
        if image_size < 32:
            raise FlawsightError(f"image size {image_size} is too small for a network: use 32 or more (default 256)")
        self.name = name
        self.image_size = image_size
        self._asked = device
        self.device = resolve_device(device)
        with GLOBAL_STATE:
            self.network = create_network(name, weights, image_size, seed)
        self.network.module.to(self.device).to(memory_format=torch.channels_last)
        self._catalogue = tuple(catalogue)
        self._graphs: dict[tuple[str, ...], fx.GraphModule] = {}

    def __getstate__(self) -> dict[str, object]:
        # It is traced again where it is unpacked, and goes to the device that is there.
        network = replace(self.network, module=deepcopy(self.network.module).cpu())
        return {**self.__dict__, "_graphs": {}, "network": network}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.device = resolve_device(self._asked)
        self.network.module.to(self.device)

    @property
    def weights_sha256(self) -> str:
        """SHA-256 of the network's tensors as loaded, whatever file they came from."""
        return self.network.weights_sha256

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """The catalogue: every layer that can be read, in network order."""
        if self._catalogue:
            return self._catalogue
        layers = catalogue(self.network.module, self.image_size)
        if not self.network.missing:
            return layers
        usable = self._before_missing_weights(layers)
        if not usable:
            raise FlawsightError(f"the weights given for '{self.name}' do not even reach its first layer")
        return usable

    def _before_missing_weights(self, layers: tuple[Layer, ...]) -> tuple[Layer, ...]:
        """The layers before the first whose cut network needs a parameter that the weights file lacked."""
        low, high = 0, len(layers)
        while low < high:
            middle = (low + high) // 2
            needed = self.truncated([layer.name for layer in layers[: middle + 1]]).state_dict()
            low, high = (low, middle) if self.network.missing & needed.keys() else (middle + 1, high)
        return layers[:low]

    def layer(self, name: str) -> Layer:
        """The layer of that name; an unknown one raises with the nearest names."""
        if name not in self._by_name:
            raise unknown_layer(name, list(self._by_name))
        return self._by_name[name]

    def select(self, patterns: str | Sequence[str] = "all", progress: Progress | None = None) -> tuple[Layer, ...]:
        """Layers by names, globs, or `evenly:N` (`select_layers`), for which receptive fields are measured on noise."""
        if not any(is_spread(glob) for glob in named_globs(patterns)):
            return select_layers(self.layers, patterns)
        unknown = {layer.name: ReceptiveField(0, 0) for layer in self.layers}
        select_layers(self.layers, patterns, unknown)  # what is wrong is said before long work
        return select_layers(self.layers, patterns, effective_receptive_fields(self, progress=progress))

    @cached_property
    def _by_name(self) -> dict[str, Layer]:
        return {layer.name: layer for layer in self.layers}

    @property
    def default_pair(self) -> tuple[str, str]:
        """The customary fixed layers at strides 8 and 16."""
        return default_pair(self.layers)

    def truncated(self, names: Sequence[str]) -> fx.GraphModule:
        """The network cut after the deepest of `names`: tensor in, dict of the named nodes' raw outputs out."""
        key = tuple(names)
        graph = self._graphs.get(key)
        if graph is not None:
            return graph
        with GLOBAL_STATE:  # of several threads that ask for the same, one makes it
            if key not in self._graphs:
                # One at a time: each holds its own graph code, and they are quick to make.
                self._graphs = {key: trace(self.network.module, names)}
            return self._graphs[key]

    def preprocess(self, images: Sequence[np.ndarray]) -> Tensor:
        """RGB uint8 images (H, W, 3) of any sizes as one normalised (N, 3, S, S) tensor on the device."""
        return self._normalised(self.pixels(images))

    def pixels(self, images: Sequence[np.ndarray]) -> Tensor:
        """The same without the network's normalisation, from 0 to 1."""
        side = self.image_size
        resized = np.stack([resize_image(image, side) for image in images])
        return torch.from_numpy(resized).to(self.device).permute(0, 3, 1, 2).float().div_(255)

    def _normalised(self, batch: Tensor) -> Tensor:
        mean = torch.tensor(self.network.mean, device=self.device).view(3, 1, 1)
        std = torch.tensor(self.network.std, device=self.device).view(3, 1, 1)
        return (batch - mean).div_(std).contiguous(memory_format=torch.channels_last)

    def prepare(self, names: Sequence[str]) -> None:
        """Trace the network for these layers, so that `extract` may then be called from several threads."""
        layers = [self.layer(name).name for name in names if name != INPUT]
        if layers:
            self.truncated(layers)

    @torch.inference_mode()
    def extract(self, images: Sequence[np.ndarray], layers: Sequence[str]) -> dict[str, Tensor]:
        """Feature maps (N, C, H, W) of the named layers for a few images, from one pass.

        The name `image` stands for the resized images themselves, (N, 3, S, S) from 0 to 1.
        """
        pixels = self.pixels(images)
        wanted = {name: self.layer(name) for name in layers if name != INPUT}
        outputs = self.truncated(list(wanted))(self._normalised(pixels)) if wanted else {}
        maps = {name: as_map(outputs[name], layer) for name, layer in wanted.items()}
        return {name: pixels if name == INPUT else maps[name] for name in layers}

    def batches(
        self, images: Sequence[np.ndarray], layers: Sequence[str], batch_size: int = 8
    ) -> Iterator[dict[str, Tensor]]:
        """`extract` over many images, `batch_size` at a time, in order."""
        for start in range(0, len(images), batch_size):
            yield self.extract(images[start : start + batch_size], layers)
