"""What is learned, what is held out, and what is neither."""

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from flawsight.bundle import SuspectInfo, read_manifest
from flawsight.core import FlawsightError, sha256_of
from flawsight.station.history.history import History
from flawsight.station.learning.pictures import Gathered, gather, is_held_out, learned_from
from flawsight.station.learning.state import Place


@pytest.fixture
def gathered(history: History, good_dir: Path, tmp_path: Path) -> Callable[[], tuple[Gathered, Place]]:
    def call() -> tuple[Gathered, Place]:
        place = Place(tmp_path / "place")
        place.clear()
        return gather(history, "part", sorted(good_dir.iterdir()), good_dir, place, lambda: None), place

    return call


def test_every_second_is_held_out_and_always_the_same(gathered: Callable, add: Callable, texture: Callable) -> None:
    first = [add(texture(seed), "good") for seed in range(1000, 1020)]
    found, place = gathered()
    held = {one.id for one in found.held}
    assert held == {record.id for record in first if is_held_out(record.sha256)}
    assert len(list(place.good.iterdir())) == 24 + len(first) - len(held) and found.of_folder == 24
    for seed in range(1020, 1040):
        add(texture(seed), "good")
    later, place = gathered()
    assert held < {one.id for one in later.held}
    assert not {sha256_of(one.path) for one in later.held} & {sha256_of(path) for path in place.good.iterdir()}


def test_about_half_are_held_out() -> None:
    import hashlib

    count = sum(is_held_out(hashlib.sha256(str(number).encode()).hexdigest()) for number in range(2000))
    assert 900 < count < 1100


def test_defective_ones_are_compared_and_never_learned(gathered: Callable, add: Callable, texture: Callable) -> None:
    for seed in range(1000, 1010):
        add(texture(seed), "good")
    bad = [add(texture(seed), "defective") for seed in range(2000, 2010)]
    found, place = gathered()
    assert {one.id for one in found.held if one.label == "defective"} == {record.id for record in bad}
    assert not {record.sha256 for record in bad} & {sha256_of(path) for path in place.good.iterdir()}


def test_a_picture_of_the_folder_tells_nothing_new(
    gathered: Callable, add: Callable, texture: Callable, good_dir: Path, history: History
) -> None:
    import hashlib
    import time

    from flawsight.station.history.record import Entry, Record, new_id

    for seed in range(1000, 1010):
        add(texture(seed), "good")
    data = (good_dir / "000.png").read_bytes()
    record = Record(
        id=new_id(), at=time.time(), bundle="part", bundle_digest="", picture="", source="rest",
        sha256=hashlib.sha256(data).hexdigest(), verdict="good", score=1.0, has_picture=True,
    )  # fmt: skip
    history.add([Entry(record, picture=data)])
    history.mark(record.id, "defective", "Ann")
    found, _ = gathered()
    assert record.id not in {one.id for one in found.held}
    assert any("1 marked pictures are in" in note for note in found.notes)


def test_what_is_marked_both_ways_counts_for_nothing(gathered: Callable, add: Callable, texture: Callable) -> None:
    for seed in range(1000, 1010):
        add(texture(seed), "good")
    both = add(texture(5000), "good")
    add(texture(5000), "defective")
    found, place = gathered()
    assert both.sha256 not in {sha256_of(path) for path in place.good.iterdir()}
    assert both.sha256 not in {sha256_of(one.path) for one in found.held}
    assert any("both good and defective" in note for note in found.notes)


def test_other_bundles_and_unmarked_ones_are_not_taken(gathered: Callable, add: Callable, texture: Callable) -> None:
    add(texture(1000), "good", bundle="other")
    add(texture(1001))
    with pytest.raises(FlawsightError, match="nothing new to learn from"):
        gathered()


def test_pictures_are_what_they_were(gathered: Callable, add: Callable, texture: Callable) -> None:
    for seed in range(1000, 1010):
        add(texture(seed), "good")
    _, place = gathered()
    marked = [path for path in place.good.iterdir() if path.name.startswith("marked-")]
    assert marked and all(Image.open(path).size == (96, 80) and path.suffix == ".png" for path in marked)


def test_what_a_fit_left_out_is_not_learned_from_again(good_dir: Path, bundle: Path) -> None:
    data = read_manifest(bundle).data
    suspects = tuple(
        SuspectInfo(file=name, sha256=sha256_of(good_dir / name), score=9.0, expected=0.001, is_left_out=is_out)
        for name, is_out in (("003.png", True), ("004.png", False))
    )
    paths = learned_from(good_dir, data.model_copy(update={"suspects": suspects}))
    assert {path.name for path in good_dir.iterdir()} - {path.name for path in paths} == {"003.png"}
    assert learned_from(good_dir, data) == sorted(good_dir.iterdir())
    # Another picture of that name is another picture.
    other = [one.model_copy(update={"sha256": "0" * 64}) for one in suspects]
    assert learned_from(good_dir, data.model_copy(update={"suspects": tuple(other)})) == sorted(good_dir.iterdir())
