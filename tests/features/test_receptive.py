"""Effective receptive fields against theory, against a measurement without gradients, and for what they depend on."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from flawsight.core import INPUT, FlawsightError, Silent
from flawsight.features import EXTRACTORS, Extractor, effective_receptive_fields, receptive

GREY = (0.5, 0.5, 0.5)
SIDES_OF_A_GAUSSIAN = np.sqrt(np.pi * 2 * np.log(1 / receptive.INSIDE))
"""The root of the area where a Gaussian of deviation 1 exceeds 4.55 % of its peak."""


def convolution(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)


def chain(count: int, channels: int, draw: Callable[[torch.Tensor], torch.Tensor]) -> nn.Sequential:
    """So many linear convolutions of 3 x 3, their weights drawn and scaled to keep values near 1."""
    network = nn.Sequential(*(convolution(channels if at else 3, channels) for at in range(count)))
    for weights in network.parameters():
        drawn = draw(weights.data)
        weights.data = drawn / drawn.norm() * channels**0.5
    return network


def positive(weights: torch.Tensor) -> torch.Tensor:
    return torch.rand(weights.shape, generator=torch.Generator().manual_seed(0)) + 0.5


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Extractor]:
    """An extractor of a network."""

    def make(network: nn.Module, image_size: int = 64) -> Extractor:
        monkeypatch.setitem(EXTRACTORS, "made", lambda size: (network, GREY, GREY))
        return Extractor("made", image_size=image_size, device="cpu")

    return make


def pixels(extractor: Extractor, cache: Path, **options: object) -> dict[str, float]:
    found = effective_receptive_fields(extractor, cache=cache, **options)  # type: ignore[arg-type]
    return {name: field.pixels for name, field in found.items()}


@pytest.mark.parametrize("kernel", [1, 3, 7])
def test_a_positive_convolution_sees_its_kernel(made: Callable, kernel: int, tmp_path: Path) -> None:
    network = nn.Sequential(convolution(3, 4, kernel))
    nn.init.constant_(network[0].weight, 0.1)
    field = effective_receptive_fields(made(network), count=2, cache=tmp_path)["0"]
    assert field == (kernel, kernel / 64)


def test_as_measured_by_changing_one_pixel_after_the_other(made: Callable, tmp_path: Path) -> None:
    """A linear network answers an impulse with its gradient."""
    torch.manual_seed(0)
    network = nn.Sequential(convolution(3, 4, 5, 2), convolution(4, 5), convolution(5, 6, 3, 2), convolution(6, 4, 5))
    found = pixels(made(network, 32), tmp_path, count=1)
    impulses = torch.eye(3 * 32 * 32).view(-1, 3, 32, 32)
    for number in range(4):
        with torch.inference_mode():
            maps = network[: number + 1](impulses)
        centre = maps[:, :, maps.shape[2] // 2, maps.shape[3] // 2].sum(1).view(3, 32, 32).abs().sum(0)
        assert found[str(number)] == pytest.approx((centre > 0.0455 * centre.max()).sum().item() ** 0.5)


def test_positive_convolutions_see_a_gaussian_that_grows_with_the_root_of_their_number(
    made: Callable, tmp_path: Path
) -> None:
    """n windows of 3 x 3 one after the other have a variance of 2 n / 3 (central limit theorem)."""
    network = made(chain(36, 4, positive))
    names = [layer.name for layer in network.layers]
    found = [pixels(network, tmp_path, count=1)[name] for name in names]
    assert found == sorted(found)
    for number in (4, 9, 16, 25, 36):
        assert found[number - 1] == pytest.approx(SIDES_OF_A_GAUSSIAN * np.sqrt(2 * number / 3), rel=0.05)


def test_random_convolutions_see_a_wider_one(made: Callable, tmp_path: Path) -> None:
    """Their gradient is noise whose variance has the profile above: magnitudes have one 2 ** 0.5 times as wide.

    The largest of noisy pixels lies above the profile's peak, and so the field below theory.
    """
    means = []
    for number in (4, 16):
        sides = []
        for seed in range(8):
            torch.manual_seed(seed)
            network = made(chain(number, 8, torch.randn_like))
            sides.append(pixels(network, tmp_path, layers=[str(number - 1)], count=1)[str(number - 1)])
        means.append(np.mean(sides))
        assert 0.8 < means[-1] / (SIDES_OF_A_GAUSSIAN * np.sqrt(2 * 2 * number / 3)) < 1
    assert means[1] == pytest.approx(2 * means[0], rel=0.1)


def test_other_weights_have_another_field(made: Callable, tmp_path: Path) -> None:
    def first(centre: float) -> float:
        network = chain(6, 4, torch.ones_like)
        for weights in network.parameters():
            weights.data[:, :, 1, 1] *= centre
        return pixels(made(network), tmp_path, count=1)["5"]

    assert first(1) > first(4) > first(40) >= 1


def test_the_relative_field_shrinks_as_images_grow(made: Callable, tmp_path: Path) -> None:
    network = chain(3, 4, positive)
    small, large = (effective_receptive_fields(made(network, side), count=1, cache=tmp_path)["2"] for side in (32, 64))
    assert small.pixels == large.pixels and small.relative == 2 * large.relative


def test_of_a_transformer(tmp_path: Path) -> None:
    """Up to the first attention a token sees its patch, behind it everything."""
    network = Extractor("timm:vit_tiny_patch16_224", "random", image_size=64, device="cpu")
    found = pixels(network, tmp_path, layers=["patch_embed.proj", "cat", "blocks.0.attn.proj"], count=2)
    assert found["patch_embed.proj"] == found["cat"] == pytest.approx(16, abs=0.5)  # its corners count for little
    assert found["blocks.0.attn.proj"] > 60


def test_layers_that_are_no_node_of_their_own(default: Extractor, images: list[np.ndarray], tmp_path: Path) -> None:
    repeated = next(layer for layer in default.layers if layer.same_as)
    first, second = "conv_stem", "blocks.1.0.bn2"
    names = [f"{second}+{first}", second, first, INPUT, f"{INPUT}+{first}", repeated.name, repeated.same_as]
    found = pixels(default, tmp_path, images=images, layers=names, count=2)
    assert list(found) == names
    assert found[f"{second}+{first}"] == found[second] > found[first] == found[f"{INPUT}+{first}"] > found[INPUT] == 1
    assert found[repeated.name] == found[repeated.same_as]
    with pytest.raises(FlawsightError, match=r"unknown layer 'conv_stam'.*conv_stem"):
        pixels(default, tmp_path, layers=["conv_stam"])


@pytest.fixture
def rectified(made: Callable) -> Extractor:
    """A network whose gradients depend on the image."""
    torch.manual_seed(1)
    parts: list[nn.Module] = []
    for at in range(4):
        parts += [convolution(8 if at else 3, 8), nn.ReLU()]
    return made(nn.Sequential(*parts))


def test_the_same_images_give_the_same(rectified: Extractor, images: list[np.ndarray], tmp_path: Path) -> None:
    def asked(folder: str, **options: object) -> dict[str, float]:
        return pixels(rectified, tmp_path / folder, **{"count": 2, **options})

    once = asked("a")
    assert asked("b") == once
    assert asked("a", seed=1) != once and asked("a", count=3) != once and asked("a", images=images) != once
    assert asked("a", images=images, count=3) == asked("b", images=images, count=99)
    # Two are drawn of three; which, the seed says.
    drawn = {tuple(asked("a", images=images, seed=seed).values()) for seed in range(8)}
    assert len(drawn) == 3
    with torch.inference_mode():
        assert asked("c") == once


class Counts(Silent):
    """Notes how many steps there are."""

    def __init__(self) -> None:
        self.totals: list[int] = []

    def stage(self, name: str, total: int):
        self.totals.append(total)
        return super().stage(name, total)


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[Sequence[str]]:
    """The layers of each pass of a network."""
    passes: list[Sequence[str]] = []
    gradients = receptive._gradients

    def noted(extractor: Extractor, names: Sequence[str], batch: torch.Tensor):
        passes.append(names)
        return gradients(extractor, names, batch)

    monkeypatch.setattr(receptive, "_gradients", noted)
    return passes


def test_nothing_is_measured_twice(rectified: Extractor, measured: list, tmp_path: Path) -> None:
    progress = Counts()
    some = pixels(rectified, tmp_path, layers=["0", "3"], count=2, progress=progress)
    assert measured == [["0", "3"]] * 2
    every = pixels(rectified, tmp_path, count=2, progress=progress)
    assert measured[2:] == [["1", "2", "4", "5", "6", "7"]] * 2 and progress.totals == [4, 12]
    assert pixels(rectified, tmp_path, count=2, progress=progress) == every and some.items() < every.items()
    assert len(measured) == 4 and len(progress.totals) == 2


def test_a_stop_loses_only_what_was_begun(
    rectified: Extractor, measured: list, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receptive, "_LAYERS_AT_ONCE", 3)
    whole = pixels(rectified, tmp_path / "whole", count=2)
    gradients = receptive._gradients

    def broken_off(extractor: Extractor, names: Sequence[str], batch: torch.Tensor):
        if "4" in names:
            raise KeyboardInterrupt
        return gradients(extractor, names, batch)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(receptive, "_gradients", broken_off)
        pixels(rectified, tmp_path, count=2)
    measured.clear()
    assert pixels(rectified, tmp_path, count=2) == whole
    assert measured == [["3", "4", "5"]] * 2 + [["6", "7"]] * 2


@pytest.mark.parametrize("spoilt", [b"", b"{", b"[]", b'{"pixels": 1}', b'{"pixels": {"0": "x"}}', b"\xff"])
def test_a_damaged_file_is_made_again(rectified: Extractor, spoilt: bytes, tmp_path: Path) -> None:
    found = pixels(rectified, tmp_path, count=1)
    (file,) = tmp_path.iterdir()
    whole = file.read_bytes()
    file.write_bytes(spoilt)
    assert pixels(rectified, tmp_path, count=1) == found and file.read_bytes() == whole


def test_a_folder_that_cannot_be_written_costs_time_alone(rectified: Extractor, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert pixels(rectified, tmp_path / "file", count=1) == pixels(rectified, tmp_path / "folder", count=1)


def test_by_default_it_is_kept_where_weights_are(
    rectified: Extractor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    assert effective_receptive_fields(rectified, count=1)
    assert len(list((tmp_path / "hub" / "flawsight" / "receptive_fields").glob("*.json"))) == 1


@pytest.mark.parametrize("options", [{"count": 0}, {"images": []}])
def test_without_an_image_there_is_no_field(rectified: Extractor, options: dict, tmp_path: Path) -> None:
    with pytest.raises(FlawsightError, match="at least one image"):
        pixels(rectified, tmp_path, **options)
