"""The asymmetric student-teacher: its flow against autograd, its maps and losses by hand, and its training."""

from math import cos, exp, pi, sin
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from flawsight.core import FlawsightError
from flawsight.detectors import AsymmetricStudentTeacher
from flawsight.detectors.ast.network import StudentTeacher, positional_encoding
from flawsight.training import TrainingContext
from flawsight.training import loop as training_module

SMALL = {"couplings": 2, "hidden": 6, "width": 8, "blocks": 1, "encoding": 8, "epochs": 3, "learning_rate": 2e-3}


def maps_of(images: int, *shapes: tuple[int, int, int], seed: int = 0) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(images, *shape, generator=generator) for shape in shapes]


def lively(shape: tuple[int, int, int], **parameters: object) -> StudentTeacher:
    """Networks whose teacher is far from the identity, in double precision."""
    pair = AsymmetricStudentTeacher(**{**SMALL, **parameters})._made([shape]).double().eval()
    generator = torch.Generator().manual_seed(1)
    for values in pair.teacher.parameters():
        if values.requires_grad:
            values.data += 0.2 * torch.randn(values.shape, generator=generator, dtype=torch.float64)
    return pair


@pytest.mark.parametrize("shape", [(4, 2, 3), (5, 3, 2), (2, 2, 2), (3, 1, 1)])
def test_the_log_determinant_is_that_of_the_jacobian(shape: tuple[int, int, int]) -> None:
    pair = lively(shape)
    maps = maps_of(2, shape)[0].double()
    _, log_det = pair.taught(maps)
    for values, found in zip(maps, log_det, strict=True):
        jacobian = torch.autograd.functional.jacobian(lambda one: pair.taught(one[None])[0][0], values)
        _, expected = torch.linalg.slogdet(jacobian.reshape(values.numel(), -1))
        assert torch.isclose(found, expected, atol=1e-9)


def test_the_teacher_runs_backwards() -> None:
    pair = lively((5, 4, 6), couplings=4)
    maps = maps_of(3, (5, 4, 6))[0].double()
    z, log_det = pair.taught(maps)
    back, back_log_det = pair.teacher(z, c=[pair.places.expand(3, -1, -1, -1)], rev=True)
    assert not torch.allclose(z, maps) and torch.allclose(back, maps, atol=1e-8)
    assert torch.allclose(back_log_det, -log_det)


def test_the_teacher_starts_as_a_permutation() -> None:
    pair = AsymmetricStudentTeacher(**SMALL)._made([(5, 3, 3)])
    maps = maps_of(2, (5, 3, 3))[0]
    z, log_det = pair.taught(maps)
    assert torch.equal(z.sort(1).values, maps.sort(1).values) and not torch.equal(z, maps)
    assert torch.equal(log_det, torch.zeros(2))


def test_one_coupling_by_hand() -> None:
    pair = lively((5, 4, 4), couplings=1)
    permutation, block = pair.teacher
    maps, places = maps_of(2, (5, 4, 4))[0].double(), pair.places.expand(2, -1, -1, -1)
    first, second = maps[:, permutation.perm].split([2, 3], dim=1)

    def applied(subnet: torch.nn.Module, passive: Tensor, active: Tensor) -> Tensor:
        log_scale, shift = subnet(torch.cat([passive, places], 1)).chunk(2, 1)
        return active * torch.exp(1.9 * 0.636 * torch.atan(log_scale / 1.9)) + shift

    first = applied(block.subnet2, second, first)
    second = applied(block.subnet1, first, second)
    assert torch.allclose(pair.taught(maps)[0], torch.cat([first, second], 1))


def test_the_bound_of_the_log_scale() -> None:
    pair = lively((4, 3, 3), couplings=1, clamp=0.5)
    for values in (pair.teacher[1].subnet1.gamma, pair.teacher[1].subnet2.gamma):
        values.data.fill_(1e9)
    _, log_det = pair.taught(maps_of(2, (4, 3, 3))[0].double())
    assert (log_det.abs() <= 0.5 * 0.636 * pi / 2 * 36).all() and log_det.abs().max() > 1


