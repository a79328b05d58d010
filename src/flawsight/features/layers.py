"""How people name layers: by globs, and the customary pair."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from flawsight.core import JOIN, FlawsightError, Layer, unknown

JOINED = "joined"
"""The kind of several layers that are read as one."""


def select_layers(layers: Sequence[Layer], patterns: str | Sequence[str] = "all") -> tuple[Layer, ...]:
    """Layers whose names match any of the globs, in network order; `"all"` is every layer.

    >>> [layer.name for layer in select_layers(network.layers, "blocks.2.*.add,blocks.4.*.add")]
    ['blocks.2.1.add', 'blocks.4.1.add', 'blocks.4.2.add']
    """
    globs = [g.strip() for g in patterns.split(",")] if isinstance(patterns, str) else list(patterns)
    if globs == ["all"]:
        return tuple(layers)
    names = [layer.name for layer in layers]
    for glob in globs:
        if not any(fnmatchcase(name, glob) for name in names):
            raise unknown_layer(glob, names)
    return tuple(layer for layer in layers if any(fnmatchcase(layer.name, glob) for glob in globs))


def joined_layer(layers: Sequence[Layer]) -> Layer:
    """Several layers as one, side by side on the finest grid, as a detector reads them together.

    >>> pair = joined_layer([network.layer(name) for name in network.default_pair])
    >>> pair.name, pair.kind, pair.channels, pair.height
    ('blocks.2.1.add+blocks.4.2.add', 'joined', 152, 8)
    """
    finest, last = min(layers, key=lambda layer: layer.stride), max(layers, key=lambda layer: layer.order)
    channels = sum(layer.channels for layer in layers)
    return replace(
        last,
        name=JOIN.join(layer.name for layer in layers),
        kind=JOINED,
        block=JOIN.join(dict.fromkeys(layer.block for layer in layers)),
        channels=channels,
        height=finest.height,
        width=finest.width,
        stride=finest.stride,
    )


def unknown_layer(name: str, known: Sequence[str]) -> FlawsightError:
    """The error for a layer that is not there, with the nearest names."""
    return unknown("layer", name, known, remedy="`flawsight layers` lists them all")


def default_pair(layers: Sequence[Layer]) -> tuple[str, str]:
    """The customary fixed choice: the last layers of the last blocks that end at strides 8 and 16.

    It is `layer2` and `layer3` of a ResNet and `denseblock2` and `denseblock3` of a DenseNet (Sec. 4.3 of paper A).

    >>> default_pair(network.layers)
    ('blocks.2.1.add', 'blocks.4.2.add')
    """
    last_of_block = {layer.block: layer for layer in layers}
    at_stride = {round(layer.stride): layer.name for layer in last_of_block.values()}
    if 8 not in at_stride or 16 not in at_stride:
        raise FlawsightError("this network has no blocks that end at strides 8 and 16: name layers with --fixed-layers")
    return at_stride[8], at_stride[16]
