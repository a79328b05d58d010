"""Scenes: what a view shows of defects in pictures' own pixels, and that it is measured as if all were cut anew."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from flawsight.defects import Product
from flawsight.metrics import aupro
from flawsight.scoring import upsample
from flawsight.selection.evaluator import GOOD
from flawsight.selection.pictures import PlantedDefect, Planter, Scenes, ViewedSet, make_scenes, scenes, some_pictures
from flawsight.selection.validation import spaced
from flawsight.views import RegionOfInterest, View

SIZES = [(100, 130), (90, 90), (120, 96), (100, 130), (100, 130), (84, 140), (100, 130), (110, 110)]
VIEWS = {
    "squash": View("squash", 32),
    "whole": View("whole", 32),
    "tiles": View("tiles", 32),
    "no overlap": View("tiles", 32, 24, 0),
    "scaled": View("tiles", 32, 48, 0.3),
}
KINDS = ("scratch", "simple")
GRID = (8, 8)
TIMES = 2


@pytest.fixture(scope="module")
def made(texture: Callable) -> Callable[[bool], Scenes]:
    """Parts of pictures of several sizes, or of one size with a region; defects small enough for a tile or two."""

    def build(has_region: bool) -> Scenes:
        sizes = [(100, 130)] * 8 if has_region else SIZES
        pictures = [texture(seed, size) for seed, size in enumerate(sizes)]
        sections = [(7 + seed, 3 * seed, size[1] - 30, size[0] - 26) for seed, size in enumerate(sizes)]
        region = None
        if has_region:
            mask = cv2.ellipse(np.zeros((100, 130), np.uint8), (60, 50), (50, 30), 20, 0, 360, 1, -1) > 0
            region = RegionOfInterest(mask)
        planter = Planter(pictures, sections, Product(), 1, region)
        planted = {kind: planter.plant(kind, [2, 4, 5]) for kind in KINDS}
        planted["spot"] = [spot(sections[number], number) for number in (4, 5)]
        return Scenes(pictures, sizes, sections, [0, 1, 3], [6, 7, 2, 4], planted, Product(), region, images_used=8)

    return build


def spot(section: tuple[int, int, int, int], base: int) -> PlantedDefect:
    """White, of 6 x 5 pixels, in the middle of the section."""
    x, y = section[0] + section[2] // 2, section[1] + section[3] // 2
    return PlantedDefect(base, (x, y, 6, 5), np.full((5, 6, 3), 255, np.uint8), np.ones((5, 6), bool))


def grid_of(square: np.ndarray) -> np.ndarray:
    """Stands for a detector: what it finds in a square, and in nothing else."""
    values = cv2.resize(square[..., 0], GRID, interpolation=cv2.INTER_AREA).astype(np.float32)
    return values + float(square.mean())


def found_in(seen: ViewedSet) -> dict[str, np.ndarray]:
    return seen.parted(np.stack([grid_of(square) for square in seen.measured]))


class ByHand:
    """A scene, composed and cut anew."""

    def __init__(self, source: Scenes, view: View, number: int, defect: PlantedDefect | None = None) -> None:
        picture = source.pictures[number]
        if defect is not None:
            picture = picture.copy()
            left, top, width, height = defect.box
            picture[top : top + height, left : left + width] = defect.patch
        left, top, width, height = self.section = source.sections[number]
        region = source.region
        mask = np.zeros(picture.shape[:2], bool) if defect is None else defect.mask_in(picture.shape[:2])
        if view.kind == "tiles":
            crop = np.s_[top : top + height, left : left + width]
            picture, mask = picture[crop], mask[crop]
            region = None if region is None else RegionOfInterest(region.mask[crop])
            self.section = (0, 0, width, height)
        self.frame = view.frame(picture.shape[:2], region)
        self.squares = list(self.frame.cut(picture))
        self.mask = mask

    @property
    def counted(self) -> tuple[int, int, int, int]:
        """The part of the section that the frame sees: x0, y0, x1, y1 in the picture."""
        left, top, width, height = self.section
        x, y, wide, high = self.frame.box
        return max(left, x), max(top, y), min(left + width, x + wide), min(top + height, y + high)

    @property
    def map(self) -> np.ndarray:
        """Joined at a lower resolution, and of that every pixel that the section touches."""
        small = self.frame.shrunk(TIMES)
        joined = small.join([upsample(grid_of(square), small.side) for square in self.squares])
        (x0, y0, x1, y1), (left, top, width, height) = self.counted, self.frame.box
        across, down = joined.shape[1] / width, joined.shape[0] / height
        rows = slice(int(np.floor((y0 - top) * down)), int(np.ceil((y1 - top) * down)))
        return joined[rows, int(np.floor((x0 - left) * across)) : int(np.ceil((x1 - left) * across))]

    @property
    def counted_mask(self) -> np.ndarray:
        x0, y0, x1, y1 = self.counted
        return self.mask[y0:y1, x0:x1]


def parts_of(source: Scenes, view: View) -> dict[str, list[ByHand]]:
    parts = {GOOD: [ByHand(source, view, number) for number in source.good]}
    return parts | {
        kind: [ByHand(source, view, one.base, one) for one in defects] for kind, defects in source.planted.items()
    }


@pytest.mark.parametrize("name", VIEWS)
@pytest.mark.parametrize("has_region", [False, True])
def test_maps_of_scenes_are_those_of_pictures_cut_anew(made: Callable, name: str, has_region: bool) -> None:
    source, view = made(has_region), VIEWS[name]
    seen = source.through(view)
    maps = seen.evaluator(view.side // TIMES).upsampled(found_in(seen))
    expected = parts_of(source, view)
    assert list(maps) == list(expected)
    for part, some in expected.items():
        assert len(maps[part]) == len(some)
        for found, one in zip(maps[part], some, strict=True):
            assert found.shape == one.map.shape and np.allclose(found, one.map, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("name", VIEWS)
@pytest.mark.parametrize("has_region", [False, True])
def test_masks_are_those_of_the_part_that_counts(made: Callable, name: str, has_region: bool) -> None:
    source, view = made(has_region), VIEWS[name]
    seen = source.through(view)
    for part, some in parts_of(source, view).items():
        for scene, one in zip(seen.scenes[part], some, strict=True):
            assert (scene.mask is None) == (part == GOOD)
            if scene.mask is not None:
                assert np.array_equal(scene.mask, one.counted_mask)


@pytest.mark.parametrize("name", VIEWS)
def test_a_picture_is_as_bad_as_its_worst_square(made: Callable, name: str) -> None:
    source, view = made(False), VIEWS[name]
    seen = source.through(view)
    judge = seen.evaluator(view.side // TIMES)
    scores = judge.image_scores(seen.parted(np.array([square.mean() for square in seen.measured])))
    for part, some in parts_of(source, view).items():
        assert np.allclose(scores[part], [max(square.mean() for square in one.squares) for one in some])


@pytest.mark.parametrize("name", ["squash", "tiles"])
def test_figures_are_those_of_the_textbook(made: Callable, name: str) -> None:
    source, view = made(False), VIEWS[name]
    seen = source.through(view)
    judge = seen.evaluator(view.side // TIMES)
    maps = judge.upsampled(found_in(seen))
    own = {part: np.random.default_rng(7).normal(size=len(some)) for part, some in maps.items()}
    for kind, some in parts_of(source, view).items():
        if kind == GOOD:
            continue
        labels = [0] * len(maps[GOOD]) + [1] * len(some)
        both = [*maps[GOOD], *maps[kind]]
        expected = roc_auc_score(labels, [one.max() for one in both])
        assert judge.figures(maps)[kind].auroc == pytest.approx(expected)
        expected = roc_auc_score(labels, [*own[GOOD], *own[kind]])
        assert judge.figures(maps, own)[kind].auroc == pytest.approx(expected)
        # At the pictures' own resolution.
        good = [np.zeros(one.counted_mask.shape, bool) for one in parts_of(source, view)[GOOD]]
        masks = [*good, *(one.counted_mask for one in some)]
        sized = [cv2.resize(one, mask.shape[::-1]) for one, mask in zip(both, masks, strict=True)]
        assert judge.figures(maps)[kind].aupro == judge.figures(maps, own)[kind].aupro
        assert judge.figures(maps)[kind].aupro == pytest.approx(aupro(sized, masks, 0.3), abs=1e-6)


def test_figures_of_views_are_computed_at_one_resolution(made: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    """With too many pixels they are fewer, and as many for every view."""
    source = made(False)
    from flawsight.selection.pictures import evaluator

    monkeypatch.setattr(evaluator, "MOST_PIXELS", 80_000)
    counts = {}
    for name, view in VIEWS.items():
        judge = source.through(view).evaluator(view.side // TIMES)
        shapes = [judge._size(scene) for some in judge.scenes.values() for scene in some]
        counts[name] = sum(height * width for height, width in shapes)
        assert counts[name] <= 1.05 * 80_000 / TIMES**2
    assert len({counts[name] for name in counts}) == 1


def test_only_squares_that_a_defect_changes_are_looked_at_again(made: Callable) -> None:
    source = made(False)
    seen = source.through(VIEWS["tiles"])
    inputs, _ = seen.bad["spot"]
    whole = sum(one.frame.tiles for one in seen.scenes["spot"])
    assert 2 <= len(inputs) <= whole / 2
    assert len(seen.measured) == len(seen.good) + sum(len(one) for one, _ in seen.bad.values())
    changed = sum(
        not np.array_equal(dirty, clean)
        for defect in source.planted["spot"]
        for dirty, clean in zip(
            ByHand(source, VIEWS["tiles"], defect.base, defect).squares,
            ByHand(source, VIEWS["tiles"], defect.base).squares,
            strict=True,
        )
    )
    assert len(inputs) >= changed


@pytest.mark.parametrize("name", ["squash", "tiles"])
def test_fewer_scenes_are_measured_as_they_were_among_all(
    made: Callable, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for constant, most in (("COARSE_GOOD", 2), ("COARSE_BAD", 1), ("COARSE_TRAIN", 2), ("COARSE_TILES", 5)):
        monkeypatch.setattr(scenes, constant, most)
    source, view = made(False), VIEWS[name]
    seen = source.through(view)
    few = seen.fewer()
    assert len(few.train) == {"squash": 2, "tiles": 5}[name] and len(few.scenes[GOOD]) == 2
    assert len(few.good) < len(seen.good) and list(few.bad) == list(seen.bad)
    all_maps = seen.evaluator(16).upsampled(found_in(seen))
    few_maps = few.evaluator(16).upsampled(found_in(few))
    wanted = {GOOD: spaced(4, 2)} | {
        kind: spaced(len(seen.scenes[kind]), 1, turn, len(seen.bad)) for turn, kind in enumerate(seen.bad)
    }
    for part, numbers in wanted.items():
        assert len(few_maps[part]) == len(numbers)
        for found, number in zip(few_maps[part], numbers, strict=True):
            assert np.array_equal(found, all_maps[part][number])
    assert few.images_used == seen.images_used == 8 and few.side == 32


def test_fewer_of_few_are_all_of_them(made: Callable) -> None:
    seen = made(False).through(VIEWS["tiles"])
    few = seen.fewer()
    for one, other in ((seen.train, few.train), (seen.measured, few.measured)):
        ordered = sorted(square.tobytes() for square in one)
        assert ordered == sorted(square.tobytes() for square in other)


@pytest.mark.parametrize("name", VIEWS)
@pytest.mark.parametrize("has_region", [False, True])
def test_good_values_that_are_inspected_count_once(made: Callable, name: str, has_region: bool) -> None:
    source, view = made(has_region), VIEWS[name]
    seen = source.through(view)
    maps = found_in(seen)[GOOD]
    values = np.sort(np.concatenate([np.ravel(one) for one in seen.inspected(maps)]))
    expected = []
    for number in source.good:
        one = ByHand(source, view, number)
        for tile, square in enumerate(one.squares):
            cells = one.frame.cells(tile, GRID)
            expected.append(grid_of(square)[np.ones(GRID, bool) if cells is None else cells])
    assert np.allclose(values, np.sort(np.concatenate(expected)))
    assert not has_region or len(values) < maps.size


def test_what_is_learned_from_is_cut_from_whole_pictures(made: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    source, view = made(False), VIEWS["tiles"]
    frames = {number: view.frame(source.sizes[number]) for number in source.train}
    expected = [square for number, frame in frames.items() for square in frame.cut(source.pictures[number])]
    assert all(np.array_equal(*pair) for pair in zip(source.through(view).train, expected, strict=True))
    monkeypatch.setattr(scenes, "LEARNED_TILES", 10)
    few = source.through(view).train
    assert len(few) == 9 and {one.tobytes() for one in few} < {one.tobytes() for one in expected}
    assert [len(few.of_picture(number)) for number in range(3)] == [3, 3, 3]
    again = source.through(view).train
    assert all(np.array_equal(*pair) for pair in zip(few, again, strict=True))


def test_what_is_shown_are_whole_pictures_with_their_masks(made: Callable) -> None:
    source = made(False)
    shown = source.through(VIEWS["tiles"]).shown
    for kind, (pictures, masks) in shown.items():
        for picture, mask, one in zip(pictures, masks, source.planted[kind], strict=True):
            assert picture.shape[:2] == mask.shape == source.sizes[one.base]
            assert np.array_equal(picture, one.on(source.pictures[one.base])) and mask.any()


def test_without_originals_no_picture_is_both_good_and_a_carrier(made: Callable) -> None:
    source = made(False)
    assert {2, 4} <= set(source.good)
    strict = source.without_originals()
    assert list(strict.good) == [6, 7] and strict.planted is source.planted
    seen = strict.through(VIEWS["tiles"])
    maps = seen.evaluator(16).upsampled(found_in(seen))
    expected = parts_of(strict, VIEWS["tiles"])
    assert all(
        np.allclose(found, one.map, rtol=1e-4, atol=1e-3)
        for part, some in expected.items()
        for found, one in zip(maps[part], some, strict=True)
    )


def test_the_usual_number_of_squares_a_picture(made: Callable) -> None:
    source = made(False)
    for view in VIEWS.values():
        counts = [view.frame(size).tiles for size in SIZES]
        assert source.through(view).inputs_per_picture == int(np.median(counts))


class TestMakeScenes:
    """Which pictures, which parts of them, and what is planted there."""

    views = (View("squash", 32), View("tiles", 16))

    def made(self, texture: Callable, region: RegionOfInterest | None = None, seed: int = 0) -> Scenes:
        pictures = [texture(number, (100, 130)) for number in range(10)]
        return make_scenes(pictures, [(100, 130)] * 10, Product(), self.views, ["simple", "scratch"], seed, region)

    def test_every_picture_has_one_role_and_carriers_are_also_good(self, texture: Callable) -> None:
        found = self.made(texture)
        carriers = {one.base for some in found.planted.values() for one in some}
        assert carriers <= set(found.good) and not set(found.train) & set(found.good)
        assert sorted([*found.train, *found.good]) == list(range(10)) and found.images_used == 10
        assert all({one.base for one in some} == carriers for some in found.planted.values())
        shown = [picture.tobytes() for picture in found.pictures]
        assert sorted(shown) == sorted(texture(number, (100, 130)).tobytes() for number in range(10))

    def test_few_large_pictures_are_measured_in_several_parts(self, texture: Callable) -> None:
        sizes = [(250, 270)] * 4 + [(100, 130)] * 4
        pictures = [texture(number, size) for number, size in enumerate(sizes)]
        found = make_scenes(pictures, sizes, Product(), self.views, ["simple"], 0)
        names = [picture.tobytes() for picture in found.pictures]
        assert set(names) == {picture.tobytes() for picture in pictures} and found.images_used == 8
        learned, measured = {names[at] for at in found.train}, {names[at] for at in found.good}
        assert len(learned) == len(found.train) and not learned & measured and learned | measured == set(names)
        carriers = {names[one.base] for one in found.planted["simple"]}
        assert len(carriers) == 3 and len({one.base for one in found.planted["simple"]}) == len(found.planted["simple"])
        for name in measured:
            large = len(name) == 250 * 270 * 3
            places = [at for at in found.good if names[at] == name]
            assert len(places) == len({found.sections[at] for at in places}) == (4 if large else 1)
            assert all(found.sizes[at] == found.pictures[at].shape[:2] for at in places)
            if name in carriers:
                assert {one.base for one in found.planted["simple"] if names[one.base] == name} == set(places)
        for view in self.views:
            seen = found.through(view)
            assert seen.images_used == 8 and len(seen.scenes["simple"]) == len(found.planted["simple"])
            assert all(one.mask is not None and one.mask.any() for one in seen.scenes["simple"])

    def test_sections_are_four_tiles_wide_and_within_the_pictures(self, texture: Callable) -> None:
        found = self.made(texture)
        assert {section[2:] for section in found.sections} == {(64, 64)} and len(set(found.sections)) > 5
        assert all(0 <= x <= 130 - 64 and 0 <= y <= 100 - 64 for x, y, _, _ in found.sections)
        for one in (one for some in found.planted.values() for one in some):
            x, y, width, height = found.sections[one.base]
            mask = one.mask_in((100, 130))
            assert mask.any() and mask.sum() == mask[y : y + height, x : x + width].sum()

    def test_sections_show_some_of_the_region(self, texture: Callable) -> None:
        mask = np.zeros((100, 130), bool)
        mask[80:95, 10:40] = True
        for seed in range(3):
            found = self.made(texture, RegionOfInterest(mask), seed)
            assert all(mask[y : y + high, x : x + wide].any() for x, y, wide, high in found.sections)
            assert all(not (one.mask_in((100, 130)) & ~mask).any() for some in found.planted.values() for one in some)
            for view in self.views:
                seen = found.through(view).scenes
                assert all(one.mask is None or one.mask.any() for some in seen.values() for one in some)

    def test_pictures_that_are_hardly_larger_are_measured_whole(self, texture: Callable) -> None:
        pictures = [texture(number, (70, 80)) for number in range(8)]
        found = make_scenes(pictures, [(70, 80)] * 8, Product(), self.views, ["simple"], 0)
        assert set(found.sections) == {(0, 0, 80, 70)}

    def test_it_is_the_same_again_and_another_with_another_seed(self, texture: Callable) -> None:
        one, same, other = self.made(texture), self.made(texture), self.made(texture, seed=1)
        assert one.sections == same.sections != other.sections
        for kind, some in one.planted.items():
            assert all(np.array_equal(a.patch, b.patch) for a, b in zip(some, same.planted[kind], strict=True))


@pytest.mark.parametrize(("count", "most"), [(5, 9), (9, 9), (30, 9)])
def test_some_pictures_are_drawn_by_the_seed(count: int, most: int) -> None:
    pictures = [np.full((2, 2, 3), number, np.uint8) for number in range(count)]
    few, numbers = some_pictures(pictures, most, 3)
    assert len(few) == len(numbers) == min(count, most) and sorted(set(numbers.tolist())) == numbers.tolist()
    assert [int(one[0, 0, 0]) for one in few] == numbers.tolist() == some_pictures(pictures, most, 3)[1].tolist()
    assert count <= most or numbers.tolist() != some_pictures(pictures, most, 4)[1].tolist()
