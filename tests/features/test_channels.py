"""AFS: which channels see defects."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from flawsight.core import FlawsightError
from flawsight.features import ChannelSelection, best_channels, channel_losses


def brute_force(anomalous: Tensor, normal: Tensor, masks: Tensor, normalise: str, resolution: str) -> list[float]:
    """Eq. 4 of paper E, channel by channel and image by image."""
    found = []
    for channel in range(anomalous.shape[1]):
        maps, truths = [], []
        for image in range(len(masks)):
            difference = (anomalous[image, channel] - normal[image, channel]) ** 2
            truth = masks[image].double()
            if resolution == "mask":
                difference = functional.interpolate(difference[None, None], truth.shape, mode="bilinear")[0, 0]
            else:
                truth = functional.interpolate(truth[None, None], difference.shape, mode="nearest")[0, 0]
            maps.append(difference)
            truths.append(truth)
        errors = []
        for difference, truth in zip(maps, truths, strict=True):
            among = [difference] if normalise == "image" else maps
            low, high = min(float(values.min()) for values in among), max(float(values.max()) for values in among)
            errors.append(float((((difference - low) / (high - low + 1e-4) - truth) ** 2).mean()))
        found.append(sum(errors) / len(errors))
    return found


def made(seed: int = 0, channels: int = 19) -> tuple[Tensor, Tensor, Tensor]:
    """Features where channel 3 changes inside the mask only, channel 5 everywhere else, the others at random."""
    generator = torch.Generator().manual_seed(seed)
    normal = torch.randn(5, channels, 6, 10, generator=generator, dtype=torch.float64)
    masks = torch.zeros(5, 24, 40, dtype=torch.bool)
    for image in range(5):
        masks[image, 4 * image : 4 * image + 4, 8:20] = True
    anomalous = normal + torch.randn(normal.shape, generator=generator, dtype=torch.float64)
    small = functional.interpolate(masks[:, None].double(), (6, 10), mode="nearest")[:, 0]
    anomalous[:, 3] = normal[:, 3] + 2 * small
    anomalous[:, 5] = normal[:, 5] + 2 * (1 - small)
    return anomalous, normal, masks


@pytest.mark.parametrize("normalise", ["image", "batch"])
@pytest.mark.parametrize("resolution", ["mask", "features"])
def test_losses_are_those_of_the_equation(normalise: str, resolution: str) -> None:
    triplet = made()
    found = channel_losses(*triplet, normalise, resolution)
    assert found.shape == (19,)
    assert torch.allclose(found, torch.tensor(brute_force(*triplet, normalise, resolution), dtype=torch.float64))


@pytest.mark.parametrize("resolution", ["mask", "features"])
def test_the_channel_that_sees_the_defect_is_best_and_the_one_that_sees_the_rest_worst(resolution: str) -> None:
    losses = channel_losses(*made(), resolution=resolution)
    assert losses.argmin() == 3 and losses.argmax() == 5


def test_channels_that_do_not_change_are_no_better_than_the_mask_is_small() -> None:
    anomalous, normal, masks = made()
    anomalous[:, 7] = normal[:, 7]
    assert channel_losses(anomalous, normal, masks)[7] == pytest.approx(float(masks.double().mean()))


def test_the_losses_of_batches_add_up() -> None:
    anomalous, normal, masks = made()
    whole = ChannelSelection([4]).fit([([anomalous], [normal], masks)])
    parts = [([anomalous[rows]], [normal[rows]], masks[rows]) for rows in (slice(0, 1), slice(1, 5))]
    split = ChannelSelection([4]).fit(iter(parts))
    assert torch.allclose(whole.losses_[0], split.losses_[0])
    assert torch.equal(whole.channels_[0], split.channels_[0])
    assert torch.allclose(whole.losses_[0], channel_losses(anomalous, normal, masks))


def test_each_layer_has_its_channels() -> None:
    first, second = made(0), made(1, channels=9)
    chosen = ChannelSelection([2, 20]).fit([([first[0], second[0]], [first[1], second[1]], first[2])])
    assert 3 in chosen.channels_[0] and len(chosen.channels_[0]) == 2
    assert chosen.channels_[1].tolist() == list(range(9))
    kept = chosen.transform([first[1], second[1]])
    assert torch.equal(kept[0], first[1][:, chosen.channels_[0]]) and torch.equal(kept[1], second[1])


def test_ties_are_broken_by_the_order() -> None:
    assert best_channels(torch.tensor([1.0, 0.0, 1.0, 0.0, 1.0]), 3).tolist() == [0, 1, 3]


def test_errors() -> None:
    anomalous, normal, masks = made()
    with pytest.raises(FlawsightError, match="one shape"):
        channel_losses(anomalous[:, :2], normal, masks)
    with pytest.raises(FlawsightError, match="normalise must be"):
        channel_losses(anomalous, normal, masks, "pixel")
    with pytest.raises(FlawsightError, match="no images"):
        ChannelSelection([1]).fit([])
    with pytest.raises(FlawsightError, match="names 2 layers"):
        ChannelSelection([1, 1]).fit([([anomalous], [normal], masks)])
    with pytest.raises(FlawsightError, match="cannot be chosen"):
        best_channels(torch.ones(3), 0)
