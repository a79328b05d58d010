"""The search: figures against an independent recomputation, paper A's rule, the coarse and full rounds, resuming."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.metrics import roc_auc_score

from flawsight.detectors import PatchCore
from flawsight.errors import FlawsightError
from flawsight.features import Extractor, Layer
from flawsight.metrics import aupro
from flawsight.selection import (
    AUTO_KINDS,
    Figures,
    LayerSelection,
    Trial,
    criterion,
    defect_kinds,
    make_validation_set,
    search,
)

LAYERS = "blocks.1.0.*,blocks.3.0.*"
DETECTOR = PatchCore(bank_size=100)


@pytest.fixture(scope="module")
def images(texture: Callable) -> list[np.ndarray]:
    return [cv2.resize(texture(seed), (64, 64), interpolation=cv2.INTER_AREA) for seed in range(20)]


@pytest.fixture(scope="module")
def exhaustive(network: Extractor, images: list[np.ndarray]) -> LayerSelection:
    return LayerSelection(DETECTOR, LAYERS, "nsa", "exhaustive", fuse=1, seed=3).fit(network, images)


@pytest.fixture(scope="module")
def auto(network: Extractor, images: list[np.ndarray]) -> LayerSelection:
    return LayerSelection(DETECTOR, LAYERS, "nsa,simple", finalists=2, seed=3).fit(network, images)


def chosen(selection: LayerSelection) -> list[tuple[str, float, float]]:
    return [(c.layer, c.criterion, c.weight) for c in selection.choices_]


def figures(selection: LayerSelection) -> dict:
    return {(t.stage, t.layer): t.figures for t in selection.trials_}


def test_figures_equal_an_independent_recomputation(
    exhaustive: LayerSelection, network: Extractor, images: list[np.ndarray]
) -> None:
    validation = make_validation_set(images, ("nsa",), 3)
    bad, masks = validation.bad["nsa"]
    for name in ("blocks.1.0.bn2", "blocks.3.0.conv_pwl"):
        with torch.inference_mode():
            train = network.extract(validation.train, [name])[name]
            detector = clone(DETECTOR).fit([train])
            maps = detector.anomaly_maps([network.extract([*validation.good, *bad], [name])[name]]).numpy()
        # Surprise: minus the log of the share of good pixels that reach a value; here from sorted ranks.
        good = np.sort(maps[: len(validation.good)].ravel())
        levels = np.linspace(0, -np.log(0.005), 64)
        knots = good[((1 - np.exp(-levels)) * (good.size - 1)).astype(int)].astype(float)
        tail = (good[good > knots[-1]] - knots[-1]).mean(dtype=float)
        surprise = np.interp(maps, knots, levels) + np.maximum(maps - knots[-1], 0) / tail
        squares = [
            cv2.GaussianBlur(cv2.resize(one.astype(np.float32), (64, 64)), (0, 0), 1, borderType=cv2.BORDER_REFLECT)
            for one in surprise
        ]
        labels = [0] * len(validation.good) + [1] * len(bad)
        truth = [np.zeros((64, 64), bool)] * len(validation.good) + list(masks)
        found = figures(exhaustive)["full", name]["nsa"]
        assert found.auroc == pytest.approx(roc_auc_score(labels, [one.max() for one in squares]))
        assert found.aupro == pytest.approx(aupro(squares, truth, 0.3), abs=1e-3)
        assert found.p_h == pytest.approx(2 * found.auroc * found.aupro / (found.auroc + found.aupro))


def test_exhaustive_on_one_kind_is_the_argmax_of_p_h_over_all_layers(
    exhaustive: LayerSelection, network: Extractor
) -> None:
    rows = exhaustive.rows()
    best = max(row.p_h for row in rows)
    (choice,) = exhaustive.choices_
    assert choice.layer in {row.layer for row in rows if row.p_h == best}
    assert choice.weight == 1
    assert exhaustive.figures_["nsa"] == figures(exhaustive)["full", choice.layer]["nsa"]
    in_catalogue = [layer.name for layer in network.layers if layer.name.startswith(("blocks.1.0.", "blocks.3.0."))]
    assert [row.layer for row in rows] == in_catalogue


def test_rows_hold_every_layer_and_kind_and_repeats_share_a_trial(auto: LayerSelection, network: Extractor) -> None:
    rows = auto.rows()
    names = [layer.name for layer in network.layers if layer.name.startswith(("blocks.1.0.", "blocks.3.0."))]
    assert [(row.layer, row.defects) for row in rows] == [(name, kind) for name in names for kind in ("nsa", "simple")]
    by_name = {(row.layer, row.defects): row for row in rows}
    repeats = [row for row in rows if row.same_as]
    assert {row.layer for row in repeats} == {f"blocks.{b}.0.{n}" for b in (1, 3) for n in ("aa", "se")}
    for row in repeats:
        source = by_name[row.same_as, row.defects]
        assert (row.auroc, row.aupro, row.seconds) == (source.auroc, source.aupro, source.seconds)
        assert row.layer not in {trial.layer for trial in auto.trials_}
    full = {trial.layer for trial in auto.trials_ if trial.stage == "full"}
    assert {row.stage == "full" for row in rows if (row.same_as or row.layer) in full} == {True}
    assert {row.stage for row in rows if (row.same_as or row.layer) not in full} == {"coarse"}
    assert all(0 <= value <= 1 for row in rows for value in (row.auroc, row.aupro, row.p_h))
    assert all(row.seconds > 0 for row in rows)


def test_a_repeat_that_is_named_alone_brings_its_source(network: Extractor, images: list[np.ndarray]) -> None:
    alone = LayerSelection(DETECTOR, "blocks.3.0.se", "simple", "exhaustive", fuse=1).fit(network, images)
    assert [choice.layer for choice in alone.choices_] == ["blocks.3.0.bn2"]
    assert [(row.layer, row.same_as) for row in alone.rows()] == [("blocks.3.0.se", "blocks.3.0.bn2")]


def raced(coarse: dict[str, float], strides: dict[str, float], most: int) -> list[str]:
    """Who should be measured in full: the `most` best of each depth, as far as within the margin of the very best."""
    kept = set()
    for low, high in ((0, 6), (6, 12), (12, 99)):
        team = [name for name in coarse if low <= strides[name] < high]
        best = sorted(team, key=lambda name: coarse[name], reverse=True)[:most]
        kept |= {name for name in best if coarse[best[0]] - coarse[name] <= search.RACE_MARGIN}
    return [name for name in coarse if name in kept]


def test_auto_measures_all_coarsely_and_those_fully_that_may_be_the_best_of_their_depth(auto: LayerSelection) -> None:
    coarse = {t.layer: criterion(t.figures) for t in auto.trials_ if t.stage == "coarse"}
    full = [t.layer for t in auto.trials_ if t.stage == "full"]
    strides = {layer.name: layer.stride for layer in auto.layers_}
    assert list(coarse) == [layer.name for layer in auto.layers_ if not layer.same_as]
    assert full == raced(coarse, strides, 2)
    assert {choice.layer for choice in auto.choices_} <= set(full)
    assert sum(choice.weight for choice in auto.choices_) == pytest.approx(1)


STRIDES = (2, 4, 4, 4, 8, 8, 8, 16, 16, 32)


@given(st.lists(st.floats(0.05, 0.95), min_size=10, max_size=10, unique=True), st.integers(1, 5))
def test_finalists(values: list[float], most: int) -> None:
    layers = [Layer(f"layer{n}", "conv", "block", 8, 64 // s, 64 // s, s, n) for n, s in enumerate(STRIDES)]
    trials = [
        Trial(layer.name, "coarse", 0, {"nsa": Figures(value, value)}, {})
        for layer, value in zip(layers, values, strict=True)
    ]
    coarse = {trial.layer: criterion(trial.figures) for trial in trials}
    found = [layer.name for layer in search._finalists(trials, layers, most)]
    assert found == raced(coarse, {layer.name: layer.stride for layer in layers}, most)
    assert 3 <= len(found) <= 3 * most


def test_only_full_trials_keep_maps_in_memory(auto: LayerSelection) -> None:
    assert all(bool(trial.maps) == (trial.stage == "full") for trial in auto.trials_)


def test_one_seed_one_choice(auto: LayerSelection, network: Extractor, images: list[np.ndarray]) -> None:
    again = clone(auto).fit(network, images)
    assert chosen(again) == chosen(auto)
    assert figures(again) == figures(auto)
    assert again.figures_ == auto.figures_


def test_at_most_so_many_images_are_used(network: Extractor, images: list[np.ndarray]) -> None:
    selection = LayerSelection(DETECTOR, "blocks.3.0.bn3", "simple", max_images=12).fit(network, images)
    assert selection.images_used_ == 12
    everyone = LayerSelection(DETECTOR, "blocks.3.0.bn3", "simple", "exhaustive", max_images=12).fit(network, images)
    assert everyone.images_used_ == 20


class Killed(Exception):
    """The plug is pulled."""


class KillAfter:
    """Progress that pulls the plug after so many trials of the full round."""

    def __init__(self, trials: int) -> None:
        self.left = trials

    @contextmanager
    def stage(self, name: str, total: int) -> Iterator[Callable[[int], None]]:
        def advance(count: int) -> None:
            if count == 1 and name.startswith("Measuring"):
                self.left -= 1
                if self.left < 0:
                    raise Killed

        yield advance


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Every trial that is really made."""
    made: list[tuple[str, str]] = []
    original = search.run_trials

    def counted(extractor, validation, layers, *rest):  # type: ignore[no-untyped-def]
        for trial in original(extractor, validation, layers, *rest):
            made.append((trial.stage, trial.layer))
            yield trial

    monkeypatch.setattr(search, "run_trials", counted)
    return made


