"""Defects among the good pictures: found, named, left out, and never more than a share."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import flawsight as fs
from flawsight.bundle import read_manifest
from flawsight.metrics import operating_point
from flawsight.pipeline.plan import Plan
from flawsight.pipeline.trust import suspects
from flawsight.pipeline.trust.chance import expected
from flawsight.pipeline.trust.said import most_found, rate_if_good
from flawsight.pipeline.trust.suspects import MOST
from flawsight.settings import FitSettings

QUICK = {"image_size": 64, "device": "cpu", "false_alarm_rate": 0.1, "fixed_layers": "blocks.2.1.add"}


def test_of_good_pictures_few_are_expected_to_score_as_high_as_no_good_one_does() -> None:
    """Of sets of Gumbel's law one in fifty at most holds what is left out unasked."""
    rng = np.random.default_rng(0)
    for n in (16, 30, 100):
        found = np.array([expected(3 + 0.6 * rng.gumbel(size=n)).min() for _ in range(1000)])
        assert (found <= 0.01).mean() < 0.03 and 0.2 < np.median(found) < 1.5


@pytest.mark.parametrize("share", [0.02, 0.1, 0.2])
def test_defects_hardly_change_what_is_usual(share: float) -> None:
    rng = np.random.default_rng(1)
    good = 3 + 0.6 * rng.gumbel(size=100)
    mixed = np.concatenate([good[: round(100 * (1 - share))], np.full(round(100 * share), 12.0)])
    found = expected(mixed)
    assert (found[mixed == 12.0] < 0.01).all() and (found[mixed < 12.0] > 0.01).all()


def test_the_number_expected_falls_with_the_score_and_counts_all_for_the_lowest() -> None:
    scores = np.random.default_rng(2).gumbel(size=50)
    found = expected(scores)
    assert (np.diff(found[np.argsort(scores)]) <= 0).all() and found.max() <= 50
    assert expected(np.ones(20)).min() > 1  # all alike: none is odd
    assert np.isfinite(expected(np.array([-1e6, *scores]))).all()


