"""A search goes on where it stopped, from trials that are whole and of the same settings."""

from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest
from sklearn.base import clone

from flawsight.detectors import PatchCore
from flawsight.features import Extractor
from flawsight.selection import (
    Candidate,
    LayerSelection,
)

DETECTOR = PatchCore(bank_size=100)


class PulledError(Exception):
    pass


def chosen(selection: LayerSelection) -> list[tuple[str, float, float]]:
    return [(c.layer, c.criterion, c.weight) for c in selection.selected_]


def figures(selection: LayerSelection) -> dict:
    return {(t.stage, t.candidate): t.figures for t in selection.trials_}


def by(layer: str) -> Candidate:
    return Candidate(layer, "patchcore")


def test_a_killed_search_goes_on_where_it_stopped(
    auto: LayerSelection, network: Extractor, images: list[np.ndarray], tmp_path: Path, calls: list, kill_after: type
) -> None:
    with pytest.raises(kill_after.Killed):
        clone(auto).fit(network, images, tmp_path, "these", kill_after(2))
    first = list(calls)
    written = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.npz")}
    assert len(written) == len(first) and len(first) == len(set(first))
    calls.clear()
    selection = clone(auto).fit(network, images, tmp_path, "these")
    assert calls and not set(calls) & set(first)
    assert sorted(first + calls) == sorted(figures(selection))
    assert all(path.stat().st_mtime_ns == time for path, time in written.items())
    assert figures(selection) == figures(auto)
    assert chosen(selection) == chosen(auto)
    assert selection.figures_ == auto.figures_


@pytest.fixture
def finished(network: Extractor, images: list[np.ndarray], tmp_path: Path) -> Callable[..., LayerSelection]:
    """A quick search with its trials on disk; call it again with other settings."""

    def fit(stamp: str = "these", **settings: object) -> LayerSelection:
        usual = {"detector": DETECTOR, "layers": "blocks.3.0.bn?", "defects": "simple", "search": "exhaustive"}
        return LayerSelection(**usual | settings).fit(network, images, tmp_path, stamp)

    fit()
    return fit


@pytest.mark.parametrize("damage", ["cut", "empty", "text", "byte", "no header", "no figures"])
def test_a_damaged_trial_is_made_again(finished: Callable, tmp_path: Path, calls: list, damage: str) -> None:
    expected = figures(finished())
    path = tmp_path / "full-patchcore-blocks.3.0.bn2.npz"
    whole = path.read_bytes()
    if damage == "cut":
        path.write_bytes(whole[: len(whole) // 2])
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "text":
        path.write_text("not a trial")
    elif damage == "byte":
        place = whole.index(b"seconds") if b"seconds" in whole else 400
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 255]) + whole[place + 1 :])
    elif damage == "no header":
        np.savez(path, other=np.zeros(3))
    else:
        np.savez(path, header=np.array('{"layer": "blocks.3.0.bn2", "detector": "patchcore", "stage": "full"}'))
    calls.clear()
    again = finished()
    assert calls == [("full", by("blocks.3.0.bn2"))]
    assert figures(again) == expected


@pytest.mark.parametrize("limit", [3 << 30, 1 << 40])
def test_another_limit_of_memory_keeps_old_trials(finished: Callable, tmp_path: Path, calls: list, limit: int) -> None:
    first = finished()
    written = {path: path.read_bytes() for path in tmp_path.iterdir()}
    assert len(written) == 4
    again = finished(max_memory=limit)
    assert calls == []
    assert chosen(again) == chosen(first) and again.results() == first.results()
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == written


@pytest.mark.parametrize(
    "settings",
    [
        {"seed": 1},
        {"defects": "cutpaste"},
        {"stamp": "others"},
        {"texture": False},
        {"max_images": 9},
        {"finalists": 9},
        {"fuse": 1},
        {"detector": PatchCore(bank_size=99)},
        {"detector": {"patchcore": PatchCore(bank_size=100, neighbours=3)}},
    ],
)
def test_other_settings_discard_old_trials(finished: Callable, tmp_path: Path, calls: list, settings: dict) -> None:
    calls.clear()
    finished()
    assert calls == []
    (tmp_path / "full-elsewhere.npz").write_bytes(b"old")
    (tmp_path / "full-trained-layer").mkdir()
    (tmp_path / "full-trained-layer" / "checkpoint.safetensors").write_bytes(b"old")
    finished(**settings)
    assert sorted(candidate.layer for _, candidate in calls) == [f"blocks.3.0.bn{n}" for n in (1, 2, 3)]
    assert not (tmp_path / "full-elsewhere.npz").exists() and not (tmp_path / "full-trained-layer").exists()


def test_a_half_written_trial_is_not_believed(finished: Callable, tmp_path: Path, calls: list) -> None:
    path = tmp_path / "full-patchcore-blocks.3.0.bn1.npz"
    path.replace(path.with_suffix(".part"))
    calls.clear()
    finished()
    assert calls == [("full", by("blocks.3.0.bn1"))]


def test_a_trial_appears_whole_or_not_at_all(
    network: Extractor, images: list[np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pulled(file: BinaryIO, **_: object) -> None:
        file.write(b"PK half a trial")
        raise PulledError

    monkeypatch.setattr(np, "savez", pulled)
    with pytest.raises(PulledError):
        LayerSelection(DETECTOR, "blocks.3.0.bn3", "simple").fit(network, images, tmp_path)
    assert not list(tmp_path.glob("*.npz"))