def test_a_killed_search_goes_on_where_it_stopped(
    auto: LayerSelection, network: Extractor, images: list[np.ndarray], tmp_path: Path, calls: list
) -> None:
    with pytest.raises(Killed):
        clone(auto).fit(network, images, tmp_path, "these", KillAfter(2))
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
    path = tmp_path / "full-blocks.3.0.bn2.npz"
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
        np.savez(path, header=np.array('{"layer": "blocks.3.0.bn2", "stage": "full"}'))
    calls.clear()
    again = finished()
    assert calls == [("full", "blocks.3.0.bn2")]
    assert figures(again) == expected


@pytest.mark.parametrize("limit", [3 << 30, 1 << 40])
def test_another_limit_of_memory_keeps_old_trials(finished: Callable, tmp_path: Path, calls: list, limit: int) -> None:
    first = finished()
    written = {path: path.read_bytes() for path in tmp_path.iterdir()}
    assert len(written) == 4
    again = finished(max_memory=limit)
    assert calls == []
    assert chosen(again) == chosen(first) and again.rows() == first.rows()
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
    ],
)
def test_other_settings_discard_old_trials(finished: Callable, tmp_path: Path, calls: list, settings: dict) -> None:
    calls.clear()
    finished()
    assert calls == []
    (tmp_path / "full-elsewhere.npz").write_bytes(b"old")
    finished(**settings)
    assert sorted(layer for _, layer in calls) == [f"blocks.3.0.bn{n}" for n in (1, 2, 3)]
    assert not (tmp_path / "full-elsewhere.npz").exists()


