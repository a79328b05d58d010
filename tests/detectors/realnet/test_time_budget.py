"""How large a RealNet a given time affords."""

from collections.abc import Callable

import pytest

import flawsight.detectors.realnet.time_budget as budgeting
from flawsight.core import FlawsightError
from flawsight.detectors import AnomalySynthesis, RealNet


def test_more_time_affords_more_steps_and_then_a_larger_preset(
    pictures: Callable, synthesis: AnomalySynthesis, as_features: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = {"small": 0.5, "medium": 4.0, "paper": 100.0}  # of a step of two pictures
    monkeypatch.setattr(budgeting, "_seconds_a_step", lambda detector, size, few: seconds[size])
    features = as_features(pictures(2))
    detector = RealNet(seed=3, retention=0.5).attach(synthesis)
    found = [budgeting.fit_to_time_budget(detector, features, budget) for budget in (200, 2000, 32_000, 800_000)]
    assert [(one.size, one.training_steps) for one in found] == [
        ("small", 100),
        ("small", 1000),
        ("medium", 1000),
        ("paper", 1000),
    ]
    with pytest.raises(FlawsightError, match=r"affords RealNet 30 steps.*4 times as long"):
        budgeting.fit_to_time_budget(detector, features, 60)
    assert all(one.seed == 3 and one.retention == 0.5 for one in found)
    assert detector.size == "small" and detector.training_steps == 1000


def test_time_is_really_measured(pictures: Callable, as_features: Callable, realnet: Callable) -> None:
    detector = realnet()
    features = as_features(pictures(2))
    assert budgeting._seconds_a_step(detector, "small", features) > 1e-6
