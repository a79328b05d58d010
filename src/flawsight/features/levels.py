"""Levels: the few layers of a network at which its blocks end, as paper C reads them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from flawsight.core import Layer

FINEST_STAGE = 4
_REPEATS_OF_MBCONV = re.compile(r"^blocks\.\d+\.\d+\.")


def levels(layers: Sequence[Layer]) -> tuple[str, ...]:
    """Names of the levels of a network with these layers, from input to output.

    Of an EfficientNet the stem, the last repeat of every MBConv stage and the head convolution, 9 in all; of a ResNet
    the pooled stem and the ends of `layer1` to `layer4` (Tables VI and VII of paper C). Of any other network the last
    block of every stride: one level only where the stride never changes, as in most vision transformers.

    >>> levels(network.layers)
    ('bn1', 'blocks.0.0.bn2', 'blocks.1.1.add', ..., 'blocks.6.0.bn3', 'bn2')
    """
    ends = {layer.block: layer for layer in layers}
    if not _blocks_are_levels(layers):
        ends = {str(round(layer.stride)): layer for layer in ends.values()}
    ordered = sorted(ends.values(), key=lambda layer: layer.order)
    return tuple(layer.same_as or layer.name for layer in ordered)


def stage_ends(layers: Sequence[Layer]) -> tuple[str, ...]:
    """Names of the layers at which the stages of a network end, finest first, from stride 4 on.

    These are the ends of `layer1` to `layer4` of a ResNet, as paper E reads them; stem and head do not count.

    >>> stage_ends(network.layers)
    ('blocks.1.1.add', 'blocks.2.1.add', 'blocks.4.2.add', 'blocks.6.0.bn3')
    """
    ends = {layer.block: layer for layer in layers if layer.block not in ("input", "output")}
    deepest = {round(layer.stride): layer for layer in ends.values() if layer.stride >= FINEST_STAGE}
    ordered = sorted(deepest.values(), key=lambda layer: layer.order)
    return tuple(layer.same_as or layer.name for layer in ordered)


def _blocks_are_levels(layers: Sequence[Layer]) -> bool:
    """Whether the network is a ResNet or an EfficientNet, by the names and kinds of its layers."""
    blocks = {layer.block for layer in layers} - {"input", "output"}
    if blocks and all(re.fullmatch(r"layer\d+", block) for block in blocks):
        return True
    if any(_REPEATS_OF_MBCONV.match(layer.name) for layer in layers):
        return True
    # torchvision calls the repeats of an EfficientNet as those of a ConvNeXt, but only the first squeeze.
    return any(layer.kind == "squeezeexcitation" and re.match(r"features\.\d+\.\d+\.", layer.name) for layer in layers)
