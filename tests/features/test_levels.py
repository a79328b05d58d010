"""Levels: nine of an EfficientNet, five of a ResNet, one per stride of everything else."""

import pytest

from flawsight.features import Extractor, Layer, levels

B0 = [32, 16, 24, 40, 80, 112, 192, 320, 1280]
B4 = [48, 24, 32, 56, 112, 160, 272, 448, 1792]


@pytest.mark.parametrize(
    ("name", "channels", "strides"),
    [
        ("tf_efficientnet_lite0", B0, [2, 2, 4, 8, 16, 16, 32, 32, 32]),
        ("torchvision:efficientnet_b0", B0, [2, 2, 4, 8, 16, 16, 32, 32, 32]),
        ("timm:efficientnet_b0", B0, [2, 2, 4, 8, 16, 16, 32, 32, 32]),
        ("torchvision:efficientnet_b4", B4, [2, 2, 4, 8, 16, 16, 32, 32, 32]),
        ("torchvision:resnet18", [64, 64, 128, 256, 512], [4, 4, 8, 16, 32]),
        ("timm:resnet18", [64, 64, 128, 256, 512], [4, 4, 8, 16, 32]),
        ("wide_resnet50_2", [64, 256, 512, 1024, 2048], [4, 4, 8, 16, 32]),
        ("densenet201", [256, 512, 1792, 1920], [4, 8, 16, 32]),
        ("torchvision:mobilenet_v3_large", [16, 24, 40, 112, 960], [2, 4, 8, 16, 32]),
        ("torchvision:convnext_tiny", [96, 192, 384, 768], [4, 8, 16, 32]),
        ("timm:vit_tiny_patch16_224", [192], [16]),
    ],
)
def test_channels_and_strides(name: str, channels: list[int], strides: list[int]) -> None:
    extractor = Extractor(name, "random", image_size=64)
    found = [extractor.layer(level) for level in levels(extractor.layers)]
    assert [layer.channels for layer in found] == channels
    assert [round(layer.stride) for layer in found] == strides
    assert [layer.order for layer in found] == sorted(layer.order for layer in found)


def test_names_of_the_default(default: Extractor) -> None:
    ends = ("0.0.bn2", "1.1.add", "2.1.add", "3.2.add", "4.2.add", "5.3.add", "6.0.bn3")
    assert levels(default.layers) == ("bn1", *(f"blocks.{end}" for end in ends), "bn2")


def test_a_layer_that_repeats_another_is_named_by_the_other() -> None:
    layers = [
        Layer("a", "conv", "input", 4, 8, 8, 2.0, 0),
        Layer("b", "conv", "output", 4, 4, 4, 4.0, 1),
        Layer("b.drop", "dropout", "output", 4, 4, 4, 4.0, 2, same_as="b"),
    ]
    assert levels(layers) == ("a", "b")
