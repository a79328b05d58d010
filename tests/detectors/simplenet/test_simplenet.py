"""SimpleNet: the loss and its gradient against autograd, training against plain PyTorch, and its parameters."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from flawsight.core import FlawsightError
from flawsight.detectors import SimpleNet
from flawsight.detectors.bases.descriptors import patch_descriptors
from flawsight.detectors.simplenet.network import Network, cross_entropy, truncated
from flawsight.training import Schedule, TrainingContext, gaussian, loop, seeded, train

QUICK = {"hidden": 32, "epochs": 5, "batch_size": 60, "max_descriptors": None}
CRITERIA = {"truncated": truncated(0.5), "cross_entropy": cross_entropy()}


def features(count: int, channels: int = 5, side: int = 6, seed: int = 0) -> list[Tensor]:
    return [torch.randn(count, channels, side, side, generator=torch.Generator().manual_seed(seed))]


def network(size: int, hidden: int, adaptor: str = "linear", bias: bool = False, seed: int = 0) -> Network:
    with seeded(seed):
        made = Network(size, hidden, adaptor, bias)
        nn.init.normal_(made.norm.weight, 1, 0.3)
        nn.init.normal_(made.norm.bias, 0, 0.3)
    return made


def rows(count: int, size: int, seed: int = 1, scale: float = 1.0) -> Tensor:
    return scale * torch.randn(count, size, generator=torch.Generator().manual_seed(seed))


def textbook_loss(made: Network, descriptors: Tensor, noise: Tensor, loss: str, margin: float = 0.5) -> Tensor:
    """Algorithm 1 of paper D, from PyTorch's own layers."""
    good = made.adaptor(descriptors)
    hidden = made.norm(functional.linear(torch.cat([good, good + noise]), made.linear.weight))
    score = functional.linear(functional.leaky_relu(hidden, 0.2), made.output.weight).squeeze(1)
    true, fake = score[: len(descriptors)], score[len(descriptors) :]
    if loss == "truncated":
        return torch.clamp(margin - true, min=0).mean() + torch.clamp(margin + fake, min=0).mean()
    bce = functional.binary_cross_entropy_with_logits
    return bce(true, torch.ones_like(true)) + bce(fake, torch.zeros_like(fake))


@pytest.mark.parametrize("loss", CRITERIA)
@pytest.mark.parametrize("adaptor", ["none", "linear", "mlp"])
@pytest.mark.parametrize("count", [1, 7, 700])  # within one block, and several with a rest
@pytest.mark.parametrize("size", [6, 20])  # twice that is below and above the hidden width: two ways of the same sum
def test_loss_and_gradient(size: int, count: int, adaptor: str, loss: str) -> None:
    ours, theirs = (network(size, 24, adaptor, bias=True).double() for _ in range(2))
    descriptors, noise = rows(count, size).double() + 0.5, rows(count, size, seed=2, scale=0.7).double()
    found, expected = ours.loss(descriptors, noise, CRITERIA[loss]), textbook_loss(theirs, descriptors, noise, loss)
    assert found.item() == pytest.approx(expected.item(), rel=1e-9)
    found.backward()
    expected.backward()
    for (name, own), other in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        assert torch.allclose(own.grad, other.grad, rtol=1e-7, atol=1e-9), name
    assert torch.allclose(ours.norm.running_mean, theirs.norm.running_mean, rtol=1e-9)
    assert torch.allclose(ours.norm.running_var, theirs.norm.running_var, rtol=1e-9)


def test_rows_whose_loss_is_truncated_have_no_gradient() -> None:
    made = network(6, 24, "none")
    with torch.no_grad():
        made.output.weight.mul_(100)
        made.norm.bias.zero_()
    descriptors = rows(600, 6).requires_grad_()
    nothing = made.loss(descriptors, rows(600, 6, seed=2), truncated(-1e9))
    nothing.backward()
    assert nothing == 0 and not descriptors.grad.any() and not made.output.weight.grad.any()


@pytest.mark.parametrize("margin", [0.0, 0.5, 2.0])
def test_truncated_loss_by_hand(margin: float) -> None:
    scores = torch.tensor([-3.0, 0.0, 0.25, 1.0, 5.0])
    criterion = truncated(margin)
    assert criterion.value(scores).tolist() == [max(0.0, margin - score) for score in scores.tolist()]
    assert criterion.slope(scores).tolist() == [-1.0 if score < margin else 0.0 for score in scores.tolist()]


@pytest.mark.parametrize("loss", CRITERIA)
def test_slopes_are_derivatives(loss: str) -> None:
    scores = torch.linspace(-4, 4, 50).double().requires_grad_()
    (expected,) = torch.autograd.grad(CRITERIA[loss].value(scores).sum(), scores)
    assert torch.allclose(CRITERIA[loss].slope(scores.detach()), expected)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("adaptor", ["none", "linear", "mlp"])
