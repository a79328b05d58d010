"""The catalogue: how many layers, what each says of itself, and how people name them."""

import numpy as np
import pytest
import torch

from flawsight.core import FlawsightError
from flawsight.features import Extractor, Layer, default_pair, select_layers


@pytest.mark.parametrize(
    ("name", "count", "pair"),
    [
        ("wide_resnet50_2", 172, ("layer2.3.relu_2", "layer3.5.relu_2")),
        ("densenet201", 708, ("features.denseblock2.cat", "features.denseblock3.cat")),
        ("tf_efficientnet_lite0", 148, ("blocks.2.1.add", "blocks.4.2.add")),
    ],
)
def test_counts_and_default_pair(name: str, count: int, pair: tuple[str, str]) -> None:
    extractor = Extractor(name, "random", image_size=64)
    assert len(extractor.layers) == count
    assert extractor.default_pair == pair
    assert [round(extractor.layer(layer).stride) for layer in pair] == [8, 16]
    assert not [layer.name for layer in extractor.layers if layer.name.startswith(("fc", "classifier", "flatten"))]


def test_kinds_and_blocks_of_resnet18(resnet18: Extractor) -> None:
    kinds = [layer.kind for layer in resnet18.layers]
    assert {kind: kinds.count(kind) for kind in set(kinds)} == {"conv": 20, "bn": 20, "relu": 17, "add": 8, "pool": 1}
    blocks = list(dict.fromkeys(layer.block for layer in resnet18.layers))
    assert blocks == ["input", "layer1", "layer2", "layer3", "layer4"]


@pytest.mark.parametrize("fixture", ["default", "resnet18", "densenet121"])
def test_the_catalogue_tells_the_truth(fixture: str, request, images: list[np.ndarray]) -> None:
    extractor: Extractor = request.getfixturevalue(fixture)
    layers = extractor.layers
    assert [layer.order for layer in layers] == list(range(len(layers)))
    assert len({layer.name for layer in layers}) == len(layers)
    maps = extractor.extract(images[:2], [layer.name for layer in layers])
    for layer in layers:
        assert maps[layer.name].shape == (2, layer.channels, layer.height, layer.width)
        assert layer.stride == 64 / layer.height
        if layer.same_as:
            assert extractor.layer(layer.same_as).order < layer.order
            assert torch.equal(maps[layer.name], maps[layer.same_as])


def test_layers_that_repeat_another_say_so(default: Extractor, images: list[np.ndarray]) -> None:
    maps = default.extract(images, [layer.name for layer in default.layers])
    first_of: dict[bytes, str] = {}
    for layer in default.layers:
        values = maps[layer.name].contiguous().numpy().tobytes()
        assert layer.same_as == first_of.setdefault(values, "" if not layer.same_as else "missed"), layer.name
        if not first_of[values]:
            first_of[values] = layer.name


def test_nodes_that_only_one_mode_has_do_not_stop_the_rest() -> None:
    extractor = Extractor("timm:levit_128s", "random", image_size=224)
    assert {8, 16} <= {layer.stride for layer in extractor.layers}


def test_order_is_network_order(resnet18: Extractor) -> None:
    names = [layer.name for layer in resnet18.layers]
    chain = ["conv1", "bn1", "relu", "maxpool", "layer1.0.conv1", "layer1.0.add", "layer2.0.conv1", "layer4.1.relu_1"]
    assert sorted(chain, key=names.index) == chain


def layer(name: str, stride: float = 8, block: str = "b") -> Layer:
    return Layer(name, "conv", block, 1, 1, 1, stride, 0)


LAYERS = [layer(name) for name in ["stem", "layer1.0.conv", "layer1.0.bn", "layer2.0.conv", "layer2.0.bn"]]


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        ("all", ["stem", "layer1.0.conv", "layer1.0.bn", "layer2.0.conv", "layer2.0.bn"]),
        (["all"], ["stem", "layer1.0.conv", "layer1.0.bn", "layer2.0.conv", "layer2.0.bn"]),
        ("stem", ["stem"]),
        ("layer2.*, layer1.*", ["layer1.0.conv", "layer1.0.bn", "layer2.0.conv", "layer2.0.bn"]),
        (["*.bn"], ["layer1.0.bn", "layer2.0.bn"]),
        ("*.bn,layer2.*", ["layer1.0.bn", "layer2.0.conv", "layer2.0.bn"]),
        ("layer[2-3].0.?n", ["layer2.0.bn"]),
    ],
)
def test_globs(patterns: str | list[str], expected: list[str]) -> None:
    assert [found.name for found in select_layers(LAYERS, patterns)] == expected


@pytest.mark.parametrize(
    ("glob", "message"),
    [
        ("layer2.0.con", r"unknown layer 'layer2\.0\.con'.*layer2\.0\.conv"),
        ("stem,layer9.*", r"unknown layer 'layer9\.\*'.*layer"),
        ("STEM", "unknown layer 'STEM'"),
        ("qqq", "flawsight layers"),
        ("", "unknown layer ''"),
    ],
)
def test_an_unknown_glob_names_the_nearest(glob: str, message: str) -> None:
    with pytest.raises(FlawsightError, match=message):
        select_layers(LAYERS, glob)


def test_an_unknown_layer_names_the_nearest(resnet18: Extractor, images: list[np.ndarray]) -> None:
    for ask in (resnet18.layer, lambda name: resnet18.extract(images, [name])):
        with pytest.raises(FlawsightError, match=r"layer3\.1\.relu_7.*layer3\.1\.relu"):
            ask("layer3.1.relu_7")
    with pytest.raises(FlawsightError, match="unknown layer 'fc'"):
        resnet18.layer("fc")


def test_default_pair_takes_the_last_block_that_ends_at_each_stride() -> None:
    layers = [
        layer("stem", 2, "input"),
        layer("a.first", 8, "a"),
        layer("a.last", 8, "a"),
        layer("b.still8", 8, "b"),
        layer("b.last", 16, "b"),
        layer("c.last", 16, "c"),
        layer("d.last", 32, "d"),
    ]
    assert default_pair(layers) == ("a.last", "c.last")
    with pytest.raises(FlawsightError, match="strides 8 and 16"):
        default_pair(layers[:3])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("resnet81", "did you mean .*resnet"),
        ("tf_efficientnet_lite_0", "did you mean tf_efficientnet_lite0 or tf_efficientnet_lite4"),
        ("keras:resnet18", "unknown library of an extractor .keras.*known: torchvision, timm"),
        ("torchvision:tf_efficientnet_lite0", "unknown extractor"),
        ("zzzzzzzzzzzz", "any classification model"),
        ("", "unknown extractor"),
    ],
)
def test_an_unknown_extractor_names_the_nearest(name: str, message: str) -> None:
    with pytest.raises(FlawsightError, match=message):
        Extractor(name, "random")


def test_a_library_can_be_named(resnet18: Extractor) -> None:
    explicit = Extractor("torchvision:resnet18", "random", image_size=64)
    assert explicit.layers == resnet18.layers and explicit.weights_sha256 == resnet18.weights_sha256
    timms = Extractor("timm:resnet18", "random", image_size=64)
    assert "layer1.0.act1" in {layer.name for layer in timms.layers}