def test_a_half_written_trial_is_not_believed(finished: Callable, tmp_path: Path, calls: list) -> None:
    path = tmp_path / "full-blocks.3.0.bn1.npz"
    path.replace(path.with_suffix(".part"))
    calls.clear()
    finished()
    assert calls == [("full", "blocks.3.0.bn1")]


def test_a_trial_appears_whole_or_not_at_all(
    network: Extractor, images: list[np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pulled(file: BinaryIO, **_: object) -> None:
        file.write(b"PK half a trial")
        raise Killed

    monkeypatch.setattr(np, "savez", pulled)
    with pytest.raises(Killed):
        LayerSelection(DETECTOR, "blocks.3.0.bn3", "simple").fit(network, images, tmp_path)
    assert not list(tmp_path.glob("*.npz"))


def test_kinds() -> None:
    assert defect_kinds("auto") == AUTO_KINDS
    assert defect_kinds(" simple , nsa,simple") == ("simple", "nsa")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"defects": "nsa,nonsuch"}, r"'nonsuch'.*cutpaste"),
        ({"defects": ""}, "unknown kind"),
        ({"search": "quick"}, "'quick'.*auto or exhaustive"),
        ({"layers": "blocks.3.0.bnn2"}, r"blocks\.3\.0\.bn2"),
    ],
)
def test_unknown_names(network: Extractor, images: list[np.ndarray], settings: dict, message: str) -> None:
    with pytest.raises(FlawsightError, match=message):
        LayerSelection(DETECTOR, **settings).fit(network, images)
