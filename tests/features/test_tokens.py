"""Transformers: token sequences and channels-last maps become grids, the class token does not."""

from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor

from flawsight.core import FlawsightError
from flawsight.features import Extractor
from flawsight.features.graph import as_map
from flawsight.features.layers import Layer


@pytest.fixture
def picture() -> list[np.ndarray]:
    return [np.random.default_rng(0).integers(0, 256, (224, 224, 3), dtype=np.uint8)]


class Vit(NamedTuple):
    name: str
    size: int
    side: int
    prefix: int
    projection: str
    blocks: str
    layer: str


VITS = [
    Vit("timm:vit_tiny_patch16_224", 224, 14, 1, "patch_embed.proj", "blocks", "blocks.1.add_1"),
    Vit("timm:deit_tiny_distilled_patch16_224", 224, 14, 2, "patch_embed.proj", "blocks", "blocks.1.add_1"),
    Vit("vit_b_32", 96, 3, 1, "conv_proj", "encoder.layers", "encoder.layers.encoder_layer_1.add_1"),
]


@pytest.mark.parametrize("vit", VITS, ids=lambda vit: vit.name)
def test_token_of_a_place_lands_at_that_place(vit: Vit, picture: list[np.ndarray]) -> None:
    name, size, side, prefix, projection, blocks, deep = vit
    extractor = Extractor(name, "random", image_size=size)
    layers = {found.name: found for found in extractor.layers}
    assert {(found.height, found.width) for found in extractor.layers} == {(side, side)}
    assert {found.stride for found in extractor.layers} == {size / side}

    # The patch projection is a true map, the concatenated tokens hold the same values behind the class token.
    asked = [projection, "cat", deep]
    assert set(asked) <= layers.keys()
    maps = extractor.extract(picture, asked)
    assert torch.equal(maps["cat"], maps[projection])

    # Deep in the network: the tokens that the block itself hands on.
    tokens: list[Tensor] = []
    block = list(extractor.network.module.get_submodule(blocks).children())[1]
    hook = block.register_forward_hook(lambda *call: tokens.append(call[-1]))
    with torch.inference_mode():
        extractor.network.module(extractor.preprocess(picture))
    hook.remove()
    assert tokens[0].shape[1] == prefix + side * side
    found = maps[deep]
    for i, j in [(0, 0), (0, side - 1), (2, 1), (side - 1, side - 1)]:
        assert torch.allclose(found[0, :, i, j], tokens[0][0, prefix + i * side + j], atol=1e-5)


def test_attention_and_heads_are_no_layers() -> None:
    extractor = Extractor("timm:vit_tiny_patch16_224", "random", image_size=224)
    names = {layer.name for layer in extractor.layers}
    assert not [name for name in names if "scaled_dot" in name or "softmax" in name or name.startswith("head")]
    assert "blocks.11.mlp.fc1" in names and extractor.layer("blocks.11.mlp.fc1").channels == 4 * 192
    for layer in extractor.layers:
        assert layer.block in {"input", "output"} or layer.name.startswith(layer.block + ".")


def test_vit_layers_that_repeat_another_are_equal(picture: list[np.ndarray]) -> None:
    extractor = Extractor("timm:vit_tiny_patch16_224", "random", image_size=224)
    repeated = [layer for layer in extractor.layers if layer.same_as][:12]
    assert repeated
    maps = extractor.extract(picture, [name for layer in repeated for name in (layer.name, layer.same_as)])
    assert all(torch.equal(maps[layer.name], maps[layer.same_as]) for layer in repeated)


SWINS = [
    ("swin_t", 64, "features.0.0", "features.0.1", "features.3.1.add_1"),
    (
        "timm:swin_tiny_patch4_window7_224",
        224,
        "patch_embed.proj",
        "patch_embed.permute",
        "layers.1.blocks.1.reshape_1",
    ),
]


@pytest.mark.parametrize("swin", SWINS, ids=lambda swin: swin[0])
def test_channels_last_maps_are_turned(swin: tuple, picture: list[np.ndarray]) -> None:
    name, size, conv, permuted, deep = swin
    extractor = Extractor(name, "random", image_size=size)
    maps = extractor.extract(picture, [conv, permuted, deep])
    assert torch.equal(maps[conv], maps[permuted])
    seen: list[Tensor] = []
    hook = extractor.network.module.get_submodule(deep.rpartition(".")[0]).register_forward_hook(
        lambda *call: seen.append(call[-1])
    )
    with torch.inference_mode():
        extractor.network.module(extractor.preprocess(picture))
    hook.remove()
    assert seen[0].shape[1:3] == maps[deep].shape[2:]
    assert torch.allclose(seen[0][0, 3, 5], maps[deep][0, :, 3, 5], atol=1e-5)
    # Windowed attention compares tokens with tokens, and at the last stage one window is the whole image.
    assert {layer.stride for layer in extractor.layers} == {4, 8, 16, 32}


def test_a_small_sequence_by_hand() -> None:
    layer = Layer("x", "add", "b", channels=5, height=3, width=3, stride=1, order=0)
    tokens = torch.randn(2, 1 + 9, 5)
    found = as_map(tokens, layer)
    assert found.shape == (2, 5, 3, 3)
    assert all(torch.equal(found[:, :, i, j], tokens[:, 1 + 3 * i + j]) for i in range(3) for j in range(3))
    last = torch.randn(2, 3, 3, 5)
    turned = as_map(last, layer)
    assert all(torch.equal(turned[:, :, i, j], last[:, i, j]) for i in range(3) for j in range(3))
    first = torch.randn(2, 5, 3, 3)
    assert torch.equal(as_map(first, layer), first)


def test_a_transformer_has_no_default_pair() -> None:
    with pytest.raises(FlawsightError, match="--fixed-layers"):
        _ = Extractor("vit_b_32", "random", image_size=96).default_pair
