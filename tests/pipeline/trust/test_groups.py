"""Which pictures show one part, and that no part is ever on both sides."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import flawsight as fs
from flawsight.core import FlawsightError
from flawsight.data import read_image
from flawsight.health import Finding, HealthReport
from flawsight.inference import predict_raw
from flawsight.pipeline import learn
from flawsight.pipeline.trust.groups import find_parts, hint_of, named_parts
from flawsight.settings import FitSettings
from flawsight.views import resize_image

FIXED = "blocks.2.1.add"


def paths(*names: str) -> list[Path]:
    return [Path("good") / name for name in names]


def report(kind: str, *groups: tuple[str, ...]) -> HealthReport:
    files = tuple(tuple(paths(*group)) for group in groups)
    return HealthReport(9, (Finding(kind, "warning", sum(files, ()), "said", "do", files),))


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (r"part(\d+)", ["7", "8", "7"]),
        (r"part\d+", ["part7", "part8", "part7"]),
        (r"(a|b)/(?P<part>part\d)", ["part7", "part8", "part7"]),
        (r"^([^/]+)/", ["a", "a", "b"]),
    ],
)
def test_names_say_which_part(pattern: str, expected: list[str]) -> None:
    given = paths("a/part7_1.png", "a/part8_1.png", "b/part7_2.png")
    assert named_parts(given, pattern, Path("good")) == expected


@pytest.mark.parametrize(
    ("pattern", "words"),
    [(r"part(\d+)", "names no part in a/p1.png, x.png"), ("(", "no regular expression"), ("p(z)?", "a/p1")],
)
def test_what_names_no_part_is_named(pattern: str, words: str) -> None:
    with pytest.raises(FlawsightError, match="--group-by") as caught:
        named_parts(paths("a/p1.png", "part2.png", "x.png"), pattern, Path("good"))
    assert words in str(caught.value)


def test_copies_are_one_part_through_all_links() -> None:
    found = find_parts(paths(*"abcdef"), None, report("near_duplicates", ("a", "c"), ("c", "e"), ("b", "f")))
    assert found.of.tolist() == [0, 1, 0, 2, 0, 1] and (found.count, found.joined) == (3, 3)
    assert found.is_few and "6 pictures show 3 different parts (3 pictures are nearly the same" in found.concerns[0]


@pytest.mark.parametrize(("kind", "count"), [("duplicates", 2), ("near_duplicates", 3), ("groups", 3)])
def test_names_go_before_likeness_but_not_before_copies(kind: str, count: int) -> None:
    """Parts in a fixture look alike; the same pixels are the same picture."""
    found = find_parts(paths(*"abcd"), ["1", "2", "3", "3"], report(kind, ("a", "b")))
    assert found.count == count and len(set(found.of[:2])) == count - 1 and found.of[2] == found.of[3]


def test_every_picture_is_a_part_of_its_own_else() -> None:
    found = find_parts(paths(*"abcdefghi"), None, HealthReport(9))
    assert found.is_each_its_own and not found.is_few and (found.key, found.concerns) == ("", ())


@pytest.mark.parametrize(
    ("names", "is_asked"),
    [
        ([f"part{part:03d}_{shot}" for part in range(9) for shot in range(3)], True),
        ([f"{part:03d} {shot:02d}" for part in range(9) for shot in range(2)], True),
        ([f"good_{number:03d}" for number in range(60)], False),
        ([f"good_{number:02d}" for number in range(60)], False),
        ([f"{number:03d}" for number in range(60)], False),
        ([f"part{part}_{shot}" for part in range(9) for shot in range(3)] + ["other"], False),
        ([f"day{day}_{number:02d}" for day in range(9) for number in range(40)], False),
    ],
)
def test_names_of_several_shots_are_asked_about(names: list[str], is_asked: bool) -> None:
    given = paths(*(f"{name}.png" for name in names))
    hint = hint_of(given)
    assert bool(hint) == is_asked
    if is_asked:
        pattern = hint.split("--group-by '")[1].split("'")[0]
        said = named_parts(given, pattern, Path("good"))
        assert len(set(said)) == 9 and find_parts(given, said, HealthReport(9)).hint == ""


@pytest.fixture(scope="module")
def shots(texture: Callable, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """12 parts, photographed twice, in an order in which they lie apart."""
    folder = tmp_path_factory.mktemp("shots")
    for shot in range(2):
        for part in range(12):
            moved = np.roll(texture(part), (3 * shot, 5 * shot), (0, 1))
            Image.fromarray(moved).save(folder / f"{shot}_part{part:02d}.png")
    return folder


def test_no_part_is_learned_from_and_held_out(shots: Path, fit_options: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the search's split and in the folds: pictures of a part are on one side, whatever is drawn."""
    held_out: list[Any] = []
    real = learn.cross_fit

    def seen(network: object, inputs: object, members: object, folds: Any, *more: object) -> object:
        held_out.append(folds)
        return real(network, inputs, members, folds, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(learn, "cross_fit", seen)
    settings = FitSettings.of(
        {
            "good": shots,
            **fit_options,
            "defects": "simple",
            "group_by": r"part(\d+)",
            "max_images": 20,
            "all_good": True,
        }
    )
    result = fs.run_fit(settings)
    good = result.record.good
    part_of = {image.tobytes(): path.name[2:] for path, image in zip(good.paths, good.images, strict=True)}
    validation = result.record.selection.validation_  # type: ignore[union-attr]
    train, held = ({part_of[image.tobytes()] for image in side} for side in (validation.train, validation.good))
    assert len(train) + len(held) == 12 and not train & held
    names = np.array([path.name[2:] for path in result.record.good.paths])
    of_fold = [set(names[fold]) for fold in held_out[0]]
    assert sum(map(len, of_fold)) == 12 and sorted(np.concatenate(held_out[0])) == list(range(24))
    data, point = result.inspector.manifest.data, result.inspector.manifest.operating_point
    assert (data.images, data.parts, point.calibration_size) == (24, 12, 12)
    assert len(result.inspector.manifest.calibration.scores) == 12
    assert point.rate == pytest.approx(1 / 13)


def test_a_copy_counts_as_the_picture_it_copies(good_dir: Path, fit_options: dict, tmp_path: Path) -> None:
    folder = tmp_path / "good"
    shutil.copytree(good_dir, folder)
    shutil.copy(folder / "003.png", folder / "again.png")
    options = {name: one for name, one in fit_options.items() if name != "layers"}
    with pytest.warns(UserWarning, match="25 pictures show 24 different parts"):
        fitted = fs.fit(folder, tmp_path / "b", **options, fixed_layers=FIXED, export="none", all_good=True)
    assert fitted.manifest.operating_point.calibration_size == 24
    page = (tmp_path / "b" / "report.html").read_text(encoding="utf-8")
    assert "Found on <b>24 different parts</b> in 25 pictures" in page and "each part counts as one" in page


def test_a_pattern_that_fits_no_picture_stops_before_anything_is_read(good_dir: Path, fit_options: dict) -> None:
    with pytest.raises(FlawsightError, match=r"names no part in 000\.png, 001\.png, .* and 19 more"):
        fs.fit(good_dir, **fit_options, group_by=r"part(\d+)")


@pytest.mark.parametrize("count", [1, 2, 4])
def test_few_pictures_make_an_inspector_that_says_what_it_cannot_promise(
    good_dir: Path, spoiled: Callable, fit_options: dict, tmp_path: Path, count: int
) -> None:
    few = sorted(good_dir.iterdir())[:count]
    options = {name: one for name, one in fit_options.items() if name != "layers"} | {"false_alarm_rate": 0.01}
    with pytest.warns(UserWarning, match="too few to choose layers by") as warned:
        fitted = fs.fit(few, tmp_path / "b", **options, export="none")
    point = fitted.manifest.operating_point
    assert point.rate == pytest.approx(1 / (count + 1)) and not point.is_supported and fitted.manifest.selection is None
    ends = [("blocks.1.1.add",), (FIXED,), ("blocks.4.2.add",)]
    members = [(one.layers, one.detector.parameters["neighbourhood"]) for one in fitted.manifest.members]
    assert members == [(names, window) for names in ends for window in (3, 1)]
    assert [one.calibration.weight for one in fitted.manifest.members] == pytest.approx([1 / 6] * 6)
    assert (tmp_path / "b" / "report.html").exists()
    said = " ".join(str(one.message) for one in warned)
    assert ("no rate of false alarms is guaranteed" in said) == (count == 1)
    assert fitted.inspect(spoiled(100)).score > max(fitted.inspect(path).score for path in few)


def test_one_picture_is_judged_by_copies_that_differ_from_it(good_dir: Path, tmp_path: Path) -> None:
    folder = tmp_path / "one"
    folder.mkdir()
    shutil.copy(good_dir / "000.png", folder)
    options = {"image_size": 64, "device": "cpu", "fixed_layers": "blocks.2.1.add"}
    inspector = fs.run_fit(FitSettings.of({"good": folder, "out": None, **options})).inspector
    assert min(inspector.manifest.calibration.scores) > 0.1
    for none in ((), ("flip", "rotate90")):  # turned copies are learned from
        with pytest.raises(fs.FlawsightError, match="nothing changes it"):
            fs.fit(folder, **options, label_preserving=none)


@pytest.mark.parametrize(
    ("side", "layers", "read"),
    [
        (64, "blocks.[12].*", ["blocks.1.1.add", FIXED]),
        (64, "conv_stem", ["conv_stem"]),  # no stage ends there
        (544, "all", [FIXED, "blocks.4.2.add"]),  # maps of 136 positions a side are not searched either
    ],
)
def test_few_pictures_are_read_by_layers_that_were_allowed(
    good_dir: Path, side: int, layers: str, read: list[str]
) -> None:
    few, options = sorted(good_dir.iterdir())[:2], {"image_size": side, "device": "cpu", "pod": False}
    with pytest.warns(UserWarning, match="too few"):
        assert fs.fit(few, **options, layers=layers).layers == tuple((name,) for name in read)


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("allowed", [(), ("flip",), ("flip", "rotate90")])
def test_few_pictures_are_learned_from_as_they_are_and_turned_where_a_part_may_be(
    good_dir: Path, count: int, allowed: tuple[str, ...]
) -> None:
    """All their descriptors are in the memory bank: nothing is found in them, nor in what is known to be good."""
    paths = sorted(good_dir.iterdir())[:count]
    bank = {"bank_size": 10_000, "max_descriptors": None, "neighbourhood": 1}
    options = {"image_size": 64, "device": "cpu", "fixed_layers": FIXED, "detector_parameters": bank, "pod": False}
    said = {0: "add flip or rotate90 to --label-preserving", 1: "in 2 orientations", 2: "in 8 orientations"}
    with pytest.warns(UserWarning, match=said[len(allowed)]):
        inspector = fs.fit(paths, **options, label_preserving=("noise", *allowed))
    assert inspector.manifest.data.label_preserving == list(allowed)
    square = resize_image(read_image(paths[-1]), 64)
    seen = {"": square, "flip": square[:, ::-1], "rotate90": np.rot90(square)}
    squares = [np.ascontiguousarray(one) for one in seen.values()]
    (found,) = predict_raw(inspector.backend.extractor, squares, inspector.backend.members)
    is_known = found.maps.max(axis=(1, 2)) < 1  # distances; rounding alone makes 0.03, another picture 40
    assert dict(zip(seen, is_known, strict=True)) == {name: name in ("", *allowed) for name in seen}


def test_a_time_for_each_picture_needs_a_choice(good_dir: Path, tmp_path: Path) -> None:
    folder = tmp_path / "few"
    folder.mkdir()
    for number in range(5):
        shutil.copy(good_dir / f"{number:03d}.png", folder)
    with pytest.raises(fs.FlawsightError, match="--latency-budget needs a choice"):
        fs.fit(folder, image_size=64, device="cpu", latency_budget=5)
