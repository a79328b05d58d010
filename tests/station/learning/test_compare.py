"""Two inspectors on the same pictures, counted again by hand."""

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

import flawsight as fs
from flawsight.core import FlawsightError
from flawsight.inspection import Inspector
from flawsight.station.learning import Marked, compare


@pytest.fixture
def pictures(texture: Callable, spoiled: Callable, tmp_path: Path) -> list[Marked]:
    found = []
    for number in range(10):
        path = tmp_path / f"{number}.png"
        Image.fromarray((texture if number < 6 else spoiled)(700 + number)).save(path)
        found.append(Marked(id=f"{number}", label="good" if number < 6 else "defective", path=path))
    return found


@pytest.fixture
def inspector(bundle: Path) -> Inspector:
    return fs.load(bundle, backend="onnxruntime")


def at(inspector: Inspector, threshold: float) -> Inspector:
    manifest = inspector.manifest
    point = type(manifest.operating_point)(0.1, 0.1, threshold, 24)
    return Inspector(inspector.backend, manifest.model_copy(update={"operating_point": point}))


def test_counts_are_those_of_the_scores(inspector: Inspector, pictures: list[Marked]) -> None:
    scores = [inspector.inspect(one.path).score for one in pictures]
    low, high = sorted(scores[:6])[2], sorted(scores[6:])[1]  # stops 3 of 6 good; finds 2 of 4
    found = compare(at(inspector, low), at(inspector, high), pictures)
    assert (found.n_good, found.n_defective) == (6, 4)
    assert (found.old.stopped_good, found.old.found_defective) == (3, 4)
    assert (found.new.stopped_good, found.new.found_defective) == (0, 2)
    assert found.rate(found.old) == 0.5 and found.detection(found.new) == 0.5
    flipped = {number for number, score in enumerate(scores) if (score > low) != (score > high)}
    assert {int(flip.id) for flip in found.flips} == flipped and len(flipped) == 5
    assert all((flip.old, flip.new) == ("defective", "good") for flip in found.flips)
    pairs = [(good, bad) for good in scores[:6] for bad in scores[6:]]
    assert found.old.auroc == found.new.auroc == sum(bad > good for good, bad in pairs) / len(pairs)


def test_what_is_not_known_is_none_and_said(inspector: Inspector, pictures: list[Marked]) -> None:
    found = compare(inspector, inspector, pictures[:6], notes=["first"])
    assert found.old.auroc is None and found.detection(found.old) is None and found.rate(found.old) is not None
    assert found.notes[0] == "first" and any("of detections nothing is known" in note for note in found.notes)
    assert any("Only 6 pictures marked good" in note for note in found.notes) and not found.flips
    assert any("kept and marked because the old inspector stopped them" in note for note in found.notes)


def test_what_cannot_be_read_counts_for_none(inspector: Inspector, pictures: list[Marked]) -> None:
    pictures[0].path.write_bytes(b"nothing")
    Image.new("RGB", (300, 20)).save(pictures[9].path)
    found = compare(inspector, inspector, pictures)
    assert (found.n_good, found.n_defective) == (5, 3) and any("2 pictures could not" in note for note in found.notes)
    for one in pictures:
        one.path.unlink(missing_ok=True)
    with pytest.raises(FlawsightError, match="no marked picture"):
        compare(inspector, inspector, pictures)