def test_kernels_and_padding_of_the_teacher() -> None:
    pair = AsymmetricStudentTeacher(encoding=4)._made([(4, 6, 6)])
    subnets = [block.subnet1.layers for block in list(pair.teacher)[1::2]]
    assert [layers[0].kernel_size[0] for layers in subnets] == [3, 3, 3, 5]
    assert {layer.padding_mode for layers in subnets for layer in (layers[0], layers[2])} == {"replicate"}
    assert {layers[0].in_channels for layers in subnets} == {2 + 4}
    assert {layers[0].out_channels for layers in subnets} == {64}


def test_the_positional_encoding() -> None:
    codes = positional_encoding(32, 5, 9)
    assert codes.shape == (32, 5, 9) and codes.abs().max() <= 1
    assert torch.equal(codes[:16], codes[:16, :1].expand(-1, 5, -1))  # the first half tells the column only
    assert torch.equal(codes[16:], codes[16:, :, :1].expand(-1, -1, 9))
    assert torch.allclose(codes.square().sum(0), torch.full((5, 9), 16.0))  # sines and cosines of equal angles
    flat = codes.flatten(1).T
    assert (torch.cdist(flat, flat) + 9 * torch.eye(45)).min() > 0.1  # no two places look alike
    turned = positional_encoding(32, 9, 5).transpose(1, 2)
    assert torch.equal(torch.cat([turned[16:], turned[:16]]), codes)


def test_the_positional_encoding_by_hand() -> None:
    rate = exp(-0.5 * torch.log(torch.tensor(1e4)).item())
    expected = [sin(3), sin(3 * rate), cos(3), cos(3 * rate), sin(2), sin(2 * rate), cos(2), cos(2 * rate)]
    assert torch.allclose(positional_encoding(8, 4, 5)[:, 2, 3], torch.tensor(expected), atol=1e-6)


def test_training_lowers_both_losses() -> None:
    detector = AsymmetricStudentTeacher(**{**SMALL, "epochs": 20}).fit(maps_of(12, (6, 8, 8), (4, 4, 4)))
    for losses in (detector.teacher_losses_, detector.student_losses_):
        assert len(losses) == 20 and losses[-1] < losses[0]


def test_the_first_loss_of_the_teacher_by_hand() -> None:
    features = maps_of(4, (6, 5, 5))
    detector = AsymmetricStudentTeacher(**{**SMALL, "epochs": 1}, standardise=False).fit(features)
    per_place = 0.5 * features[0].square().sum(1)  # it starts as a permutation, whose log-determinant is 0
    assert detector.teacher_losses_[0] == pytest.approx(float(per_place.mean()), rel=1e-5)


def test_maps_by_hand() -> None:
    features = [values * 3 + 1 for values in maps_of(6, (4, 6, 6), (3, 3, 3))]
    queries = [values * 3 + 1 for values in maps_of(2, (4, 6, 6), (3, 3, 3), seed=1)]
    detector = AsymmetricStudentTeacher(**SMALL).fit(features)
    fine, coarse = (
        (values - known.mean((0, 2, 3), True)) / known.std((0, 2, 3), correction=0, keepdim=True)
        for known, values in zip(features, queries, strict=True)
    )
    joined = torch.cat([fine, functional.interpolate(coarse, (6, 6), mode="bilinear")], 1)
    places = positional_encoding(8, 6, 6).expand(2, -1, -1, -1)
    with torch.no_grad():
        pair = detector.network_
        taught = pair.teacher(joined, c=[places])[0]
        expected = (pair.student(torch.cat([joined, places], 1)) - taught).square().sum(1) / 7
    assert torch.allclose(detector.anomaly_maps(queries), expected, rtol=1e-3, atol=1e-4)


