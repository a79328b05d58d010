"""From images to feature maps: preprocessing, batches, devices."""

import pickle

import numpy as np
import pytest
import torch

from flawsight.core import FlawsightError
from flawsight.features import Extractor
from flawsight.views import resize_image


def flat(colour: tuple[int, int, int], shape: tuple[int, int] = (50, 70)) -> np.ndarray:
    return np.broadcast_to(np.array(colour, np.uint8), (*shape, 3))


def test_mean_and_std_of_each_network(default: Extractor, resnet18: Extractor) -> None:
    colour = (255, 0, 51)
    half = default.preprocess([flat(colour)])[0, :, 10, 10]
    assert torch.allclose(half, torch.tensor([1.0, -1.0, -0.6]), atol=1e-6)
    imagenet = resnet18.preprocess([flat(colour)])[0, :, 10, 10]
    expected = (np.array(colour) / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    assert np.allclose(imagenet, expected, atol=1e-5)


def test_preprocessing_of_mixed_sizes(default: Extractor, images: list[np.ndarray]) -> None:
    before = [image.copy() for image in images]
    batch = default.preprocess(images)
    assert batch.shape == (3, 3, 64, 64) and batch.dtype == torch.float32
    assert np.allclose(batch[0].numpy().transpose(1, 2, 0), images[0] / 127.5 - 1, atol=1e-6)
    assert all(np.array_equal(image, old) for image, old in zip(images, before, strict=True))
    view = images[0][:, ::-1]
    assert torch.equal(default.preprocess([view])[0], default.preprocess([view.copy()])[0])


def test_shrinking_averages_areas() -> None:
    image = np.random.default_rng(0).integers(0, 256, (256, 192, 3), dtype=np.uint8)
    blocks = image.reshape(64, 4, 64, 3, 3).mean((1, 3))
    assert np.abs(resize_image(image, 64) - blocks).max() <= 0.51
    stripes = np.zeros((256, 256, 3), np.uint8)
    stripes[:, ::2] = 200
    assert (resize_image(stripes, 128) == 100).all()


@pytest.mark.parametrize("shape", [(64, 192), (192, 64), (64, 320), (256, 128), (64, 64), (448, 64)])
def test_each_axis_shrinks_by_exact_means(shape: tuple[int, int]) -> None:
    image = np.random.default_rng(1).integers(0, 256, (*shape, 3), dtype=np.uint8)
    tall, wide = shape[0] // 64, shape[1] // 64
    means = image.reshape(64, tall, 64, wide, 3).mean((1, 3), dtype=np.float64)
    found = resize_image(image, 64)
    assert found.shape == (64, 64, 3) and found.dtype == np.uint8
    assert np.abs(found - means).max() <= 0.5 + 1e-6
    unclear = np.abs(means % 1 - 0.5) < 1e-6  # halves may go either way
    assert np.array_equal(found[~unclear], np.rint(means)[~unclear])


@pytest.mark.parametrize("other", [20, 40, 63, 64, 65, 100, 200])
@pytest.mark.parametrize("factor", [2, 4, 6])
def test_what_is_finer_than_the_grid_becomes_its_mean_whatever_the_other_axis_does(other: int, factor: int) -> None:
    rows, columns = np.indices((other, 64 * factor))
    for pattern in (columns, rows + columns):  # stripes, and a checkerboard
        image = np.repeat((pattern % 2 * 200).astype(np.uint8)[:, :, None], 3, 2)
        assert (resize_image(image, 64) == 100).all()
        assert (resize_image(np.ascontiguousarray(image.transpose(1, 0, 2)), 64) == 100).all()


def test_a_square_of_the_right_size_is_left_alone() -> None:
    image = np.random.default_rng(2).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    assert resize_image(image, 64) is image


def test_enlarging_is_linear_and_keeps_places() -> None:
    ramp = np.repeat(np.arange(0, 256, 8, dtype=np.uint8)[None, :, None], 32, 0).repeat(3, 2)
    large = resize_image(ramp, 128)
    assert large.shape == (128, 128, 3) and (np.diff(large[64, :, 0].astype(int)) >= 0).all()
    centres = np.clip((np.arange(128) + 0.5) / 4 - 0.5, 0, 31) * 8
    assert np.abs(large[7, :, 1] - centres).max() <= 1
    assert resize_image(large, 128) is large


def test_maps_do_not_depend_on_the_batch(default: Extractor, images: list[np.ndarray]) -> None:
    layers = ["conv_stem", *default.default_pair]
    many = images * 3
    together = default.extract(many, layers)
    for size in (1, 2, 4, 100):
        parts = list(default.batches(many, layers, batch_size=size))
        assert len(parts) == -(-len(many) // size)
        for name in layers:
            joined = torch.cat([part[name] for part in parts])
            assert torch.allclose(joined, together[name], rtol=1e-4, atol=1e-4), (size, name)


def test_two_extractors_agree(default: Extractor, images: list[np.ndarray]) -> None:
    again = Extractor(image_size=64)
    layer = default.default_pair[1]
    assert torch.equal(default.extract(images, [layer])[layer], again.extract(images, [layer])[layer])
    assert again.weights_sha256 == default.weights_sha256


def test_extraction_is_repeatable_after_other_extractions(resnet18: Extractor, images: list[np.ndarray]) -> None:
    first = resnet18.extract(images, ["layer2.0.bn1"])["layer2.0.bn1"].clone()
    resnet18.extract(images, ["layer3.0.relu", "layer2.0.bn1"])
    assert torch.equal(resnet18.extract(images, ["layer2.0.bn1"])["layer2.0.bn1"], first)
    assert not resnet18.network.module.training


def test_the_image_size_sets_the_grid() -> None:
    for size in (32, 100, 224):
        extractor = Extractor(image_size=size)
        layer = extractor.layer("conv_stem")
        image = np.zeros((40, 40, 3), np.uint8)
        assert extractor.extract([image], ["conv_stem"])["conv_stem"].shape[2:] == (layer.height, layer.width)
        assert layer.height == -(-size // 2)


@pytest.mark.parametrize("size", [31, 1, 0, -5])
def test_too_small_an_image(size: int) -> None:
    with pytest.raises(FlawsightError, match=f"image size {size} is too small"):
        Extractor(image_size=size)


@pytest.mark.parametrize("device", ["nonsense", "cuda:77", ""])
def test_a_device_that_is_not_there(device: str) -> None:
    with pytest.raises(FlawsightError, match="try --device cpu"):
        Extractor(image_size=64, device=device)


def test_the_device_that_is_there(images: list[np.ndarray]) -> None:
    extractor = Extractor(image_size=64, device="cpu")
    assert extractor.device == torch.device("cpu")
    assert extractor.extract(images, ["conv_stem"])["conv_stem"].device.type == "cpu"
    expected = "cuda" if torch.cuda.is_available() else "cpu"
    assert Extractor(image_size=64).device.type == expected


def test_a_pickled_one_reads_the_same(default: Extractor, images: list[np.ndarray]) -> None:
    layers = ["blocks.1.0.bn3", "blocks.3.0.bn3"]
    again = pickle.loads(pickle.dumps(default))
    expected, found = default.extract(images[:2], layers), again.extract(images[:2], layers)
    assert all(torch.equal(found[name], expected[name]) for name in layers)
    assert again.weights_sha256 == default.weights_sha256 and again.device == default.device
