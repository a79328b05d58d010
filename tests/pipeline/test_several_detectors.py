"""A fit that compares detectors, has little time, or is interrupted while it trains."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import flawsight as fs
from flawsight.detectors import make_detectors
from flawsight.settings import FitSettings

OPTIONS = {
    "image_size": 64, "device": "cpu", "false_alarm_rate": 0.1, "layers": "blocks.1.0.bn?,blocks.3.0.bn?",
    "defects": "nsa",
}  # fmt: skip
FIXED = {name: value for name, value in OPTIONS.items() if name not in ("layers", "defects")}


@pytest.fixture(scope="module", autouse=True)
def _registered(quick_detectors: dict) -> None:
    """The quick detectors have names here."""


def learned(folder: Path) -> dict:
    """All of a manifest but what says how the search went."""
    document = json.loads((folder / "inspector.json").read_text())
    del document["selection"]
    return document


def test_parameters_reach_the_detector_they_are_for() -> None:
    both = make_detectors("distance,scorer", {"channels": 5, "scorer.power": 1.0, "distance.seed": 9}, seed=4)
    assert list(both) == ["distance", "scorer"]
    assert both["distance"].get_params() == {"channels": 5, "power": 2.0, "seed": 9}
    assert both["scorer"].get_params() == {"channels": 5, "power": 1.0, "seed": 4}
    own = make_detectors("distance,scorer", {"channels": 5, "scorer.channels": 6}, seed=0)
    assert (own["distance"].channels, own["scorer"].channels) == (5, 6)  # type: ignore[attr-defined]
    # Common to those that have it: not every detector needs to.
    mixed = make_detectors("distance, trained", {"epochs": 2}, seed=0)
    assert mixed["trained"].epochs == 2 and "epochs" not in mixed["distance"].get_params()  # type: ignore[attr-defined]
    assert list(make_detectors("scorer,distance,scorer", {}, 0)) == ["scorer", "distance"]


@pytest.mark.parametrize(
    ("names", "parameters", "message"),
    [
        ("distance,scorer", {"bogus": 1}, "no parameter 'bogus'"),
        ("distance,scorer", {"scorer.bogus": 1}, "unknown parameter of the detector 'scorer' 'bogus'"),
        ("distance", {"scorer.channels": 1}, r"no parameter 'scorer\.channels'"),
        ("distance", {"nonsuch.channels": 1}, r"no parameter 'nonsuch\.channels'"),
        ("distance,scorrer", {}, "did you mean scorer"),
        ("", {}, "unknown detector ''"),
        ("distance,", {}, "unknown detector ''"),
        ("classifier", {}, "labelled defects"),
    ],
)
def test_what_nobody_has_is_refused(names: str, parameters: dict, message: str) -> None:
    with pytest.raises(fs.FlawsightError, match=message):
        make_detectors(names, parameters, 0)


def test_each_member_has_the_detector_that_was_chosen_with_its_layer(good_dir: Path, tmp_path: Path) -> None:
    parameters = {"power": 1.5, "scorer.channels": 12}
    options = {**OPTIONS, "detector": "distance,scorer", "detector_parameters": parameters}
    result = fs.run_fit(FitSettings.of({"good": good_dir, "out": tmp_path, **options}))
    inspector, selection = result.inspector, result.record.selection
    assert selection is not None
    assert {one.detector for one in selection.selected_} == {"distance", "scorer"}, "else little is shown here"
    members = json.loads((tmp_path / "inspector.json").read_text())["members"]
    for choice, member, written in zip(selection.selected_, inspector.backend.members, members, strict=True):
        assert member.layers == (choice.layer,) and member.weight == choice.weight
        expected = {"channels": 12 if choice.detector == "scorer" else 8, "power": 1.5, "seed": 0}
        assert (written["detector"]["name"], written["detector"]["parameters"]) == (choice.detector, expected)
        assert member.detector.get_params() == expected
    info = inspector.manifest.selection
    assert info is not None and info.detectors == ["distance", "scorer"] and info.untried == 0
    assert info.layers_tried == 6 and info.p_h == {"nsa": selection.figures_["nsa"].p_h}


def test_the_same_detector_alone_and_beside_a_hopeless_one(good_dir: Path, tmp_path: Path) -> None:
    """It is chosen, learned and calibrated as if it were alone, where the search had as many finalists."""
    options = OPTIONS | {"defects": "simple", "layers": "blocks.3.0.bn3"}
    alone = fs.fit(good_dir, tmp_path / "alone", **options, detector="distance")
    hopeless = {"scorer.channels": 1, "scorer.power": 0.0}
    both = fs.fit(good_dir, tmp_path / "both", **options, detector="scorer,distance", detector_parameters=hopeless)
    one, other = (learned(tmp_path / name) for name in ("alone", "both"))
    assert one.pop("settings") != other.pop("settings") and one == other
    assert both.threshold == alone.threshold


def test_a_tiny_budget_makes_an_inspector_and_says_what_was_left_out(
    good_dir: Path, tmp_path: Path, spoiled: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flawsight.selection.runner.TOGETHER", 2)
    inspector = fs.fit(good_dir, tmp_path, **OPTIONS, detector="distance,scorer", budget=1e-9)
    info = inspector.manifest.selection
    assert info is not None and info.untried >= 10
    assert fs.load(tmp_path, device="cpu").inspect(spoiled(1)).score == inspector.inspect(spoiled(1)).score


def test_a_large_budget_changes_nothing(good_dir: Path, tmp_path: Path) -> None:
    for name, budget in (("free", None), ("limited", 60.0)):
        fs.fit(good_dir, tmp_path / name, **OPTIONS, detector="distance,scorer", budget=budget)
    free, limited = ((tmp_path / name / "inspector.json").read_text() for name in ("free", "limited"))
    assert free == limited


class PulledError(Exception):
    """The plug is pulled."""


@pytest.mark.parametrize("how", [{"fixed_layers": [["blocks.3.0.bn3"], ["blocks.1.0.bn1"]]}, {}])
def test_trainings_go_on_where_they_stopped_and_checkpoints_vanish(
    good_dir: Path, quick_detectors: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: dict
) -> None:
    trained = quick_detectors["trained"]
    options = (FIXED if how else OPTIONS) | how | {"detector": "trained"}
    whole = fs.fit(good_dir, tmp_path / "whole", **options)
    assert not (tmp_path / "whole" / ".search").exists()

    def pulled(*_: object) -> None:
        raise PulledError

    with monkeypatch.context() as patch:
        patch.setattr("flawsight.pipeline.learn.find_held_out", pulled)
        with pytest.raises(PulledError):
            fs.fit(good_dir, tmp_path / "killed", **options)
    kept = list((tmp_path / "killed" / ".search").rglob("checkpoint.safetensors"))
    # For each member the final detector and those of two folds.
    assert len(kept) == 3 * len(whole.backend.members)
    assert sorted(path.parent.name for path in kept) == [
        f"{m}-{p}" for m in range(len(whole.backend.members)) for p in range(3)
    ]
    monkeypatch.setattr(trained, "epochs_made", 0)
    again = fs.fit(good_dir, tmp_path / "killed", **options)
    assert trained.epochs_made == 0
    assert learned(tmp_path / "killed") == learned(tmp_path / "whole")
    assert again.threshold == whole.threshold
    assert {path.name for path in (tmp_path / "killed").iterdir()} == {
        "inspector.json", "network.safetensors", "detectors.safetensors", "report.html",
        *(() if how else ("selection.csv",)),
    }  # fmt: skip


@pytest.mark.parametrize(
    "change",
    [{"seed": 1}, {"detector_parameters": {"epochs": 4}}, {"fixed_layers": [["blocks.3.0.bn2"]]}, {"image_size": 96}],
)
def test_checkpoints_of_another_training_are_not_taken(
    good_dir: Path, quick_detectors: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict
) -> None:
    options = FIXED | {"detector": "trained", "fixed_layers": [["blocks.3.0.bn3"]]}
    # The detector's own seed stays, so that what differs is only which images are held out.
    options |= {"detector_parameters": {"seed": 7}}
    few = sorted(good_dir.iterdir())[:9]
    changed = options | {"detector_parameters": {"seed": 7} | change.pop("detector_parameters", {})} | change
    expected = fs.fit(few, tmp_path / "expected", **changed)
    with monkeypatch.context() as patch:
        patch.setattr("flawsight.pipeline.learn.find_held_out", lambda *_: (_ for _ in ()).throw(PulledError))
        with pytest.raises(PulledError):
            fs.fit(few, tmp_path / "killed", **options)
    found = fs.fit(few, tmp_path / "killed", **changed)
    assert found.manifest.operating_point == expected.manifest.operating_point
    assert learned(tmp_path / "killed") == learned(tmp_path / "expected")
