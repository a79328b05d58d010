"""The alarm keeps its promise, notices what changes and what not, and goes on from a file as if nothing had been."""

import json
from pathlib import Path

import numpy as np
import pytest

from flawsight.core import FlawsightError
from flawsight.metrics import p_values
from flawsight.monitoring import DriftAlarm

SIZE = 100


def stream(seed: int, count: int, share: float = 0.01, changed: int | None = None, by: float = 0.0) -> list[float]:
    """P-values by a calibration of its own; scores are `by` higher from picture `changed` on."""
    rng = np.random.default_rng(seed)
    calibration, scores = rng.normal(size=SIZE), rng.normal(size=count)
    scores[count if changed is None else changed :] += by
    scores[rng.uniform(size=count) < share] += 6
    return p_values(scores, calibration).tolist()


def alarm_of(rate: float = 0.01, **options: float) -> DriftAlarm:
    return DriftAlarm(rate, stops=1 / (SIZE + 1), calibration_size=SIZE, **options)  # type: ignore[arg-type]


def run(alarm: DriftAlarm, p_given: list[float]) -> DriftAlarm:
    for p_value in p_given:
        alarm.update(p_value)
    return alarm


@pytest.mark.parametrize("share", [0.0, 0.05])
def test_false_alarms_are_no_more_than_promised(share: float) -> None:
    """A rate of 20 %, so that a few hundred streams can tell; a plain jumper on these p-values alarms in most."""
    alarms = sum(run(alarm_of(0.2), stream(seed, 700, share)).drift is not None for seed in range(150))
    assert alarms / 150 <= 0.2


def test_the_promise_is_of_the_calibration_too() -> None:
    """The same with a calibration so unlucky that its threshold stops 4 % of good pictures where 1 % was stated."""
    p_given = np.random.default_rng(1).choice(
        np.arange(1, SIZE + 2) / (SIZE + 1), 8000, p=[0.04, *[0.96 / SIZE] * SIZE]
    )
    assert run(alarm_of(), p_given.tolist()).drift is None


@pytest.mark.parametrize(("by", "kind"), [(1.5, "higher"), (-1.5, "lower")])
@pytest.mark.parametrize("quiet", [300, 5000])
def test_a_change_is_noticed_with_its_direction_and_its_beginning(by: float, kind: str, quiet: int) -> None:
    found = run(alarm_of(), stream(3, quiet + 200, 0.01, quiet, by)).drift
    assert found is not None and found.kind == kind and found.picture <= quiet + 100
    assert abs(found.since - quiet) <= 20 and found.kind in found.text and f"{found.picture:,}" in found.text


def test_a_line_that_has_changed_before_the_first_picture_is_noticed() -> None:
    found = run(alarm_of(), stream(4, 400, 0.0, 0, 1.5)).drift
    assert found is not None and found.kind == "higher"


def test_a_camera_that_repeats_a_picture_is_noticed() -> None:
    p_given = stream(5, 500)
    found = run(alarm_of(), [*p_given, *[0.45] * 40]).drift
    assert found is not None and found.kind == "crowded" and found.picture < 530


def test_defective_parts_do_not_set_it_off_and_drift_does_not_hide_as_defects() -> None:
    alarm = run(alarm_of(), stream(6, 3000, 0.05))
    assert alarm.drift is None
    assert run(alarm, [1 / (SIZE + 1)] * 30).drift is not None and alarm.drift.kind == "stopped"  # type: ignore[union-attr]
    half = np.random.default_rng(0).uniform(size=4000) < 0.2
    p_given = np.where(half, 1 / (SIZE + 1), stream(7, 4000, 0.0))
    assert run(alarm_of(most_defective=0.3), p_given.tolist()).drift is None
    assert run(alarm_of(), p_given.tolist()).drift is not None


def test_an_alarm_stays() -> None:
    alarm = run(alarm_of(), stream(3, 600, 0.01, 300, 2.0))
    drift = alarm.drift
    assert drift is not None and run(alarm, stream(8, 500)).drift == drift and alarm.seen == 1100


@pytest.mark.parametrize("cut", [0, 1, 150, 320, 599])
def test_what_is_saved_goes_on_as_if_nothing_had_been(cut: int, tmp_path: Path) -> None:
    p_given = stream(9, 600, 0.02, 400, 0.5)
    one = run(alarm_of(), p_given[:cut])
    again = run(DriftAlarm.load(one.save(tmp_path / "drift.json")), p_given[cut:])
    assert again.to_json() == run(alarm_of(), p_given).to_json()
    assert [path.name for path in tmp_path.iterdir()] == ["drift.json"]


def test_what_is_kept_does_not_grow_without_end() -> None:
    rng = np.random.default_rng(0)
    assert len(json.loads(run(DriftAlarm(), rng.uniform(1e-9, 1, 15_000).tolist()).to_json())["counts"]) <= 10_000
    assert len(run(alarm_of(), stream(0, 3000)).to_json()) < 4000


@pytest.mark.parametrize("p_value", [0.0, -0.1, 1.1, float("nan"), float("inf")])
def test_what_is_no_p_value_is_refused(p_value: float) -> None:
    alarm = alarm_of()
    with pytest.raises(FlawsightError, match="p-value"):
        alarm.update(p_value)
    assert alarm.seen == 0


@pytest.mark.parametrize("options", [{"rate": 0.0}, {"rate": 1.0}, {"most_defective": 0.0}, {"most_defective": 1.5}])
def test_rates_lie_between_0_and_1(options: dict) -> None:
    with pytest.raises(FlawsightError, match="strictly between"):
        DriftAlarm(**options)


def test_a_threshold_may_stop_nothing_or_all() -> None:
    for stops in (1e-6, 1.0):
        assert run(DriftAlarm(stops=stops, calibration_size=30), stream(0, 200)).seen == 200


OTHER_BETS = {"money": [1.0], "grown": [1.0], "begun": [0], "steps": 1}


@pytest.mark.parametrize("change", [{"format": 2}, {"seen": "many"}, {"counts": {"500": 3}}, {"passed": OTHER_BETS}])
def test_a_damaged_state_is_refused(change: dict, tmp_path: Path) -> None:
    path = alarm_of().save(tmp_path / "drift.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(FlawsightError):
        DriftAlarm.load(path)
    with pytest.raises(FlawsightError):
        DriftAlarm.from_json(path.read_text())


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FlawsightError, match=r"no\.json"):
        DriftAlarm.load(tmp_path / "no.json")
