"""RealNet as a detector: its parameters, its training and its scores; the contract is tested elsewhere."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from flawsight.core import FlawsightError
from flawsight.detectors import RealNet
from flawsight.training import TrainingContext, loop


@pytest.mark.parametrize("reduction", ["afs", "random", "projection"])
@pytest.mark.parametrize("residuals", ["max&avg", "max", "avg", "all"])
def test_every_ablation_is_a_parameter(
    pictures: Callable, as_features: Callable, learned: Callable, reduction: str, residuals: str
) -> None:
    detector = learned(reduction=reduction, residuals=residuals, normalise_ranking=reduction == "random")
    queries = as_features(pictures(3, seed=1))
    assert torch.isfinite(detector.image_scores(queries)).all()
    assert [reduction.count for reduction in detector.network_.reductions] == [4, 6]
    assert detector.network_.kept == (10 if residuals == "all" else 3)
    restored = RealNet(**detector.get_params()).load_state_dict(detector.state_dict())
    assert torch.equal(restored.anomaly_maps(queries), detector.anomaly_maps(queries))


def test_the_pooled_score_averages_probabilities_over_windows(
    pictures: Callable, as_features: Callable, learned: Callable
) -> None:
    detector = learned(score="pooled")
    maps, scores = detector.maps_and_scores(as_features(pictures(2, seed=1)))
    windows = maps.sigmoid().unfold(1, 2, 1).unfold(2, 2, 1).mean((3, 4))  # 32 / 16 pixels wide
    assert detector.tags.image_score and torch.allclose(scores, windows.flatten(1).amax(1), atol=1e-6)


def test_gradients_add_up_over_parts_of_a_batch(pictures: Callable, as_features: Callable, learned: Callable) -> None:
    whole, parts = learned(micro_batch_size=None), learned(micro_batch_size=1)
    # Batch statistics differ, but of one training of six steps with the same pictures little more.
    assert parts.losses_ == pytest.approx(whole.losses_, rel=0.3)
    assert torch.isfinite(parts.image_scores(as_features(pictures(2)))).all()


def test_an_interrupted_training_goes_on(
    pictures: Callable, as_features: Callable, realnet: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    features = as_features(pictures(6))

    class Stop(Exception):
        pass

    def learn(training: TrainingContext) -> RealNet:
        detector = realnet()
        detector.reset()
        detector.partial_fit(features)
        return detector.finalize(training)

    told: list[float] = []

    def interrupt(share: float) -> None:
        told.append(share)
        if len(told) == 2:
            raise Stop

    expected = learn(TrainingContext()).state_dict()
    with monkeypatch.context() as patch, pytest.raises(Stop):
        patch.setattr(loop, "SECONDS_BETWEEN_CHECKPOINTS", 0.0)
        learn(TrainingContext(tmp_path / "t", interrupt))
    assert (tmp_path / "t" / "checkpoint.safetensors").exists()
    found = learn(TrainingContext(tmp_path / "t")).state_dict()
    assert all(torch.equal(values, found[name]) for name, values in expected.items())


def test_mixed_precision_gives_nearly_the_same(
    pictures: Callable, as_features: Callable, realnet: Callable, learned: Callable
) -> None:
    queries = as_features(pictures(3, seed=1))
    mixed = learned(mixed_precision=True)
    plain = realnet().load_state_dict(mixed.state_dict())
    found, expected = mixed.anomaly_maps(queries), plain.anomaly_maps(queries)
    assert found.dtype == torch.float32
    assert torch.allclose(found, expected, atol=0.1 * float(expected.abs().max()))


def test_what_to_do_where_a_gpu_is_too_small(learned: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise torch.cuda.OutOfMemoryError

    monkeypatch.setattr("flawsight.detectors.realnet.detector.train", full)
    with pytest.raises(FlawsightError, match=r"micro_batch_size=2.*size=medium"):
        learned(size="paper")


def test_errors(pictures: Callable, layers_of: Callable, as_features: Callable, realnet: Callable) -> None:
    with pytest.raises(FlawsightError, match="attach"):
        RealNet(**realnet().get_params()).fit(as_features(pictures(3)))
    with pytest.raises(FlawsightError, match="from 0 to 1"):
        realnet().fit([torch.full((2, 3, 32, 32), 2.0), *layers_of(pictures(2))])
    with pytest.raises(FlawsightError, match="names 3 layers"):
        realnet(channels=(2, 2, 2)).fit(as_features(pictures(3)))
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
            realnet(**bad).reset()
