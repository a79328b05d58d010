"""Several detectors searched together: each layer and detector is a candidate."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.metrics import roc_auc_score

from flawsight.detectors import Detector
from flawsight.features import Extractor
from flawsight.metrics import aupro
from flawsight.scoring.maps import upsample
from flawsight.selection import (
    Candidate,
    LayerSelection,
    criterion,
    depths,
)


class PulledError(Exception):
    pass


def figures(selection: LayerSelection) -> dict:
    return {(t.stage, t.candidate): t.figures for t in selection.trials_}


def test_scores_are_kept_only_of_detectors_that_have_their_own(
    rivals: LayerSelection, exhaustive: LayerSelection
) -> None:
    for trial in (*rivals.trials_, *exhaustive.trials_):
        is_own = trial.stage == "full" and trial.candidate.detector == "scorer"
        assert list(trial.scores) == (["good", "nsa"] if is_own else [])


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
    expected = [Candidate(layer, name) for layer in unique for name in detectors]
    coarse = [trial.candidate for trial in rivals.trials_ if trial.stage == "coarse"]
    assert coarse == expected
    assert [Candidate(row.layer, row.detector) for row in rivals.results()] == expected
    for row in rivals.results():
        candidate = Candidate(row.layer, row.detector)
        stage = "full" if ("full", candidate) in figures(rivals) else "coarse"
        found = figures(rivals)[stage, candidate]["nsa"]
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
        layer, name, _ = trial.candidate
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
    rivals: LayerSelection, network: Extractor, images: list[np.ndarray], tmp_path: Path, calls: list, kill_after: type
) -> None:
    with pytest.raises(kill_after.Killed):
        clone(rivals).fit(network, images, tmp_path, "these", kill_after(3))
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
        raise PulledError

    with monkeypatch.context() as patch:
        patch.setattr("flawsight.selection.trials.predict_raw", pulled)
        with pytest.raises(PulledError):
            LayerSelection(trained, **settings).fit(network, images, tmp_path)
    kept = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("checkpoint.safetensors"))
    assert kept == [f"coarse-trained-blocks.3.0.bn{n}/checkpoint.safetensors" for n in (1, 2, 3)]
    monkeypatch.setattr(quick_detectors["trained"], "epochs_made", 0)
    found = LayerSelection(trained, **settings).fit(network, images, tmp_path)
    full = sum(trial.stage == "full" for trial in found.trials_)
    assert quick_detectors["trained"].epochs_made == 3 * full, "those of the coarse round were there"
    assert not [path for path in tmp_path.iterdir() if path.is_dir()]
    assert figures(found) == figures(LayerSelection(trained, **settings).fit(network, images))
