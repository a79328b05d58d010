"""FastFlow: its flow against autograd and FrEIA's own blocks, its maps by hand, and its training."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from FrEIA.framework import SequenceINN
from FrEIA.modules import AllInOneBlock
from torch import Tensor, nn
from torch.nn import functional

from flawsight.core import FlawsightError
from flawsight.detectors import FastFlow
from flawsight.detectors.bases.flow_network import Standardise, negative_log_likelihood
from flawsight.detectors.bases.grids import pooled
from flawsight.training import TrainingContext, seeded
from flawsight.training import loop as training_module

SMALL = {"flow_steps": 2, "training_steps": 6, "batch_size": 4}


def maps_of(images: int, *shapes: tuple[int, int, int], seed: int = 0) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(images, *shape, generator=generator) for shape in shapes]


def lively(detector: FastFlow, shape: tuple[int, int, int]) -> nn.Module:
    """A flow far from its start, in double precision."""
    flow = detector._made([shape])[0].double().eval()
    generator = torch.Generator().manual_seed(1)
    for values in flow.parameters():
        if values.requires_grad:
            values.data += 0.5 * torch.randn(values.shape, generator=generator, dtype=torch.float64)
    return flow


@pytest.mark.parametrize("shape", [(4, 2, 3), (5, 3, 2), (2, 2, 2), (3, 1, 1)])
@pytest.mark.parametrize("conv3x3_only", [False, True])
def test_the_log_determinant_is_that_of_the_jacobian(shape: tuple[int, int, int], conv3x3_only: bool) -> None:
    flow = lively(FastFlow(flow_steps=3, conv3x3_only=conv3x3_only), shape)
    maps = maps_of(2, shape)[0].double()
    _, log_det = flow.couplings(maps)
    for values, found in zip(maps, log_det, strict=True):
        jacobian = torch.autograd.functional.jacobian(lambda flat: flow.couplings(flat[None])[0][0], values)
        _, expected = torch.linalg.slogdet(jacobian.reshape(values.numel(), -1))
        assert torch.isclose(found, expected, atol=1e-9)


def test_the_flow_runs_backwards() -> None:
    flow = lively(FastFlow(), (5, 4, 6))
    maps = maps_of(3, (5, 4, 6))[0].double()
    z, log_det = flow.couplings(maps)
    back, back_log_det = flow.couplings(z, rev=True)
    assert not torch.allclose(z, maps) and torch.allclose(back, maps, atol=1e-8)
    assert torch.allclose(back_log_det, -log_det)


def test_permuting_by_index_is_freias_permutation() -> None:
    with seeded(3):
        plain = SequenceINN(6, 4, 4)
        for kernel in (3, 1):
            plain.append(AllInOneBlock, subnet_constructor=partial(same_convolutions, kernel), affine_clamping=2.0)
    flow = FastFlow(flow_steps=2, seed=3)._made([(6, 4, 4)])[0].couplings
    maps = maps_of(2, (6, 4, 4))[0]
    for found, expected in zip(flow(maps), plain(maps), strict=True):
        assert torch.allclose(found, expected, atol=1e-5)


def same_convolutions(kernel: int, channels_in: int, channels_out: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_in, kernel, padding=kernel // 2),
        nn.ReLU(),
        nn.Conv2d(channels_in, channels_out, kernel, padding=kernel // 2),
    )


def test_kernels_alternate_and_hidden_channels_follow_the_ratio() -> None:
    def of(**parameters: object) -> list[tuple[int, int]]:
        flow = FastFlow(flow_steps=3, **parameters)._made([(20, 4, 4)])[0]
        return [(block.subnet[0].kernel_size[0], block.subnet[0].out_channels) for block in flow.couplings]

    assert of() == [(3, 10), (1, 10), (3, 10)]
    assert of(conv3x3_only=True, hidden_ratio=0.16) == [(3, 1)] * 3
    assert of(max_hidden=4) == [(3, 4), (1, 4), (3, 4)]


def test_the_loss_is_the_likelihood_under_a_standard_normal() -> None:
    z, log_det = maps_of(3, (2, 4, 5))[0], torch.tensor([1.0, -2.0, 0.5])
    density = torch.distributions.Normal(0, 1).log_prob(z).sum((1, 2, 3)) + log_det
    constant = 0.5 * np.log(2 * np.pi) * 40
    assert torch.allclose(negative_log_likelihood(z, log_det), -density - constant, atol=1e-4)


@pytest.mark.parametrize("normalise", ["layer", "channel"])
def test_training_lowers_the_loss(normalise: str) -> None:
    features = maps_of(12, (6, 8, 8), (4, 4, 4))
    losses = FastFlow(flow_steps=2, training_steps=30, normalise=normalise).fit(features).losses_
    assert len(losses) == 30 and losses[-1] < losses[0]


def test_training_steps_become_whole_epochs() -> None:
    features = maps_of(10, (4, 3, 3))
    assert len(FastFlow(**SMALL).fit(features).losses_) == 2  # three batches of at most four
    assert len(FastFlow(**{**SMALL, "training_steps": 7}).fit(features).losses_) == 3
    assert len(FastFlow(**SMALL, epochs=5).fit(features).losses_) == 5


@pytest.mark.parametrize("normalise", ["layer", "channel"])
def test_maps_by_hand(normalise: str) -> None:
    features, queries = maps_of(6, (4, 6, 6), (3, 3, 3)), maps_of(2, (4, 6, 6), (3, 3, 3), seed=1)
    detector = FastFlow(**SMALL, normalise=normalise).fit(features)
    with torch.no_grad():
        log = []
        for flow, known, values in zip(detector.network_, features, queries, strict=True):
            if normalise == "layer":
                mean, variance = values.mean((1, 2, 3), True), values.var((1, 2, 3), correction=0, keepdim=True)
                scaled = (values - mean) / (variance + 1e-5).sqrt() * flow.normalise.weight + flow.normalise.bias
            else:
                scaled = (values - known.mean((0, 2, 3), True)) / known.std((0, 2, 3), correction=0, keepdim=True)
            log.append(0.5 * flow.couplings(scaled)[0].square().mean(1, keepdim=True))

    def joined(fine: Tensor, coarse: Tensor) -> Tensor:
        return (fine + functional.interpolate(coarse, (6, 6), mode="bilinear"))[:, 0] / 2

    assert torch.allclose(detector.anomaly_maps(queries), joined(*log), atol=1e-4)
    detector.set_params(map="probability")
    assert torch.allclose(detector.anomaly_maps(queries), joined(*(-torch.exp(-values) for values in log)), atol=1e-4)


def test_both_maps_order_the_places_of_one_layer_alike() -> None:
    detector = FastFlow(**SMALL).fit(maps_of(6, (4, 6, 6)))
    queries = maps_of(2, (4, 6, 6), seed=1)
    log = detector.anomaly_maps(queries).flatten()
    probability = detector.set_params(map="probability").anomaly_maps(queries).flatten()
    assert (probability[log.argsort()].diff() >= 0).all() and probability.min() >= -1


def test_only_channel_statistics_notice_a_shift_of_the_whole_map() -> None:
    features, queries = maps_of(8, (4, 6, 6)), maps_of(1, (4, 6, 6), seed=1)
    shifted = [values + 9 for values in queries]
    blind, seeing = (FastFlow(**SMALL, normalise=name).fit(features) for name in ("layer", "channel"))
    assert torch.allclose(blind.anomaly_maps(queries), blind.anomaly_maps(shifted), atol=1e-3)
    assert seeing.image_scores(shifted) > 2 * seeing.image_scores(queries)


def test_fine_maps_are_pooled() -> None:
    features = maps_of(5, (4, 20, 10), (3, 8, 4))
    detector = FastFlow(**SMALL, max_grid=10).fit(features)
    by_hand = [functional.avg_pool2d(features[0], 2), features[1]]
    expected = FastFlow(**SMALL, max_grid=None).fit(by_hand).anomaly_maps(by_hand)
    assert detector.anomaly_maps(features).shape == (5, 10, 5)
    assert torch.allclose(detector.anomaly_maps(features), expected, atol=1e-5)
    assert pooled(torch.ones(1, 2, 64, 1), 16).shape == (1, 2, 16, 1)
    assert torch.allclose(pooled(torch.ones(1, 2, 30, 21), 16), torch.ones(1, 2, 16, 11))


def test_only_pooled_maps_are_held() -> None:
    assert FastFlow(max_grid=16).collected_bytes(8, 1024, 10) == 4 * 8 * 256 * 10
    assert FastFlow(max_grid=16).collected_bytes(8, 100, 10) == 4 * 8 * 100 * 10
    assert FastFlow(max_grid=None).collected_bytes(8, 1024, 10) == 4 * 8 * 1024 * 10


def test_standardising_gives_mean_0_and_deviation_1() -> None:
    maps = maps_of(4, (3, 5, 5))[0] * torch.tensor([1.0, 5.0, 0.0])[:, None, None] + 7
    scale = Standardise(3)
    scale.learn(maps)
    scaled = scale(maps)
    assert torch.allclose(scaled.mean((0, 2, 3)), torch.zeros(3), atol=1e-5)
    assert torch.allclose(scaled.std((0, 2, 3), correction=0), torch.tensor([1.0, 1.0, 0.0]), atol=1e-4)
    assert scale(maps + 1).max() < 1e3  # a channel that never varied is no reason to panic


def test_going_on_from_a_checkpoint_is_the_same_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_module, "SECONDS_BETWEEN_CHECKPOINTS", 0)
    features, queries = maps_of(9, (4, 5, 5), (3, 3, 3)), maps_of(2, (4, 5, 5), (3, 3, 3), seed=1)
    expected = FastFlow(**SMALL, epochs=4).fit(features)
    told: list[float] = []

    def interrupted(share: float) -> None:
        told.append(share)
        if len(told) == 2:
            raise KeyboardInterrupt

    for advance in (interrupted, told.append):
        detector = FastFlow(**SMALL, epochs=4)
        detector.reset()
        detector.partial_fit(features)
        if advance is interrupted:
            with pytest.raises(KeyboardInterrupt):
                detector.finalize(TrainingContext(tmp_path, advance))
        else:
            detector.finalize(TrainingContext(tmp_path, advance))
    assert detector.losses_ == expected.losses_
    assert torch.equal(detector.anomaly_maps(queries), expected.anomaly_maps(queries))


def test_one_channel_cannot_be_split() -> None:
    with pytest.raises(FlawsightError, match="at least 2 channels"):
        FastFlow(**SMALL).fit(maps_of(3, (1, 4, 4)))


def test_maps_of_another_size_are_refused() -> None:
    detector = FastFlow(**SMALL).fit(maps_of(3, (4, 6, 6)))
    with pytest.raises(FlawsightError, match="image size"):
        detector.anomaly_maps(maps_of(1, (4, 8, 8)))


@pytest.mark.parametrize(
    "wrong",
    [
        {"flow_steps": 0},
        {"epochs": 0},
        {"max_hidden": 0},
        {"training_steps": 0},
        {"clamp": 0},
        {"normalise": "batch"},
        {"map": "heat"},
        {"max_grid": 0},
    ],
)
def test_parameters_that_make_no_sense(wrong: dict) -> None:
    with pytest.raises(FlawsightError, match=next(iter(wrong))):
        FastFlow(**wrong).fit(maps_of(2, (4, 4, 4)))
