"""Flaws of a network and of its catalogue are found; one from another package passes like ours."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from flawsight.features import EXTRACTORS, Extractor
from flawsight.testing import check_extractor, extractors

GREY = (0.5, 0.5, 0.5)


class Small(nn.Module):
    """Two convolutions, the second halves the sides; `between` is done after the first."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.act, self.second = nn.Conv2d(3, 4, 3, 2, 1), nn.ReLU(inplace=True), nn.Conv2d(4, 6, 3, 2, 1)

    def between(self, maps: Tensor) -> Tensor:
        return self.act(maps)

    def forward(self, images: Tensor) -> Tensor:
        return self.second(self.between(self.first(images))).mean((2, 3))


class WorksInPlace(Small):
    def between(self, maps: Tensor) -> Tensor:
        return maps.relu_()


class ComparesImages(Small):
    def between(self, maps: Tensor) -> Tensor:
        return maps - maps.mean(0, keepdim=True)


class Remembers(Small):
    """Counts how often it was run."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("runs", torch.zeros(()))

    def between(self, maps: Tensor) -> Tensor:
        return maps + self.runs.add_(1)


class Twins(Small):
    """Says of its activation what holds only when it is not traced."""

    def forward(self, images: Tensor) -> Tensor:
        traced = isinstance(images, torch.fx.Proxy)
        return self.second(self.act(self.first(images) + (0 if traced else 1))).mean((2, 3))


@pytest.fixture
def plugged(monkeypatch: pytest.MonkeyPatch) -> Callable[[type[nn.Module]], Extractor]:
    """An extractor of such a network, as another package would name it."""

    def made(kind: type[nn.Module]) -> Extractor:
        monkeypatch.setitem(EXTRACTORS, "small", lambda size: (kind(), GREY, GREY))
        return Extractor("small", image_size=64, device="cpu")

    return made


@pytest.mark.parametrize("weights", ["resnet18", "vit_b_32"])
def test_networks_of_libraries_pass(weights: str) -> None:
    check_extractor(Extractor(weights, "random", image_size=64, device="cpu"))


def test_by_name(plugged: Callable[[type[nn.Module]], Extractor]) -> None:
    assert [layer.name for layer in plugged(Small).layers] == ["first", "act", "second"]
    check_extractor("small")
    check_extractor("small", image_size=48)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (WorksInPlace, "check_single_layers of the extractor 'small': 'first' alone is not as in one pass with others"),
        (ComparesImages, "check_batches .* changes with the batch"),
        (Remembers, "check_single_layers"),
        (Twins, "check_cut .* 'act' is not as in the whole network"),
    ],
)
def test_flaws_of_networks(plugged: Callable[[type[nn.Module]], Extractor], kind: type[nn.Module], words: str) -> None:
    with pytest.raises(AssertionError, match=words):
        check_extractor(plugged(kind))


def test_each_layer_of_one_pass_is_looked_at(plugged: Callable[[type[nn.Module]], Extractor]) -> None:
    with pytest.raises(AssertionError, match="'first' is overwritten by a later node"):
        extractors.check_nothing_is_overwritten(plugged(WorksInPlace))


@pytest.mark.parametrize(
    "change", [{"channels": 5}, {"height": 17}, {"stride": 3.0}, {"same_as": "first"}, {"order": 0}]
)
def test_untrue_rows(plugged: Callable[[type[nn.Module]], Extractor], change: dict) -> None:
    first, act, second = plugged(Small).layers
    spoilt = Extractor("small", image_size=64, device="cpu", catalogue=[first, replace(act, **change), second])
    with pytest.raises(AssertionError, match=r"'act'|network order"):
        extractors.check_rows(spoilt)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"channels": 5}, "check_names .* traced again, 'act' is Layer"),
        ({"name": "other"}, "traced again, 'other' is None"),
        ({"name": "first"}, "two layers have the same name"),
    ],
)
def test_flaws_of_the_catalogue(plugged: Callable[[type[nn.Module]], Extractor], change: dict, words: str) -> None:
    first, act, second = plugged(Small).layers
    spoilt = Extractor("small", image_size=64, device="cpu", catalogue=[first, replace(act, **change), second])
    with pytest.raises(AssertionError, match=words):
        check_extractor(spoilt)