def test_folding_changes_nothing(adaptor: str, bias: bool) -> None:
    made = network(9, 16, adaptor, bias)
    made.norm.running_mean.normal_(generator=torch.Generator().manual_seed(1))
    made.norm.running_var.uniform_(0.2, 2, generator=torch.Generator().manual_seed(1))
    made.eval()
    for count in (1, 1300):
        given = rows(count, 9)
        assert torch.allclose(made.folded()(given), made(given), atol=1e-5)


def test_weights_begin_as_xavier_says() -> None:
    made = Network(300, 500, "mlp", True)
    assert float(made.adaptor[0].weight.detach().std()) == pytest.approx((2 / 600) ** 0.5, rel=0.05)
    assert float(made.linear.weight.detach().std()) == pytest.approx((2 / 800) ** 0.5, rel=0.05)
    assert float(made.output.weight.detach().std()) == pytest.approx((2 / 501) ** 0.5, rel=0.15)
    assert made.linear.bias is None and made.output.bias is None


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"adaptor": "none", "loss": "cross_entropy"},
        {"adaptor": "mlp", "adaptor_bias": True, "margin": 1.0, "hidden": 8},
        {"embed_dim": 9, "neighbourhood": 1, "noise": 0.5, "noise_relative": False},
        {"adaptor_learning_rate": 1e-2, "learning_rate": 1e-3, "weight_decay": 0.1, "max_grid": 3},
    ],
)
def test_the_whole_recipe(parameters: dict) -> None:
    options = {**SimpleNet(**QUICK).get_params(), **parameters, "seed": 7}
    good, queries = features(4), features(3, seed=1)
    reads = {key: options[key] for key in ("neighbourhood", "embed_dim", "max_grid")}
    descriptors = patch_descriptors(good, **reads).flatten(0, 2)
    spread = float(descriptors.numpy().std(0).mean()) if options["noise_relative"] else 1.0
    with seeded(7):
        made = Network(descriptors.shape[1], options["hidden"], options["adaptor"], options["adaptor_bias"])
    head = [*made.linear.parameters(), *made.norm.parameters(), *made.output.parameters()]
    groups: list[dict] = [{"params": head, "lr": options["learning_rate"]}]
    if options["adaptor"] != "none":
        groups.append({"params": made.adaptor.parameters(), "lr": options["adaptor_learning_rate"]})
    optimizer = torch.optim.Adam(groups, weight_decay=options["weight_decay"])

    def loss(batch: Tensor, generator: torch.Generator) -> Tensor:
        noise = options["noise"] * spread * gaussian((len(batch), descriptors.shape[1]), generator, torch.device("cpu"))
        return textbook_loss(made, descriptors[batch], noise, options["loss"], options["margin"])

    losses = train(made, optimizer, loss, len(descriptors), Schedule(batch_size=60, epochs=5, seed=7))
    detector = SimpleNet(**options).fit(good)
    found, given = detector.anomaly_maps(queries), patch_descriptors(queries, **reads)
    expected = -made(given.flatten(0, 2)).detach().reshape(given.shape[:3])
    assert torch.allclose(found, expected, atol=1e-3)
    assert torch.allclose(detector.losses_, torch.tensor(losses), atol=1e-4)
    assert torch.equal(detector.image_scores(queries), found.amax((1, 2)))


def test_relative_noise_follows_the_scale_of_the_features() -> None:
    good = features(4)
    spread = float(patch_descriptors(good).flatten(0, 2).numpy().std(0).mean())
    absolute = SimpleNet(**QUICK, noise=0.3 * spread, noise_relative=False).fit(good)
    relative = SimpleNet(**QUICK, noise=0.3, noise_relative=True).fit(good)
    assert torch.allclose(absolute.anomaly_maps(good), relative.anomaly_maps(good), atol=1e-4)


@pytest.mark.parametrize("scale", [0.01, 1.0, 100.0])
def test_features_of_any_scale_are_learned_by_default(scale: float) -> None:
    def of(count: int, seed: int) -> list[Tensor]:  # good descriptors have two degrees of freedom
        drawn = torch.randn(count, 2, 8, 8, generator=torch.Generator().manual_seed(seed))
        mixing = torch.randn(12, 2, generator=torch.Generator().manual_seed(9))
        return [scale * torch.einsum("nkhw,ck->nchw", drawn, mixing)]

    detector = SimpleNet(neighbourhood=1, hidden=128, epochs=40, batch_size=256, learning_rate=2e-3).fit(of(20, 0))
    queries = of(6, 1)
    queries[0][:3, :, 2:4, 2:4] += 2 * scale * torch.randn(12, 1, 1, generator=torch.Generator().manual_seed(3))
    maps = detector.anomaly_maps(queries)
    assert maps[:3, 2:4, 2:4].min() > maps[3:].max()
    assert detector.losses_[-1] < 0.5 < detector.losses_[0]


