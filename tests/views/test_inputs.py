"""The network's inputs of many pictures: each what its frame cuts, whoever asks, however little room there is."""

import io
import tempfile
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flawsight.data import LazyImages, read_image
from flawsight.views import Chained, Chosen, Inputs, Pictures, RegionOfInterest, SquareStore, View, resize_image
from flawsight.views import inputs as module

VIEWS = {
    "squash": View("squash", 32),
    "whole": View("whole", 32),
    "tiles": View("tiles", 32),
    "scaled": View("tiles", 32, 40),
}
SIZES = [(48, 60), (40, 40), (72, 50), (48, 60)]


class Counted(LazyImages):
    """Pictures that count how often they are asked for."""

    def __init__(self, images: Sequence[np.ndarray]) -> None:
        self.images, self.asked = images, [0] * len(images)

    def __len__(self) -> int:
        return len(self.images)

    def _image(self, number: int) -> np.ndarray:
        self.asked[number] += 1
        return self.images[number].copy()


@pytest.fixture
def pictures() -> Counted:
    rng = np.random.default_rng(0)
    return Counted([rng.integers(0, 256, (*size, 3), np.uint8) for size in SIZES])


def by_hand(pictures: Counted, view: View, only: Sequence[Sequence[int]] | None = None) -> list[np.ndarray]:
    found = []
    for number, picture in enumerate(pictures.images):
        squares = list(view.frame(picture.shape[:2]).cut(picture))
        found += squares if only is None else [squares[tile] for tile in only[number]]
    return found


def inputs_of(pictures: Counted, view: View, only: Sequence[Sequence[int]] | None = None) -> Inputs:
    return Inputs(pictures, [view.frame(size) for size in SIZES], only)


def same(found: Sequence[np.ndarray], expected: Sequence[np.ndarray]) -> bool:
    return len(found) == len(expected) and all(np.array_equal(*pair) for pair in zip(found, expected, strict=True))


@pytest.mark.parametrize("name", VIEWS)
def test_they_are_what_each_frame_cuts(pictures: Counted, name: str) -> None:
    view = VIEWS[name]
    inputs, expected = inputs_of(pictures, view), by_hand(pictures, view)
    order = np.random.default_rng(1).permutation(len(expected)).tolist()
    assert same([inputs[number] for number in order], [expected[number] for number in order])
    assert same(inputs[:], expected) and same(inputs[1:-1:2], expected[1:-1:2])
    assert np.array_equal(inputs[-1], expected[-1])
    tiles = [view.frame(size).tiles for size in SIZES]
    ends = np.cumsum([0, *tiles]).tolist()
    assert [inputs.of_picture(number) for number in range(4)] == [range(*pair) for pair in pairwise(ends)]
    assert inputs.picture_of.tolist() == [number for number, count in enumerate(tiles) for _ in range(count)]
    assert inputs.tile_of.tolist() == [tile for count in tiles for tile in range(count)]
    with pytest.raises(IndexError):
        inputs[len(expected)]


@given(st.data())
def test_some_of_each_picture(data: st.DataObject) -> None:
    rng = np.random.default_rng(0)
    pictures = Counted([rng.integers(0, 256, (*size, 3), np.uint8) for size in SIZES])
    view = VIEWS["tiles"]
    tiles = [view.frame(size).tiles for size in SIZES]
    only = [data.draw(st.lists(st.integers(0, count - 1), unique=True)) for count in tiles]
    inputs, expected = inputs_of(pictures, view, only), by_hand(pictures, view, only)
    order = np.random.default_rng(2).permutation(len(expected))
    assert same([inputs[number] for number in order], [expected[number] for number in order]) and same(inputs, expected)
    assert inputs.tile_of.tolist() == [tile for some in only for tile in some]
    assert [len(inputs.of_picture(number)) for number in range(4)] == [len(some) for some in only]


def test_with_a_region_they_are_grey_outside(pictures: Counted) -> None:
    mask = np.zeros(SIZES[0], bool)
    mask[10:40, 20:50] = True
    view, region = VIEWS["tiles"], RegionOfInterest(mask)
    inputs = Inputs(pictures, [view.frame(SIZES[0], region)])
    assert same(inputs, list(view.frame(SIZES[0], region).cut(pictures.images[0])))


@pytest.mark.parametrize("name", VIEWS)
def test_every_picture_is_cut_once(pictures: Counted, name: str) -> None:
    inputs = inputs_of(pictures, VIEWS[name])
    assert same(inputs[:], inputs[:]) and pictures.asked == [1] * 4


def test_a_picture_that_is_the_square_is_not_kept_twice(pictures: Counted) -> None:
    squares = Counted([resize_image(one, 32) for one in pictures.images])
    inputs = Inputs(squares, [View("squash", 32).frame((32, 32))] * 4)
    assert same(inputs, squares.images) and all(inputs._store.get(number) is None for number in range(4))


