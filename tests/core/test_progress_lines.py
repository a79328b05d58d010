"""Progress as lines, for a log."""

import pytest

from flawsight.core import default_progress
from flawsight.core.progress import Lines


def test_lines_are_few_and_end_at_the_total(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FLAWSIGHT_PROGRESS", "lines")
    progress = default_progress()
    assert isinstance(progress, Lines)
    with progress.stage("Learning", 1000) as advance:
        for _ in range(1000):
            advance(1)
    with progress.stage("Nothing", 0):
        pass
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "Learning: 0 of 1000" and lines[-2:] == ["Learning: 1000 of 1000", "Nothing: 0 of 0"]
    assert len(lines) == Lines.FEWEST + 2


def test_without_it_a_pipe_stays_silent(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("FLAWSIGHT_PROGRESS", raising=False)
    with default_progress().stage("Learning", 10) as advance:
        advance(10)
    assert capsys.readouterr().err == ""
