"""RealNet's parts, each against its equation or a hand-made case; the contract is tested elsewhere."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import flawsight.detectors.realnet.time_budget as afforded_module
from flawsight.core import FlawsightError
from flawsight.detectors import AnomalySynthesis, RealNet
from flawsight.detectors.realnet.network import SIZES, RealNetwork, log_odds
from flawsight.detectors.realnet.pairs import SyntheticPairs
from flawsight.detectors.realnet.reconstruction import ReconstructionUNet
from flawsight.detectors.realnet.reduction import Reduction, channel_statistics
from flawsight.detectors.realnet.residuals import ResidualDiscriminator, selected, together
from flawsight.training import TrainingContext

QUICK = {"channels": (4, 6), "afs_pairs": 6, "pairs": 24, "training_steps": 6, "batch_size": 3}


def pictures(count: int, seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.integers(90, 120, (32, 32, 3)).astype(np.uint8) for _ in range(count)]


def network(images: list[np.ndarray]) -> list[Tensor]:
    """Means of the colours, and their differences, over 2 x 2 and 4 x 4 pixels."""
    values = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2) / 255
    values = torch.cat([values, values - values.roll(1, 1)], 1)
    return [torch.nn.functional.avg_pool2d(values, side) for side in (2, 4)]


def square(image: np.ndarray, rng: np.random.Generator, sources: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    mask = np.zeros((32, 32), bool)
    top, left = rng.integers(0, 24, 2)
    mask[top : top + 8, left : left + 8] = True
    return np.where(mask[..., None], np.uint8(230), image), mask


def impossible(image: np.ndarray, rng: np.random.Generator, sources: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    raise FlawsightError("no place for a defect")


SYNTHESIS = AnomalySynthesis(network, [square])


def as_features(images: list[np.ndarray]) -> list[Tensor]:
    return [torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2) / 255, *network(images)]


def fitted(**parameters: object) -> RealNet:
    return RealNet(**{**QUICK, **parameters}).attach(SYNTHESIS).fit(as_features(pictures(6)))


# RRS


def test_selection_keeps_exactly_the_top_channels() -> None:
    residuals = torch.rand(3, 10, 4, 5)
    residuals[:, 7, 0, 0], residuals[:, 2] = 9.0, residuals[:, 2] / 100  # the highest peak; the lowest of all
    for mode, figure in (("max", residuals.flatten(2).amax(2)), ("avg", residuals.flatten(2).mean(2))):
        found = selected(residuals, mode, 4)
        assert found.shape == (3, 4, 4, 5)
        for image in range(3):
            best = sorted(range(10), key=lambda channel: -float(figure[image, channel]))[:4]
            assert torch.equal(found[image], residuals[image, best])
    both = selected(residuals, "max&avg", 5)
    assert torch.equal(both, torch.cat([selected(residuals, "max", 3), selected(residuals, "avg", 2)], 1))
    assert selected(residuals, "all", 10) is residuals


def test_ranked_values_choose_and_raw_ones_are_kept() -> None:
    residuals = torch.rand(2, 6, 3, 3)
    assert torch.equal(selected(residuals, "max", 2, -residuals), selected(residuals, "max", 6, -residuals)[:, :2])
    least = (-residuals).flatten(2).amax(2).argmax(1)
    assert torch.equal(selected(residuals, "max", 1, -residuals)[:, 0], residuals[torch.arange(2), least])


def test_residuals_of_all_layers_come_together_on_the_finest_grid() -> None:
    fine, coarse = torch.rand(2, 3, 8, 8), torch.full((2, 4, 2, 2), 5.0)
    whole = together([coarse, fine])
    assert whole.shape == (2, 7, 8, 8)
    assert torch.equal(whole[:, 4:], fine) and torch.equal(whole[:, :4], torch.full((2, 4, 8, 8), 5.0))


# Networks


@pytest.mark.parametrize("attention", [True, False])
@pytest.mark.parametrize("shape", [(12, 16, 16), (5, 7, 9), (64, 1, 1), (8, 3, 2)])
def test_u_net_keeps_the_shape_and_begins_at_zero(shape: tuple[int, int, int], attention: bool) -> None:
    unet = ReconstructionUNet(shape[0], 8, attention)
    maps = torch.randn(2, *shape)
    assert torch.equal(unet(maps), torch.zeros(2, *shape))
    nn.init.ones_(unet.last[2].weight)
    assert unet(maps).shape == maps.shape and unet(maps).abs().sum() > 0


def test_u_net_learns_to_remove_what_does_not_belong() -> None:
    torch.manual_seed(0)
    unet = ReconstructionUNet(4, 8, attention=True)
    optimizer = torch.optim.Adam(unet.parameters(), 3e-3)
    clean = torch.linspace(-1, 1, 16).expand(8, 4, 16, 16)
    for _ in range(60):
        spoilt = clean.clone()
        spoilt[:, :, 4:8, 4:8] += torch.randn(8, 4, 1, 1)
        loss = (unet(spoilt) - clean).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 0.1 * clean.square().mean()


def test_discriminator_has_two_logits_at_twice_the_resolution() -> None:
    assert ResidualDiscriminator(9)(torch.rand(2, 9, 5, 7)).shape == (2, 2, 10, 14)


def test_log_odds_order_as_the_softmax_does() -> None:
    logits = torch.randn(3, 2, 4, 4)
    odds, probabilities = log_odds(logits), logits.softmax(1)[:, 1]
    assert torch.allclose(odds.sigmoid(), probabilities, atol=1e-6)


# Channels


def test_statistics_are_those_of_all_positions() -> None:
    maps = torch.randn(7, 3, 4, 5) * torch.tensor([1.0, 5.0, 0.0])[:, None, None] + 2
    ((mean, spread),) = channel_statistics([[maps[:4]], [maps[4:]]])
    assert torch.allclose(mean, maps.mean((0, 2, 3)), atol=1e-5)
    assert torch.allclose(spread[:2], maps.std((0, 2, 3), unbiased=False)[:2], rtol=1e-4)
    assert 0 < spread[2] < 0.05  # a channel that never changes


def test_reduction_standardises_and_chooses_or_projects() -> None:
    maps, mean, spread = torch.randn(2, 5, 4, 4), torch.arange(5.0), torch.tensor([1.0, 2, 4, 8, 16])
    standard = (maps - mean[:, None, None]) / spread[:, None, None]
    chosen = Reduction(None, mean, spread, chosen=torch.tensor([1, 4]))
    assert torch.allclose(chosen(maps), standard[:, [1, 4]]) and chosen.count == 2
    matrix = torch.randn(3, 5)
    projected = Reduction(2, mean, spread, matrix=matrix)
    assert projected(maps).shape == (2, 3, 2, 2) and projected.count == 3
    expected = torch.einsum("mc,nchw->nmhw", matrix, standard).unflatten(2, (2, 2)).unflatten(4, (2, 2)).mean((3, 5))
    assert torch.allclose(projected(maps), expected, atol=1e-5)


@pytest.mark.parametrize("reduction", ["afs", "random", "projection"])
@pytest.mark.parametrize("residuals", ["max&avg", "max", "avg", "all"])
def test_every_ablation_is_a_parameter(reduction: str, residuals: str) -> None:
    detector = fitted(reduction=reduction, residuals=residuals, normalise_ranking=reduction == "random")
    queries = as_features(pictures(3, seed=1))
    assert torch.isfinite(detector.image_scores(queries)).all()
    assert [reduction.count for reduction in detector.network_.reductions] == [4, 6]
    assert detector.network_.kept == (10 if residuals == "all" else 3)
    restored = RealNet(**detector.get_params()).load_state_dict(detector.state_dict())
    assert torch.equal(restored.anomaly_maps(queries), detector.anomaly_maps(queries))


def test_the_pooled_score_averages_probabilities_over_windows() -> None:
    detector = fitted(score="pooled")
    maps, scores = detector.maps_and_scores(as_features(pictures(2, seed=1)))
    windows = maps.sigmoid().unfold(1, 2, 1).unfold(2, 2, 1).mean((3, 4))  # 32 / 16 pixels wide
    assert detector.tags.image_score and torch.allclose(scores, windows.flatten(1).amax(1), atol=1e-6)


def test_presets_name_the_papers_channels() -> None:
    assert SIZES["paper"].channels == (256, 512, 512, 256)
    assert RealNet("paper")._counts(4) == [256, 512, 512, 256] and RealNet("small")._counts(2) == [16, 32]
    assert RealNet("small")._counts(6) == [16, 32, 48, 64, 64, 64]


# Pairs


def test_a_copy_is_by_its_seed_alone() -> None:
    images = pictures(4)
    copies, masks = SYNTHESIS.copies(images, [0, 1, 2], [5, 6, 7])
    again, same = SYNTHESIS.copies(images, [2, 0], [7, 5])
    assert np.array_equal(copies[2], again[0]) and np.array_equal(copies[0], again[1])
    assert torch.equal(masks[[2, 0]], same) and masks.flatten(1).sum(1).tolist() == [64, 64, 64]
    for copy, image, mask in zip(copies, images, masks.numpy(), strict=False):
        assert np.array_equal((copy != image).any(2), mask)


def test_where_no_defect_can_be_placed() -> None:
    images = pictures(3)
    some = AnomalySynthesis(network, [square, impossible])
    copies, masks = some.copies(images, [0] * 20, list(range(20)))
    untouched = [place for place, copy in enumerate(copies) if copy is images[0]]
    assert 0 < len(untouched) < 20 and not masks[untouched].any()
    with pytest.raises(FlawsightError, match="no place"):
        AnomalySynthesis(network, [impossible]).copies(images, [0, 1], [0, 1])


@pytest.mark.parametrize("pairs", [None, 12])
def test_triplets_are_pictures_with_and_without_their_defect(pairs: int | None) -> None:
    images = pictures(4)
    lessons = SyntheticPairs(images, SYNTHESIS, 0, pairs)
    rows = torch.tensor([2, 0, 3, 2, 1, 1])
    generator = torch.Generator().manual_seed(3)
    found = lessons.drawn(rows, 0.5, generator, list)
    for maps, expected in zip(found.normal, network([images[row] for row in rows]), strict=True):
        assert torch.equal(maps, expected)
    bad = found.masks.flatten(1).any(1)
    assert 0 < bad.sum() < 6
    assert all(torch.equal(a[~bad], b[~bad]) for a, b in zip(found.anomalous, found.normal, strict=True))
    fine = torch.nn.functional.avg_pool2d(found.masks[:, None].float(), 2)[:, 0] > 0
    assert torch.equal((found.anomalous[0] != found.normal[0]).any(1), fine)
    generator.manual_seed(3)
    again = lessons.drawn(rows, 0.5, generator, list)
    assert torch.equal(again.masks, found.masks) and torch.equal(again.anomalous[1], found.anomalous[1])


def test_pairs_are_made_once_or_ever_anew() -> None:
    made = []

    def counting(image: np.ndarray, rng: np.random.Generator, sources: list[np.ndarray]):
        made.append(1)
        return square(image, rng, sources)

    generator = torch.Generator().manual_seed(0)
    for pairs, at_most in ((8, 8), (None, 80)):
        made.clear()
        lessons = SyntheticPairs(pictures(4), AnomalySynthesis(network, [counting]), 0, pairs)
        for _ in range(20):
            lessons.drawn(torch.arange(4), 1.0, generator, list)
        assert len(made) == at_most


# Training


def test_gradients_add_up_over_parts_of_a_batch() -> None:
    whole, parts = fitted(micro_batch_size=None), fitted(micro_batch_size=1)
    # Batch statistics differ, but of one training of six steps with the same pictures little more.
    assert parts.losses_ == pytest.approx(whole.losses_, rel=0.3)
    assert torch.isfinite(parts.image_scores(as_features(pictures(2)))).all()


def test_an_interrupted_training_goes_on(tmp_path) -> None:
    features = as_features(pictures(6))

    class Stop(Exception):
        pass

    def learn(training: TrainingContext) -> RealNet:
        detector = RealNet(**QUICK).attach(SYNTHESIS)
        detector.reset()
        detector.partial_fit(features)
        return detector.finalize(training)

    told: list[float] = []

    def interrupt(share: float) -> None:
        told.append(share)
        if len(told) == 2:
            raise Stop

    expected = learn(TrainingContext()).state_dict()
    import flawsight.training.loop as training_module

    before = training_module.SECONDS_BETWEEN_CHECKPOINTS
    training_module.SECONDS_BETWEEN_CHECKPOINTS = 0.0
    try:
        with pytest.raises(Stop):
            learn(TrainingContext(tmp_path / "t", interrupt))
    finally:
        training_module.SECONDS_BETWEEN_CHECKPOINTS = before
    assert (tmp_path / "t" / "checkpoint.safetensors").exists()
    found = learn(TrainingContext(tmp_path / "t")).state_dict()
    assert all(torch.equal(values, found[name]) for name, values in expected.items())


def test_mixed_precision_gives_nearly_the_same() -> None:
    queries = as_features(pictures(3, seed=1))
    mixed = fitted(mixed_precision=True)
    plain = RealNet(**QUICK).load_state_dict(mixed.state_dict())
    found, expected = mixed.anomaly_maps(queries), plain.anomaly_maps(queries)
    assert found.dtype == torch.float32
    assert torch.allclose(found, expected, atol=0.1 * float(expected.abs().max()))


def test_inference_can_be_exported_without_control_flow_on_values() -> None:
    detector = fitted()
    maps = network(pictures(2, seed=1))

    class Alone(nn.Module):
        def __init__(self, network: RealNetwork) -> None:
            super().__init__()
            self.network = network

        def forward(self, fine: Tensor, coarse: Tensor) -> Tensor:
            return log_odds(self.network([fine, coarse]))

    program = torch.export.export(Alone(detector.network_), tuple(maps))
    others = network(pictures(2, seed=5))
    expected = detector.anomaly_maps([torch.zeros(2, 3, 32, 32), *others])
    assert torch.allclose(program.module()(*others), expected, atol=1e-5)


def test_what_to_do_where_a_gpu_is_too_small(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise torch.cuda.OutOfMemoryError

    monkeypatch.setattr("flawsight.detectors.realnet.detector.train", full)
    with pytest.raises(FlawsightError, match=r"micro_batch_size=2.*size=medium"):
        fitted(size="paper")


def test_errors() -> None:
    with pytest.raises(FlawsightError, match="attach"):
        RealNet(**QUICK).fit(as_features(pictures(3)))
    with pytest.raises(FlawsightError, match="from 0 to 1"):
        RealNet(**QUICK).attach(SYNTHESIS).fit([torch.full((2, 3, 32, 32), 2.0), *network(pictures(2))])
    with pytest.raises(FlawsightError, match="names 3 layers"):
        RealNet(**{**QUICK, "channels": (2, 2, 2)}).attach(SYNTHESIS).fit(as_features(pictures(3)))
    for bad in (
        {"size": "huge"},
        {"reduction": "pca"},
        {"residuals": "min"},
        {"score": "mean"},
        {"retention": 0.0},
        {"defect_share": 2.0},
        {"training_steps": 0},
        {"channels": (0, 1)},
    ):
        with pytest.raises(FlawsightError):
            RealNet(**{**QUICK, **bad}).reset()


# Budget


def test_more_time_affords_more_steps_and_then_a_larger_preset(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = {"small": 0.5, "medium": 4.0, "paper": 100.0}  # of a step of two pictures
    monkeypatch.setattr(afforded_module, "_seconds_a_step", lambda detector, size, few: seconds[size])
    features = as_features(pictures(2))
    detector = RealNet(seed=3, retention=0.5).attach(SYNTHESIS)
    found = [afforded_module.fit_to_time_budget(detector, features, budget) for budget in (200, 2000, 32_000, 800_000)]
    assert [(one.size, one.training_steps) for one in found] == [
        ("small", 100),
        ("small", 1000),
        ("medium", 1000),
        ("paper", 1000),
    ]
    with pytest.raises(FlawsightError, match=r"affords RealNet 30 steps.*4 times as long"):
        afforded_module.fit_to_time_budget(detector, features, 60)
    assert all(one.seed == 3 and one.retention == 0.5 for one in found)
    assert detector.size == "small" and detector.training_steps == 1000


def test_time_is_really_measured() -> None:
    detector = RealNet(**QUICK).attach(SYNTHESIS)
    features = as_features(pictures(2))
    assert afforded_module._seconds_a_step(detector, "small", features) > 1e-6