def test_beyond_the_limit_squares_are_cut_again(pictures: Counted) -> None:
    view = VIEWS["tiles"]
    inputs = inputs_of(pictures, view)
    inputs._store = SquareStore(32, most=5 * 3 * 32 * 32 + 1)
    expected = by_hand(pictures, view)
    assert same(inputs, expected) and same(inputs[::-1], expected[::-1])
    assert [inputs._store.get(number) is not None for number in range(7)] == [True] * 5 + [False] * 2


class Disk(io.RawIOBase):
    """A file on a disk with room for so many bytes; a write beyond is cut short, and one at the end refused."""

    def __init__(self, room: int) -> None:
        self.data, self.room, self.at = bytearray(), room, 0

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, place: int, whence: int = 0) -> int:
        self.at = place + (self.at if whence == 1 else len(self.data) if whence == 2 else 0)
        return self.at

    def tell(self) -> int:
        return self.at

    def readinto(self, into) -> int:  # type: ignore[no-untyped-def]
        part = self.data[self.at : self.at + len(into)]
        into[: len(part)] = part
        self.at += len(part)
        return len(part)

    def write(self, data) -> int:  # type: ignore[no-untyped-def]
        part = bytes(data)[: max(0, self.room - self.at)]
        if not part:
            raise OSError(28, "No space left on device")
        self.data[self.at : self.at + len(part)] = part
        self.at += len(part)
        return len(part)


def on_disk(monkeypatch: pytest.MonkeyPatch, disk: Disk) -> None:
    """Temporary files lie on this disk, with or without a buffer as they are asked for."""

    def made(mode: str = "w+b", buffering: int = -1) -> io.RawIOBase | io.BufferedRandom:
        return disk if buffering == 0 else io.BufferedRandom(disk)

    monkeypatch.setattr(tempfile, "TemporaryFile", made)


@pytest.mark.parametrize("squares", [0, 0.5, 2, 2.999, 4.5])
def test_a_full_disk_only_costs_time(pictures: Counted, monkeypatch: pytest.MonkeyPatch, squares: float) -> None:
    view = VIEWS["tiles"]
    on_disk(monkeypatch, Disk(int(squares * 3 * 32 * 32)))
    inputs, expected = inputs_of(pictures, view), by_hand(pictures, view)
    for _ in range(2):
        assert same(inputs, expected)
    assert same(inputs[::-1], expected[::-1])
    assert [inputs._store.get(number) is not None for number in range(6)] == [
        number + 1 <= squares for number in range(6)
    ]


def test_without_a_place_for_temporary_files(pictures: Counted, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    inputs, expected = inputs_of(pictures, VIEWS["scaled"]), by_hand(pictures, VIEWS["scaled"])
    assert same(inputs, expected) and same(inputs, expected)


@pytest.mark.parametrize("name", VIEWS)
def test_several_threads_see_the_same(good_dir: Path, name: str) -> None:
    paths, view = sorted(good_dir.iterdir())[:5], VIEWS[name]
    pictures = Pictures(paths)
    frame = view.frame(pictures[0].shape[:2])
    inputs = Inputs(pictures, [frame] * 5)
    expected = [square for path in paths for square in frame.cut(read_image(path))]
    order = np.random.default_rng(0).permutation(np.repeat(np.arange(len(expected)), 3)).tolist()
    barrier = threading.Barrier(4)

    def ask(number: int) -> bool:
        return np.array_equal(inputs[number], expected[number])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: barrier.wait(), range(4)))  # all have begun
        assert all(pool.map(ask, order))


def test_threads_that_want_one_picture_decode_it_once(good_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[Path] = []
    monkeypatch.setattr(module, "read_image", lambda path, *how: decoded.append(path) or read_image(path, *how))
    paths = sorted(good_dir.iterdir())[:3]
    pictures = Pictures(paths)
    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(lambda _: np.array_equal(pictures[1], read_image(paths[1])), range(8)))
    assert decoded == [paths[1]]
    pictures[0], pictures[1], pictures[2], pictures[0]
    assert decoded == [paths[1], paths[0], paths[2], paths[0]]  # two are kept, and no more


def test_a_square_may_be_drawn_on(pictures: Counted) -> None:
    inputs, expected = inputs_of(pictures, VIEWS["tiles"]), by_hand(pictures, VIEWS["tiles"])
    for number in (0, 0, 3):
        inputs[number][:] = 0
    assert same(inputs, expected)


@given(st.lists(st.integers(0, 4), min_size=1, max_size=4), st.data())
def test_chained_and_chosen_are_lists_of_others(lengths: list[int], data: st.DataObject) -> None:
    parts = [
        [np.full((2, 2, 3), 10 * part + at, np.uint8) for at in range(count)] for part, count in enumerate(lengths)
    ]
    chained, flat = Chained(parts), [one for part in parts for one in part]
    assert same(chained, flat) and same(chained[::-1], flat[::-1])
    if flat:
        numbers = data.draw(st.lists(st.integers(0, len(flat) - 1)))
        chosen = Chosen(chained, numbers)
        assert same(chosen, [flat[number] for number in numbers])
