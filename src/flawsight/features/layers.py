"""How people name layers: by globs, evenly over their receptive fields, and the customary pair."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import numpy as np

from flawsight.core import JOIN, FlawsightError, Layer, unknown

if TYPE_CHECKING:
    from flawsight.features.receptive import ReceptiveField

JOINED = "joined"
"""The kind of several layers that are read as one."""
EVENLY = "evenly:"
"""Before a number: so many layers, spread evenly over the relative receptive field (Sec. 3.2 of paper B)."""


def select_layers(
    layers: Sequence[Layer],
    patterns: str | Sequence[str] = "all",
    fields: Mapping[str, ReceptiveField] | None = None,
) -> tuple[Layer, ...]:
    """Layers whose names match any of the globs, in network order; `"all"` is every layer.

    `"evenly:4"` stands for four layers by their `fields`, from `effective_receptive_fields`; `Extractor.select` has
    them measured where they are needed.

    >>> [layer.name for layer in select_layers(network.layers, "blocks.2.*.add,blocks.4.*.add")]
    ['blocks.2.1.add', 'blocks.4.1.add', 'blocks.4.2.add']
    """
    globs = named_globs(patterns)
    if globs == ["all"]:
        return tuple(layers)
    names = [layer.name for layer in layers]
    chosen: set[str] = set()
    for glob in globs:
        found = _spread(layers, glob, fields) if is_spread(glob) else {n for n in names if fnmatchcase(n, glob)}
        if not found:
            raise unknown_layer(glob, names)
        chosen |= found
    return tuple(layer for layer in layers if layer.name in chosen)


def named_globs(patterns: str | Sequence[str]) -> list[str]:
    """The globs of a text with commas, or of a list."""
    return [glob.strip() for glob in patterns.split(",")] if isinstance(patterns, str) else list(patterns)


def is_spread(glob: str) -> bool:
    """Whether it stands for layers by their receptive fields.

    >>> is_spread("evenly:4"), is_spread("blocks.*")
    (True, False)
    """
    return glob.startswith(EVENLY)


def _spread(layers: Sequence[Layer], glob: str, fields: Mapping[str, ReceptiveField] | None) -> set[str]:
    """Names of the layers nearest to evenly spaced relative receptive fields, from the smallest to the largest.

    From the smallest on each value takes the nearest layer that is left, the earlier of equals. Layers that repeat
    another are not among them.
    """
    left = [layer for layer in layers if not layer.same_as]
    number = glob.removeprefix(EVENLY)
    if not number.isdecimal() or not 2 <= int(number) <= len(left):
        raise FlawsightError(
            f"'{glob}': write {EVENLY} and how many layers, from 2 to {len(left)} in this network, such as {EVENLY}4"
        )
    if fields is None:
        raise FlawsightError(f"'{glob}' needs receptive fields: use Extractor.select, or pass those of the network")
    relative = {layer.name: fields[layer.name].relative for layer in left}
    chosen: set[str] = set()
    for value in np.linspace(min(relative.values()), max(relative.values()), int(number)):
        nearest = min(left, key=lambda layer: abs(relative[layer.name] - value))
        left.remove(nearest)
        chosen.add(nearest.name)
    return chosen


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