@pytest.fixture(scope="module")
def mixed(good_dir: Path, spoiled: Callable, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 good pictures and 2 that show the same defect, which hides it from a detector that knows one of them."""
    folder = tmp_path_factory.mktemp("mixed") / "good"
    shutil.copytree(good_dir, folder)
    for number in range(2):
        Image.fromarray(spoiled(600 + number)).save(folder / f"bad{number}.png")
    return folder


@pytest.fixture(scope="module")
def found(mixed: Path) -> fs.FitResult:
    out = mixed.parent / "bundle"
    return fs.run_fit(FitSettings.of({"good": mixed, "out": out, "export": "none", "drop_suspects": True, **QUICK}))


def names(result: fs.FitResult) -> set[str]:
    return {one.path.name for one in result.record.suspects or () if one.is_left_out}


def test_defects_are_found_left_out_and_named(found: fs.FitResult, mixed: Path) -> None:
    assert names(found) >= {"bad0.png", "bad1.png"} and len(names(found)) <= MOST * 26
    listed = found.record.suspects or ()
    assert [one.expected for one in listed] == sorted(one.expected for one in listed)
    data = read_manifest(mixed.parent / "bundle").data
    assert data.images == 26 - len(names(found)) == len(found.record.images)
    assert {one.file for one in data.suspects if one.is_left_out} == names(found)
    (note,) = [note for note in found.record.notes if "as if they showed a defect" in note]
    assert "bad0.png" in note and "should they be good after all" in note


def test_the_report_shows_them_with_heat_maps_where_the_defect_is(found: fs.FitResult, mixed: Path) -> None:
    page = (mixed.parent / "bundle" / "report.html").read_text(encoding="utf-8")
    sheet = page.split('id="suspects"')[1].split("<h2")[0]
    assert all(name in sheet for name in names(found)) and sheet.count("<img") == 2 * len(found.record.suspects or ())
    assert str(mixed) not in page
    for one in found.record.suspects or ():
        if one.path.name.startswith("bad"):
            y, x = np.unravel_index(one.anomaly_map.argmax(), one.anomaly_map.shape)
            assert y > 0.6 * one.anomaly_map.shape[0] and x > 0.6 * one.anomaly_map.shape[1]


def test_pictures_that_were_left_out_are_shown_with_the_findings_about_them(found: fs.FitResult) -> None:
    """What the check of the pictures says is of all of them."""
    report = fs.pipeline.fit_report(found.inspector, found.record, Path("bundle"))
    for one in found.record.suspects or ():
        assert one.is_left_out and one.path not in found.record.images.paths
        shown = report.picture(one.path)
        assert shown is not None and shown.shape[1] * 80 == pytest.approx(shown.shape[0] * 96, abs=96)


def test_they_neither_hide_the_defect_nor_raise_the_threshold(
    found: fs.FitResult, mixed: Path, spoiled: Callable, good_dir: Path
) -> None:
    """As if they had not been there, but for good ones that went with them; where they are left in they do both."""
    before = fs.run_fit(FitSettings.of({"good": mixed, **QUICK}))
    clean = fs.run_fit(FitSettings.of({"good": good_dir, **QUICK}))
    new = [spoiled(700 + seed) for seed in range(6)]
    caught = [sum(one.inspector.inspect(image).is_defective for image in new) for one in (before, found, clean)]
    assert caught[1:] == [6, 6]
    assert before.record.suspects and not names(before) and before.inspector.manifest.data.images == 26
    most = most_found(before.inspector.manifest.operating_point, len(before.record.suspects))
    assert any(f"at most {most:.0%} of such defects are stopped" in note for note in before.record.notes)
    margin = [
        np.mean([one.inspector.inspect(image).score for image in new])
        - one.inspector.manifest.operating_point.threshold
        for one in (before, found, clean)
    ]
    assert margin[0] < 0.5 * margin[2] and margin[1] > 0.7 * margin[2]


def test_good_pictures_are_left_alone(good_dir: Path) -> None:
    result = fs.run_fit(FitSettings.of({"good": good_dir, **QUICK}))
    assert names(result) == set() and result.inspector.manifest.data.images == 24


def test_dropping_chooses_again_without_them(mixed: Path, fit_options: dict) -> None:
    options = {**fit_options, "defects": "simple", "drop_suspects": True}
    result = fs.run_fit(FitSettings.of({"good": mixed, **options}))
    assert names(result) >= {"bad0.png", "bad1.png"} and len(names(result)) <= MOST * 26
    selection = result.record.selection
    assert selection is not None and selection.images_used_ == 26 - len(names(result))


@pytest.mark.parametrize(
    ("options", "spent", "given"),
    [
        ({"drop_suspects": True}, 2, [5, 8]),
        ({"drop_suspects": True}, 60, [5, 1]),  # the first took more than its own
        ({}, 2, [10]),
        ({"all_good": True}, 2, [10]),
    ],
)
def test_two_choices_share_the_budget(
    mixed: Path, fit_options: dict, monkeypatch: pytest.MonkeyPatch, options: dict, spent: float, given: list[float]
) -> None:
    """By a clock that only choosing moves."""
    clock, asked = [0.0], []
    choose = suspects.choose_members

    def timed(plan: Plan, *others: Any) -> Any:
        asked.append(plan.settings.budget)
        clock[0] += 60 * spent
        return choose(plan, *others)

    monkeypatch.setattr(suspects, "choose_members", timed)
    monkeypatch.setattr(suspects, "perf_counter", lambda: clock[0])
    options = {**fit_options, "layers": "blocks.2.1.add", "defects": "nsa", "pod": False, "budget": 10, **options}
    fs.run_fit(FitSettings.of({"good": mixed, **options}))
    assert asked == given


def test_what_the_rate_is_worth_if_all_are_good(found: fs.FitResult) -> None:
    """Counting those that were left out among the parts that are stopped."""
    from types import SimpleNamespace

    point, gone = found.inspector.manifest.operating_point, len(names(found))
    outcome = SimpleNamespace(calibration=SimpleNamespace(operating_point=point), left_out=[None] * gone)
    stopped = round(point.rate * (point.calibration_size + 1)) + gone
    assert rate_if_good(outcome) == pytest.approx(stopped / (26 + 1))  # type: ignore[arg-type]


@pytest.mark.parametrize("separation", [0.0, 2.0, 20.0])
@pytest.mark.parametrize(("defective", "rate"), [(1, 0.025), (4, 0.025), (4, 0.1), (8, 0.1), (1, 0.2)])
def test_no_threshold_finds_more_of_what_counts_as_good(defective: int, rate: float, separation: float) -> None:
    """However far the defects stand out: 40 scores that count, and a new one like the defective ones, many times."""
    rng, found, times = np.random.default_rng(3), 0, 4000
    for _ in range(times):
        scores = rng.gumbel(size=41)
        scores[: defective + 1] += separation
        point = operating_point(scores[1:], rate)
        found += scores[0] > point.threshold
    most = most_found(point, defective)
    assert found / times <= most + 3 * np.sqrt(most * (1 - most) / times)
    if separation == 20 and most < 1:
        assert found / times > most - 0.03  # and this much is reached


def test_json_lists_them(mixed: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    from flawsight.cli import app

    arguments = ["fit", str(mixed), "--out", str(tmp_path / "b"), "--image-size", "64", "--device", "cpu", "--export"]
    app([*arguments, "none", "--fixed-layers", "blocks.2.1.add", "--drop-suspects", "--json"], standalone_mode=False)
    document = json.loads(capsys.readouterr().out)
    assert {one["file"] for one in document["suspects"] if one["is_left_out"]} >= {"bad0.png", "bad1.png"}
    assert document["parts"] == document["images"]


def test_where_nearly_all_pictures_show_one_part_nobody_looks_twice(good_dir: Path, tmp_path: Path) -> None:
    """Without that part and those doubted nothing would be left to learn from."""
    folder = tmp_path / "lopsided"
    folder.mkdir()
    first, *others = sorted(good_dir.iterdir())
    for number, path in enumerate(others[:15]):
        shutil.copy(path, folder / f"part{number}_0.png")
    for number in range(66):
        noise = np.random.default_rng(number).normal(0, 3, (80, 96, 3))
        Image.fromarray(np.clip(np.asarray(Image.open(first)) + noise, 0, 255).astype(np.uint8)).save(
            folder / f"part15_{number}.png"
        )
    options = {**QUICK, "group_by": r"part(\d+)", "pod": False}
    result = fs.run_fit(FitSettings.of({"good": folder, **options}))
    assert result.record.suspects == () and result.inspector.manifest.data.parts == 16


def test_what_was_left_out_is_known_by_its_bytes(found: fs.FitResult, mixed: Path) -> None:
    from flawsight.core import sha256_of

    data = read_manifest(mixed.parent / "bundle").data
    assert all(one.sha256 == sha256_of(mixed / one.file) for one in data.suspects)
