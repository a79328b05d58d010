"""An inspector's alarm: begun from its calibration, gone on with from a file, and never mixed with another's."""

from pathlib import Path

import pytest

from flawsight.bundle import revised
from flawsight.core import FlawsightError
from flawsight.inspection import Inspector, ResultRow, drift_alarm, follow, open_drift


def row(p_value: float | None) -> ResultRow:
    return ResultRow("a.png", None if p_value is None else 1.0, p_value, "error" if p_value is None else "good")


def changed(inspector: Inspector, **change: object) -> Inspector:
    manifest = revised(inspector.manifest, "A. Smith", "2026-01-07T09:30:00+00:00", "a test", **change)  # type: ignore
    return Inspector(inspector.backend, manifest)


def test_it_is_begun_from_the_operating_point(fitted: Inspector) -> None:
    alarm, point = drift_alarm(fitted, 0.02, 0.1), fitted.manifest.operating_point
    assert (alarm.rate, alarm.most_defective, alarm.stops) == (0.02, 0.1, point.rate)
    assert alarm.calibration_size == point.calibration_size == len(fitted.manifest.calibration.scores)


def test_a_file_is_made_and_gone_on_with(fitted: Inspector, tmp_path: Path) -> None:
    path = tmp_path / "drift.json"
    for inspections in range(1, 4):
        alarm = open_drift(path, drift_alarm(fitted))
        follow(alarm, [row(0.5), row(None), row(0.7)])
        alarm.save(path)
        assert open_drift(path, drift_alarm(fitted)).seen == 2 * inspections


def test_the_alarm_of_another_bundle_or_threshold_is_refused(fitted: Inspector, tmp_path: Path) -> None:
    path = tmp_path / "drift.json"
    open_drift(path, drift_alarm(fitted))
    before = path.read_bytes()
    for other in (changed(fitted, threshold=fitted.threshold * 1.5), changed(fitted, judged="A")):
        with pytest.raises(FlawsightError, match=r"drift\.json' belongs to another bundle.*name another file"):
            open_drift(path, drift_alarm(other))
    with pytest.raises(FlawsightError, match=r"drift rate of 0\.01, not 0\.05"):
        open_drift(path, drift_alarm(fitted, rate=0.05))
    with pytest.raises(FlawsightError, match=r"most defective of 0\.05, not 0\.2"):
        open_drift(path, drift_alarm(fitted, most_defective=0.2))
    assert path.read_bytes() == before


@pytest.mark.parametrize("text", ["", "{}", "[1]", "\x00"])
def test_what_is_no_state_is_refused_by_name(fitted: Inspector, tmp_path: Path, text: str) -> None:
    (tmp_path / "drift.json").write_text(text)
    with pytest.raises(FlawsightError, match=r"drift\.json"):
        open_drift(tmp_path / "drift.json", drift_alarm(fitted))