def test_image_scores_are_the_maximum_or_the_mean() -> None:
    detector, queries = AsymmetricStudentTeacher(**SMALL).fit(maps_of(6, (4, 6, 6))), maps_of(3, (4, 6, 6), seed=1)
    maps = detector.anomaly_maps(queries)
    assert not detector.tags.image_score and torch.equal(detector.image_scores(queries), maps.amax((1, 2)))
    detector.set_params(score="mean")
    assert detector.tags.image_score and torch.allclose(detector.image_scores(queries), maps.mean((1, 2)))


def test_standardised_features_can_be_of_any_scale() -> None:
    features, queries = maps_of(6, (4, 6, 6)), maps_of(2, (4, 6, 6), seed=1)
    expected = AsymmetricStudentTeacher(**SMALL).fit(features).anomaly_maps(queries)
    large = AsymmetricStudentTeacher(**SMALL).fit([values * 1024 for values in features])
    assert torch.allclose(large.anomaly_maps([values * 1024 for values in queries]), expected, rtol=1e-3)
    raw = AsymmetricStudentTeacher(**SMALL, standardise=False).fit(features)
    assert not torch.allclose(raw.anomaly_maps(queries), expected, rtol=1e-3)


@pytest.mark.parametrize("images", [1, 3])
def test_a_map_of_one_place_can_be_learned(images: int) -> None:
    detector = AsymmetricStudentTeacher(**SMALL).fit(maps_of(images, (4, 1, 1)))
    assert torch.isfinite(detector.image_scores(maps_of(2, (4, 1, 1), seed=1))).all()


def test_going_on_from_a_checkpoint_is_the_same_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_module, "SECONDS_BETWEEN_CHECKPOINTS", 0)
    features, queries = maps_of(9, (4, 5, 5)), maps_of(2, (4, 5, 5), seed=1)
    expected = AsymmetricStudentTeacher(**SMALL).fit(features)
    for until in (2, 5, 99):  # in the teacher's training, in the student's, never
        told: list[float] = []

        def advance(share: float, told: list[float] = told, until: int = until) -> None:
            told.append(share)
            if len(told) == until:
                raise KeyboardInterrupt

        detector = AsymmetricStudentTeacher(**SMALL)
        detector.reset()
        detector.partial_fit(features)
        if until < 99:
            with pytest.raises(KeyboardInterrupt):
                detector.finalize(TrainingContext(tmp_path, advance))
    detector.finalize(TrainingContext(tmp_path, advance))
    assert sum(told) == pytest.approx(1)
    assert detector.teacher_losses_ == expected.teacher_losses_
    assert detector.student_losses_ == expected.student_losses_
    assert torch.equal(detector.anomaly_maps(queries), expected.anomaly_maps(queries))


def test_the_teacher_does_not_learn_from_the_student() -> None:
    pair = AsymmetricStudentTeacher(**SMALL)._made([(4, 5, 5)])
    pair(maps_of(3, (4, 5, 5))).square().mean().backward()
    assert all(values.grad is None for values in pair.teacher.parameters())
    assert all(values.grad is not None for values in pair.student.parameters())


def test_one_channel_cannot_be_split() -> None:
    with pytest.raises(FlawsightError, match="at least 2 channels"):
        AsymmetricStudentTeacher(**SMALL).fit(maps_of(3, (1, 4, 4)))


def test_maps_of_another_size_are_refused() -> None:
    detector = AsymmetricStudentTeacher(**SMALL).fit(maps_of(3, (4, 6, 6)))
    with pytest.raises(FlawsightError, match="image size"):
        detector.anomaly_maps(maps_of(1, (4, 8, 8)))


@pytest.mark.parametrize(
    "wrong",
    [{"couplings": 0}, {"blocks": -1}, {"encoding": 6}, {"clamp": 0}, {"score": "median"}, {"max_grid": 0}],
)
def test_parameters_that_make_no_sense(wrong: dict) -> None:
    with pytest.raises(FlawsightError, match=str(wrong.get("score", next(iter(wrong))))):
        AsymmetricStudentTeacher(**wrong).fit(maps_of(2, (4, 4, 4)))
