"""The demo: nothing it judges by was learned from."""

from collections.abc import Callable
from pathlib import Path

import pytest


def test_the_demo_holds_out_what_it_judges_by() -> None:
    pytest.importorskip("elpv_dataset")
    from flawsight.cli.demo import GOOD_TO_LEARN, HELD_OUT_EACH, _cells

    learn, good, defective = _cells()
    assert (len(learn), len(good), len(defective)) == (GOOD_TO_LEARN, HELD_OUT_EACH, HELD_OUT_EACH)
    assert len({*learn, *good, *defective}) == GOOD_TO_LEARN + 2 * HELD_OUT_EACH
    assert all(path.is_file() for path in (*learn, *good, *defective))
    assert _cells() == (learn, good, defective)


def test_the_demo_without_its_pictures(flawsight: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda *_: None)
    flawsight("demo", "--out", tmp_path / "out").refused("flawsight[demo]")
