"""Artificial defects of known size: who inspects them, on which pictures, and what is said of them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import flawsight as fs
from flawsight.bundle import read_manifest
from flawsight.defects import SIZED, side_of
from flawsight.inference import TorchBackend
from flawsight.inspection import Inspector
from flawsight.metrics import pod_curve
from flawsight.pipeline.trust import pod as of_pod
from flawsight.pipeline.trust.pod import ROUNDS, TRIALS, narrowed, sizes_to_try


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """Fills with what was inspected, what was found, and by whom."""
    calls: list[tuple[Any, ...]] = []
    inspected = of_pod._inspected

    def watched(trials: Any, *given: Any) -> Any:
        done = list(inspected(trials, *given))
        calls.append((done, *given))
        return iter(done)

    monkeypatch.setattr(of_pod, "_inspected", watched)
    return calls


@pytest.mark.parametrize(
    "view", [{}, {"view": "tiles", "tile": 40, "image_size": 64}, {"view": "whole"}], ids=["squash", "tiles", "whole"]
)
def test_each_is_inspected_by_detectors_that_had_not_seen_the_picture(
    good_dir: Path, fixed_options: dict, view: dict, seen: list
) -> None:
    """What the detectors of the picture's fold say of the whole picture, as any inspector would be asked."""
    options = fixed_options | view | {"fixed_layers": "blocks.1.0.bn3,blocks.3.0.bn3"}
    result = fs.run_fit(fs.FitSettings.of({"good": good_dir, **options}))
    manifest = result.inspector.manifest
    assert len(seen) == ROUNDS
    folds, verdicts = set(), set()
    for trials, network, good, learned, found, _ in seen:
        for one in trials[::7]:
            base = one.planted.base
            fold = int(learned.fold_of[base])
            held_out = TorchBackend(network, [one.member for one in learned.by_fold[fold]], found.members)
            own = Inspector(held_out, manifest).inspect(one.planted.on(good.pictures[base]))
            assert own.is_defective is bool(one.is_found) or own.score == pytest.approx(
                manifest.pod.threshold, rel=1e-3
            )
            folds.add(fold)
            verdicts.add(own.is_defective)
    assert len(folds) > 1 and len(verdicts) == 2


def test_sizes_are_in_the_pictures_own_pixels(good_dir: Path, fixed_options: dict, seen: list) -> None:
    pod = fs.fit(good_dir, **fixed_options, fixed_layers="blocks.3.0.bn3").manifest.pod
    assert pod is not None
    trials = [one for done, *_ in seen for one in done]
    assert {one.size for one in trials} <= set(sizes_to_try(8.0))  # pictures of 80 x 96
    for one in trials:
        if one.kind != "scratch":
            assert 0.8 * one.size <= side_of(one.planted.mask) <= one.size
    for own in pod.kinds:
        mine = [one for one in trials if one.kind == own.kind]
        assert own.curve == pod_curve([one.size for one in mine], [one.is_found for one in mine])
        assert sum(own.curve.trials) == ROUNDS * TRIALS
        sides = [np.mean([side_of(one.planted.mask) for one in mine if one.size == size]) for size in own.curve.sizes]
        assert own.sides == pytest.approx(sides)
    sides, found = pod.together()
    assert len(sides) == len(found) == len(trials) and sum(found) == sum(one.is_found for one in trials)


def test_pictures_that_are_stopped_anyway_carry_none(good_dir: Path, fixed_options: dict, seen: list) -> None:
    options = fixed_options | {"false_alarm_rate": 0.4, "fixed_layers": "blocks.3.0.bn3"}
    pod = fs.fit(good_dir, **options).manifest.pod
    *_, found, _ = seen[0]
    stopped = set(np.flatnonzero(found.scores > found.operating_point.threshold).tolist())
    carriers = {one.planted.base for done, *_ in seen for one in done}
    assert len(stopped) >= 8 and not carriers & stopped
    assert pod is not None and pod.pictures == len(carriers) and pod.threshold == found.operating_point.threshold


def test_it_is_the_same_again_and_another_with_another_seed(good_dir: Path, fixed_options: dict) -> None:
    options = fixed_options | {"fixed_layers": "blocks.3.0.bn3"}
    first, again, other = (fs.fit(good_dir, **options, seed=seed).manifest.pod for seed in (0, 0, 1))
    assert first == again != other


def test_nobody_has_to_have_it(good_dir: Path, fixed_options: dict, tmp_path: Path) -> None:
    settings = {"good": good_dir, "out": tmp_path / "b", **fixed_options, "fixed_layers": "blocks.3.0.bn3"}
    result = fs.run_fit(fs.FitSettings.of({**settings, "pod": False, "export": "none"}))
    assert result.record.pod is None and "trying artificial defects" not in result.record.timings
    assert read_manifest(tmp_path / "b").pod is None
    page = (tmp_path / "b" / "report.html").read_text()
    assert (
        "Can I trust it?" in page and "The smallest defect that can be seen" in page and "What it will find" not in page
    )


def test_a_bundle_without_it_is_read(bundle: Path, tmp_path: Path) -> None:
    document = json.loads((bundle / "inspector.json").read_text())
    assert [one["kind"] for one in document.pop("pod")["kinds"]] == list(SIZED)
    (tmp_path / "inspector.json").write_text(json.dumps(document))
    assert read_manifest(tmp_path).pod is None


@pytest.mark.parametrize(
    ("missed", "found", "expected"),
    [
        ([1, 2, 3, 6], [4, 9, 13, 18], [3, 4, 6, 9]),
        ([1, 2, 3, 4], [6, 9, 13, 18], [3, 4, 6, 9]),
        ([], [1, 2, 3, 4], [1, 2]),
        ([9, 13, 18], [], [13, 18]),
        ([18], [1], [1, 2, 3, 4, 6, 9, 13, 18]),
    ],
)
def test_the_second_round_looks_where_it_changes(missed: list, found: list, expected: list) -> None:
    tried, is_found = [*missed, *found], [False] * len(missed) + [True] * len(found)
    assert narrowed([1, 2, 3, 4, 6, 9, 13, 18], tried, is_found) == expected


def test_two_rounds_keep_the_bound() -> None:
    """Where the second round looks depends on the first: the stated bound still holds about as often."""
    rng, sizes, true, held, near = np.random.default_rng(0), sizes_to_try(26), 8.0, [], []

    def tried(some: list[int], first: int) -> tuple[list[int], list[bool]]:
        own = [some[at % len(some)] for at in range(first, first + TRIALS)]
        odds = np.log(9) + 3 * (np.log(own) - np.log(true))
        return own, (rng.random(TRIALS) < 1 / (1 + np.exp(-odds))).tolist()

    for _ in range(150):
        sides, found = tried(sizes, 0)
        more, also = tried(narrowed(sizes, sides, found), TRIALS)
        pod = pod_curve([*sides, *more], [*found, *also])
        # Without a curve nothing is promised; without a bound it lies beyond.
        held += [(pod.a90_95 or np.inf) >= true] if pod.outcome == "fitted" else []
        near.append(pod.found_from or np.inf)
    assert len(held) > 130 and np.mean(held) >= 0.86 and np.median(near) == pytest.approx(true, rel=0.15)


def test_sizes_are_even_by_ratio() -> None:
    assert sizes_to_try(26) == [1, 2, 3, 4, 6, 9, 13, 18, 26]
    assert sizes_to_try(0.5) == [1, 2]
