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

from flawsight.core import FlawsightError
from flawsight.detectors import Detector, PatchCore
from flawsight.features import Extractor, Layer
from flawsight.metrics import aupro
from flawsight.scoring.maps import upsample
from flawsight.selection import (
    AUTO_KINDS,
    Candidate,
    LayerSelection,
    Metrics,
    Trial,
    criterion,
    defect_kinds,
    depths,
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
    return [(c.layer, c.criterion, c.weight) for c in selection.selected_]


def figures(selection: LayerSelection) -> dict:
    return {(t.stage, t.candidate): t.figures for t in selection.trials_}


def by(layer: str) -> Candidate:
    return Candidate(layer, "patchcore")


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
        found = figures(exhaustive)["full", by(name)]["nsa"]
        assert found.auroc == pytest.approx(roc_auc_score(labels, [one.max() for one in squares]))
        assert found.aupro == pytest.approx(aupro(squares, truth, 0.3), abs=1e-3)
        assert found.p_h == pytest.approx(2 * found.auroc * found.aupro / (found.auroc + found.aupro))


def test_exhaustive_on_one_kind_is_the_argmax_of_p_h_over_all_layers(
    exhaustive: LayerSelection, network: Extractor
) -> None:
    rows = exhaustive.rows()
    best = max(row.p_h for row in rows)
    (choice,) = exhaustive.selected_
    assert choice.layer in {row.layer for row in rows if row.p_h == best}
    assert choice.weight == 1 and choice.detector == "patchcore"
    assert exhaustive.figures_["nsa"] == figures(exhaustive)["full", choice.candidate]["nsa"]
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
    assert [choice.layer for choice in alone.selected_] == ["blocks.3.0.bn2"]
    assert [(row.layer, row.same_as) for row in alone.rows()] == [("blocks.3.0.se", "blocks.3.0.bn2")]


def raced(coarse: dict[Candidate, float], strides: dict[str, float], most: int) -> list[Candidate]:
    """Who should be measured in full: of each depth the best, as far as within the margin of the very best.

    `most` of a depth, an equal part of them by each detector.
    """
    names = {one.detector for one in coarse}
    kept = set()
    for low, high in ((0, 6), (6, 12), (12, 99)):
        for detector in names:
            team = [one for one in coarse if low <= strides[one.layer] < high and one.detector == detector]
            best = sorted(team, key=lambda one: coarse[one], reverse=True)[: max(1, most // len(names))]
            kept |= {one for one in best if coarse[best[0]] - coarse[one] <= search.RACE_MARGIN}
    return [one for one in coarse if one in kept]


def test_auto_measures_all_coarsely_and_those_fully_that_may_be_the_best_of_their_depth(auto: LayerSelection) -> None:
    coarse = {t.candidate: criterion(t.figures) for t in auto.trials_ if t.stage == "coarse"}
    full = [t.candidate for t in auto.trials_ if t.stage == "full"]
    strides = {layer.name: layer.stride for layer in auto.layers_}
    assert list(coarse) == [by(layer.name) for layer in auto.layers_ if not layer.same_as]
    assert full == raced(coarse, strides, 2)
    assert {choice.candidate for choice in auto.selected_} <= set(full)
    assert sum(choice.weight for choice in auto.selected_) == pytest.approx(1)
    assert auto.untried_ == ()


STRIDES = (2, 4, 4, 4, 8, 8, 8, 16, 16, 32)
RIVALS = ("patchcore", "gaussian")


@given(
    st.lists(st.floats(0.05, 0.95), min_size=20, max_size=20, unique=True), st.integers(1, 5), st.sampled_from([1, 2])
)
def test_finalists(values: list[float], most: int, detectors: int) -> None:
    layers = [Layer(f"layer{n}", "conv", "block", 8, 64 // s, 64 // s, s, n) for n, s in enumerate(STRIDES)]
    candidates = [Candidate(layer.name, name) for layer in layers for name in RIVALS[:detectors]]
    trials = [
        Trial(candidate, "coarse", 0, {"nsa": Metrics(value, value)}, {}, {})
        for candidate, value in zip(candidates, values, strict=False)
    ]
    coarse = {trial.candidate: criterion(trial.figures) for trial in trials}
    found = search.survivors(trials, layers, most)
    assert found == raced(coarse, {layer.name: layer.stride for layer in layers}, most)
    assert 3 * detectors <= len(found) <= 3 * max(most, detectors)
    # With little time the same ones, and who may win comes first: the best of all, then the others' best.
    hurried = search.survivors(trials, layers, most, in_order=False)
    assert sorted(hurried) == sorted(found)
    assert hurried[0] == max(coarse, key=lambda one: coarse[one])
    first = hurried[: 3 * detectors]
    depth = depths(layers)
    assert len({(depth[one.layer], one.detector) for one in first}) == 3 * detectors
    assert [coarse[one] for one in first] == sorted((coarse[one] for one in first), reverse=True)


def test_only_full_trials_keep_maps_in_memory(auto: LayerSelection) -> None:
    assert all(bool(trial.maps) == (trial.stage == "full") for trial in auto.trials_)


def test_scores_are_kept_only_of_detectors_that_have_their_own(
    rivals: LayerSelection, exhaustive: LayerSelection
) -> None:
    for trial in (*rivals.trials_, *exhaustive.trials_):
        is_own = trial.stage == "full" and trial.candidate.detector == "scorer"
        assert list(trial.scores) == (["good", "nsa"] if is_own else [])


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
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Candidate]]:
    """Every trial that is really made."""
    made: list[tuple[str, Candidate]] = []
    original = search.run_trials

    def counted(extractor, candidates, *rest):  # type: ignore[no-untyped-def]
        for trial in original(extractor, candidates, *rest):
            made.append((trial.stage, trial.candidate))
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


RIVAL_LAYERS = "blocks.1.0.bn?,blocks.3.0.bn?"
SETTINGS = {"layers": RIVAL_LAYERS, "defects": "nsa", "seed": 3, "finalists": 6}


@pytest.fixture(scope="module")
def detectors(quick_detectors: dict) -> dict[str, Detector]:
    return {"distance": quick_detectors["distance"](), "scorer": quick_detectors["scorer"](channels=4)}


@pytest.fixture(scope="module")
def rivals(detectors: dict, network: Extractor, images: list[np.ndarray]) -> LayerSelection:
    """Two detectors searched together, one with its own image scores."""
    return LayerSelection(detectors, **SETTINGS).fit(network, images)


def test_every_detector_is_tried_on_every_layer(rivals: LayerSelection, detectors: dict) -> None:
    unique = [layer.name for layer in rivals.layers_ if not layer.same_as]
    expected = [(layer, name) for layer in unique for name in detectors]
    coarse = [trial.candidate for trial in rivals.trials_ if trial.stage == "coarse"]
    assert coarse == expected
    assert [(row.layer, row.detector) for row in rivals.rows()] == expected
    for row in rivals.rows():
        stage = "full" if ("full", (row.layer, row.detector)) in figures(rivals) else "coarse"
        found = figures(rivals)[stage, (row.layer, row.detector)]["nsa"]
        assert (row.stage, row.auroc, row.aupro, row.p_h) == (stage, found.auroc, found.aupro, found.p_h)


def test_figures_are_those_of_a_search_with_the_detector_alone(
    rivals: LayerSelection, detectors: dict, network: Extractor, images: list[np.ndarray]
) -> None:
    apart: dict = {}
    for name, detector in detectors.items():
        # A detector alone has all finalists of a depth to itself.
        alone = LayerSelection({name: detector}, **SETTINGS | {"finalists": 3}).fit(network, images)
        apart |= figures(alone)
        unnamed = LayerSelection(detector, **SETTINGS | {"finalists": 3}).fit(network, images)
        assert figures(unnamed) == figures(alone) and unnamed.selected_ == alone.selected_
    assert figures(rivals) == apart


def test_the_best_candidate_of_each_depth_wins(rivals: LayerSelection) -> None:
    value = {t.candidate: criterion(t.figures) for t in rivals.trials_ if t.stage == "full"}
    depth = depths([layer for layer in rivals.layers_ if not layer.same_as])
    for choice in rivals.selected_:
        assert value[choice.candidate] == max(v for one, v in value.items() if depth[one.layer] == choice.depth)
    assert max(value.values()) in [choice.criterion for choice in rivals.selected_]


def test_the_order_of_the_detectors_does_not_matter(
    rivals: LayerSelection, detectors: dict, network: Extractor, images: list[np.ndarray]
) -> None:
    value = [criterion(trial.figures) for trial in rivals.trials_ if trial.stage == "full"]
    assert len(set(value)) == len(value), "no ties, for they are decided by the order"
    other = LayerSelection(dict(reversed(detectors.items())), **SETTINGS).fit(network, images)
    assert figures(other) == figures(rivals)
    assert other.selected_ == rivals.selected_ and other.figures_ == rivals.figures_


def test_one_hopeless_detector_changes_nothing(
    rivals: LayerSelection, detectors: dict, network: Extractor, images: list[np.ndarray]
) -> None:
    class Inverted(type(detectors["distance"])):  # type: ignore[misc]
        def anomaly_maps(self, features):  # type: ignore[no-untyped-def]
            return -super().anomaly_maps(features)

    good = detectors["distance"]
    plain = SETTINGS | {"defects": "simple"}
    alone = LayerSelection(good, **plain | {"finalists": 3}).fit(network, images)
    both = LayerSelection({"distance": good, "inverted": Inverted()}, **plain).fit(network, images)
    assert both.selected_ == alone.selected_ and both.figures_ == alone.figures_


def test_own_scores_are_what_an_image_is_judged_by(
    rivals: LayerSelection, detectors: dict, network: Extractor, images: list[np.ndarray]
) -> None:
    """Figures of a trial and of the choices together, recomputed."""
    validation = rivals.validation_
    bad, masks = validation.bad["nsa"]
    measured = [*validation.good, *bad]
    labels = [0] * len(validation.good) + [1] * len(bad)
    total = np.zeros(len(measured))
    together = {choice.candidate: choice.weight for choice in rivals.selected_}
    full = [trial for trial in rivals.trials_ if trial.stage == "full"]
    assert {one.detector for one in together} == {"distance", "scorer"}, "else little is shown here"
    for trial in full:
        layer, name = trial.candidate
        with torch.inference_mode():
            detector = clone(detectors[name]).fit([network.extract(validation.train, [layer])[layer]])
            features = [network.extract(measured, [layer])[layer]]
            scores = detector.image_scores(features).numpy()
        if name == "distance":
            squares = np.concatenate([upsampled(trial.maps[part]) for part in ("good", "nsa")])
            scores = squares.max(axis=(1, 2))
        assert trial.figures["nsa"].auroc == pytest.approx(roc_auc_score(labels, scores))
        good = scores[: len(validation.good)]
        total += together.get(trial.candidate, 0) * (scores - good.mean()) / good.std()
    assert rivals.figures_["nsa"].auroc == pytest.approx(roc_auc_score(labels, total))
    fused = sum(
        together[trial.candidate] * np.concatenate([upsampled(trial.maps[part]) for part in ("good", "nsa")])
        for trial in full
        if trial.candidate in together
    )
    small = [cv2.resize(mask.astype(np.float32), (32, 32), interpolation=cv2.INTER_AREA) for mask in masks]
    truth = [np.zeros((32, 32), bool)] * len(validation.good) + [one >= min(0.5, one.max()) for one in small]
    assert rivals.figures_["nsa"].aupro == pytest.approx(aupro(list(fused), truth, 0.3), abs=1e-3)


def upsampled(maps: np.ndarray) -> np.ndarray:
    return np.stack([upsample(one, 32) for one in maps])


def test_a_killed_search_of_several_goes_on_where_it_stopped(
    rivals: LayerSelection, network: Extractor, images: list[np.ndarray], tmp_path: Path, calls: list
) -> None:
    with pytest.raises(Killed):
        clone(rivals).fit(network, images, tmp_path, "these", KillAfter(3))
    first = list(calls)
    assert {candidate.detector for _, candidate in first} == {"distance", "scorer"}
    calls.clear()
    again = clone(rivals).fit(network, images, tmp_path, "these")
    assert calls and not set(calls) & set(first) and sorted(first + calls) == sorted(figures(rivals))
    assert figures(again) == figures(rivals)
    assert again.selected_ == rivals.selected_ and again.figures_ == rivals.figures_
    calls.clear()
    stored = clone(rivals).fit(network, images, tmp_path, "these")
    assert calls == [] and stored.figures_ == rivals.figures_
    for one, other in zip(stored.trials_, rivals.trials_, strict=True):
        assert one.candidate == other.candidate and one.figures == other.figures
        for values, expected in ((one.maps, other.maps), (one.scores, other.scores)):
            assert values.keys() == expected.keys()
            assert all(np.array_equal(values[kind], expected[kind]) for kind in expected)


def test_a_trial_of_one_detector_is_not_taken_for_anothers(
    detectors: dict, network: Extractor, images: list[np.ndarray], tmp_path: Path, calls: list
) -> None:
    """Neither by its name nor, under one name, by its parameters or type."""
    one, other = detectors["distance"], detectors["scorer"]
    settings = SETTINGS | {"layers": "blocks.3.0.bn3", "search": "exhaustive"}
    named = [{"distance": one}, {"scorer": other}, {"distance": other}, {"distance": clone(one).set_params(power=1.0)}]
    for given_detectors in (*named, named[0] | named[1]):
        calls.clear()
        found = LayerSelection(given_detectors, **settings).fit(network, images, tmp_path, "these")
        assert [candidate.detector for _, candidate in calls] == list(given_detectors)
        fresh = LayerSelection(given_detectors, **settings).fit(network, images)
        assert figures(found) == figures(fresh)


def test_checkpoints_are_gone_once_a_trial_is_done(
    quick_detectors: dict, network: Extractor, images: list[np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = SETTINGS | {"layers": "blocks.3.0.bn?"}
    trained = {"trained": quick_detectors["trained"]()}

    def pulled(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("flawsight.selection.trials.map_images", pulled)
        with pytest.raises(Killed):
            LayerSelection(trained, **settings).fit(network, images, tmp_path)
    kept = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("checkpoint.safetensors"))
    assert kept == [f"coarse-trained-blocks.3.0.bn{n}/checkpoint.safetensors" for n in (1, 2, 3)]
    monkeypatch.setattr(quick_detectors["trained"], "epochs_made", 0)
    found = LayerSelection(trained, **settings).fit(network, images, tmp_path)
    full = sum(trial.stage == "full" for trial in found.trials_)
    assert quick_detectors["trained"].epochs_made == 3 * full, "those of the coarse round were there"
    assert not [path for path in tmp_path.iterdir() if path.is_dir()]
    assert figures(found) == figures(LayerSelection(trained, **settings).fit(network, images))


def test_a_detector_of_pictures_has_no_layers_to_choose(
    quick_detectors: dict, network: Extractor, images: list[np.ndarray]
) -> None:
    with pytest.raises(FlawsightError, match="'pictures' reads pictures"):
        LayerSelection({"pictures": quick_detectors["pictures"]()}).fit(network, images)