@pytest.mark.parametrize(
    ("parameters", "names"),
    [
        ({"adaptor": "none"}, set()),
        ({}, {"adaptor.0.weight"}),
        ({"adaptor_bias": True}, {"adaptor.0.weight", "adaptor.0.bias"}),
        ({"adaptor": "mlp"}, {"adaptor.0.weight", "adaptor.2.weight"}),
    ],
)
def test_what_is_learned(parameters: dict, names: set) -> None:
    detector = SimpleNet(**QUICK, **parameters).fit(features(3))
    learned = detector.state_dict()
    assert {name for name in learned if name.startswith("adaptor")} == names
    assert learned["linear.weight"].shape == (32, 5) and learned["losses"].shape == (5,)
    assert all(learned[name].shape in {(5, 5), (5,)} for name in names)
    queries = features(2, seed=1)
    restored = SimpleNet(**QUICK, **parameters).load_state_dict(learned)
    assert torch.equal(restored.anomaly_maps(queries), detector.anomaly_maps(queries))
    assert torch.equal(restored.losses_, detector.losses_)


def test_going_on_from_a_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "SECONDS_BETWEEN_CHECKPOINTS", -1.0)
    steps: list[float] = []

    def advance(share: float) -> None:
        steps.append(share)
        if len(steps) == 3:
            raise KeyboardInterrupt

    def finished(given: TrainingContext | None) -> SimpleNet:
        detector = SimpleNet(**QUICK)
        detector.reset()
        detector.partial_fit(features(4))
        return detector.finalize(given)

    with pytest.raises(KeyboardInterrupt):
        finished(TrainingContext(tmp_path, advance))
    resumed, whole = finished(TrainingContext(tmp_path, advance)).state_dict(), finished(None).state_dict()
    assert len(steps) == 6 and sum(steps[3:]) == pytest.approx(1)
    assert all(torch.equal(values, resumed[name]) for name, values in whole.items())


def test_inside_an_inference_pass() -> None:
    plain = SimpleNet(**QUICK).fit(features(3))
    with torch.inference_mode():
        within = SimpleNet(**QUICK).fit(features(3))
    assert torch.equal(within.anomaly_maps(features(2, seed=1)), plain.anomaly_maps(features(2, seed=1)))


def test_a_single_descriptor_is_enough() -> None:
    detector = SimpleNet(**QUICK).fit([torch.ones(1, 3, 1, 1)])
    assert torch.isfinite(detector.anomaly_maps([torch.ones(2, 3, 1, 1)])).all()


def test_a_sample_is_what_is_learned_from() -> None:
    good = features(6)
    small = SimpleNet(**{**QUICK, "max_descriptors": 40}).fit(good)
    whole = SimpleNet(**QUICK).fit(good)
    assert not torch.equal(small.anomaly_maps(good), whole.anomaly_maps(good))
    assert np.isfinite(small.state_dict()["losses"].numpy()).all()


def test_coarse_is_cheaper_and_of_the_same_kind() -> None:
    detector = SimpleNet(noise=0.3, loss="cross_entropy", seed=4)
    coarse = detector.low_fidelity()
    assert (coarse.noise, coarse.loss, coarse.seed) == (0.3, "cross_entropy", 4)
    steps = {
        one: one.epochs * one.max_descriptors * one.hidden  # type: ignore[operator]
        for one in (detector, coarse)
    }
    assert steps[coarse] < steps[detector] / 50
    tiny = SimpleNet(max_grid=5, hidden=8, epochs=2, max_descriptors=10)
    assert tiny.low_fidelity().max_grid == 5
    assert all(
        getattr(tiny.low_fidelity(), name) <= getattr(tiny, name) for name in ("hidden", "epochs", "max_descriptors")
    )


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"adaptor": "conv"}, "adaptor 'conv'"),
        ({"loss": "hinge"}, "loss 'hinge'"),
        ({"noise": 0}, "noise 0"),
        ({"noise": float("nan")}, "noise nan"),
        ({"hidden": 0}, "hidden"),
        ({"epochs": 0}, "epochs"),
        ({"batch_size": 0}, "batch_size"),
        ({"neighbourhood": 2}, "neighbourhood"),
        ({"max_descriptors": 0}, "max_descriptors"),
    ],
)
def test_parameters_that_make_no_sense(parameters: dict, message: str) -> None:
    with pytest.raises(FlawsightError, match=message):
        SimpleNet(**{**QUICK, **parameters}).fit(features(2))


def test_divergence_is_reported() -> None:
    with pytest.raises(FlawsightError, match="diverged in epoch"):
        SimpleNet(**QUICK, learning_rate=1e30).fit(features(2))


def test_other_channels_than_learned() -> None:
    detector = SimpleNet(**QUICK).fit(features(2))
    with pytest.raises(FlawsightError, match="7 values, the network reads 5"):
        detector.anomaly_maps(features(2, channels=7))
