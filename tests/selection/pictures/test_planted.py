"""Defects in pictures' own pixels: where they may lie, how large they are, the same whoever asks, kept as patches."""

from collections.abc import Callable, Sequence

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flawsight.core import FlawsightError
from flawsight.data import LazyImages
from flawsight.defects import Product
from flawsight.selection.pictures import PlantedDefect, PlantedMasks, PlantedPictures, Planter, planted
from flawsight.views import RegionOfInterest

KINDS = ("nsa", "perlin", "scratch", "simple")
SIZE = (530, 600)


class Decoded(LazyImages):
    """Pictures that are made anew whenever they are asked for."""

    def __init__(self, images: Sequence[np.ndarray]) -> None:
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def _image(self, number: int) -> np.ndarray:
        return self.images[number].copy()


@pytest.fixture(scope="module")
def large(texture: Callable) -> list[np.ndarray]:
    return [texture(seed, SIZE) for seed in range(4)]


@pytest.fixture(scope="module")
def small(texture: Callable) -> list[np.ndarray]:
    return [texture(seed) for seed in range(6)]


def whole(images: Sequence[np.ndarray]) -> list[tuple[int, int, int, int]]:
    return [(0, 0, image.shape[1], image.shape[0]) for image in images]


def same(one: PlantedDefect, other: PlantedDefect) -> bool:
    return (
        (one.base, one.box) == (other.base, other.box)
        and np.array_equal(one.patch, other.patch)
        and np.array_equal(one.mask, other.mask)
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("has_region", [False, True])
def test_masks_lie_within_the_section_and_the_region(large: list[np.ndarray], kind: str, has_region: bool) -> None:
    section = (150, 40, 300, 400)
    region = None
    if has_region:
        region = RegionOfInterest(cv2.ellipse(np.zeros(SIZE, np.uint8), (200, 300), (150, 60), 20, 0, 360, 1, -1) > 0)
    planter = Planter(large, [section] * 4, Product(), 0, region)
    for one in planter.plant(kind, [0, 1, 2, 3, 0]):
        mask = one.mask_in(SIZE)
        allowed = np.zeros(SIZE, bool)
        allowed[40:440, 150:450] = True
        assert mask.any() and not (mask & ~allowed).any()
        assert region is None or not (mask & ~region.mask).any()
        left, top, width, height = one.box
        assert left >= 150 and top >= 40 and left + width <= 450 and top + height <= 440
        assert one.patch.shape == (height, width, 3) and one.mask.shape == (height, width)


@pytest.mark.parametrize("kind", KINDS)
def test_a_patch_is_pasted_where_it_says_and_nothing_else_changes(large: list[np.ndarray], kind: str) -> None:
    for one in Planter(large, whole(large), Product(), 3).plant(kind, [1, 2]):
        before = large[one.base].copy()
        found = one.on(large[one.base])
        left, top, width, height = one.box
        assert np.array_equal(found[top : top + height, left : left + width], one.patch)
        differs = (found != before).any(2)
        assert differs[one.mask_in(SIZE)].any() and np.array_equal(large[one.base], before)
        differs[top : top + height, left : left + width] = False
        assert not differs.any()


def test_large_pictures_have_defects_of_many_sizes_and_small_ones_as_papers_draw_them(
    large: list[np.ndarray], small: list[np.ndarray]
) -> None:
    section = (20, 30, 560, 490)
    many = [
        one
        for seed in range(10)
        for one in Planter(large, [section] * 4, Product(), seed).plant("simple", range(4))
    ]  # fmt: skip
    sides = np.array([one.box[2] for one in many])
    assert all(one.box[2] == one.box[3] for one in many) and sides.min() >= planted.SMALLEST_WINDOW
    assert sides.max() <= 490
    # Of log-uniform size: as many below the geometric mean as above.
    assert sides.min() < 90 and sides.max() > 350 and 0.25 < np.mean(sides < np.sqrt(64 * 490)) < 0.75
    areas = [one.mask.sum() for one in many]
    assert min(areas) < 0.002 * np.prod(SIZE)
    as_papers = Planter(small, whole(small), Product(), 0).plant("simple", [0, 4])
    assert [one.box for one in as_papers] == [(0, 0, 96, 80)] * 2


def test_defects_lie_all_over_the_place(large: list[np.ndarray]) -> None:
    made = [one for seed in range(12) for one in Planter(large, whole(large), Product(), seed).plant("simple", [0, 1])]
    centres = np.array([(one.box[0] + one.box[2] / 2, one.box[1] + one.box[3] / 2) for one in made])
    assert (centres.min(0) < [180, 160]).all() and (centres.max(0) > [420, 370]).all()


def test_kinds_lie_in_places_of_their_own(large: list[np.ndarray]) -> None:
    planter = Planter(large, whole(large), Product(), 0)
    boxes = [one.box for kind in KINDS for one in planter.plant(kind, [0, 1])]
    assert len(set(boxes)) == len(boxes)


def test_a_small_region_of_a_small_picture_is_found(small: list[np.ndarray]) -> None:
    """Defects are drawn in shares of what is inspected, where they would hardly ever hit it."""
    mask = np.zeros((80, 96), bool)
    mask[60:72, 70:90] = True
    wide = np.zeros((80, 96), bool)
    wide[5:78, 2:90] = True
    for kind in ("scratch", "simple"):
        for seed in range(8):
            made = Planter(small, whole(small), Product(), seed, RegionOfInterest(mask)).plant(kind, [0, 1])
            assert all(one.mask_in((80, 96))[mask].any() and one.mask_in((80, 96)).sum() <= 240 for one in made)
            assert {one.box for one in made} == {(32, 16, 64, 64)}
    made = Planter(small, [(10, 0, 80, 80)] * 6, Product(), 0, RegionOfInterest(wide)).plant("simple", [0])
    assert made[0].box == (10, 5, 80, 73)


def test_defects_lie_on_the_product(texture: Callable) -> None:
    pictures = [np.full((*SIZE, 3), 10, np.uint8) for _ in range(3)]
    for seed, picture in enumerate(pictures):
        picture[380:520, 420:590] = np.maximum(texture(seed, (140, 170)), 60)
    product = Product(background=(10, 15))
    for seed in range(6):
        for one in Planter(pictures, whole(pictures), product, seed).plant("simple", [0]):
            left, top, width, height = one.box
            assert left < 590 and left + width > 420 and top < 520 and top + height > 380


@pytest.mark.parametrize("kind", KINDS)
def test_they_are_the_same_in_any_order_and_company(small: list[np.ndarray], kind: str) -> None:
    def planter(images: Sequence[np.ndarray], seed: int = 5) -> Planter:
        return Planter(images, whole(small), Product(), seed)

    together = planter(small).plant(kind, [0, 2, 5])
    assert [one.base for one in together] == [0, 2, 5]
    shuffled = planter(small).plant(kind, [5, 0, 2])
    assert all(same(*pair) for pair in zip(shuffled, [together[place] for place in (2, 0, 1)], strict=True))
    assert same(planter(small).plant(kind, [2])[0], together[1])
    decoded, other_seed = planter(Decoded(small)).plant(kind, [0, 2, 5]), planter(small, 6).plant(kind, [0, 2, 5])
    assert all(same(*pair) for pair in zip(decoded, together, strict=True))
    assert not any(same(*pair) for pair in zip(other_seed, together, strict=True))
    twice = Planter([*small, small[0]], whole([*small, small[0]]), Product(), 5)
    assert len(twice._sources()) == 7  # the picture itself is no foreign material, whatever its number
    places = [one.mask.tobytes() for one in together]
    assert len(set(places)) == 3


def test_what_is_kept_is_a_patch(large: list[np.ndarray]) -> None:
    made = [one for kind in KINDS for one in Planter(large, whole(large), Product(), 1).plant(kind, [0, 1])]
    for one in made:
        for array in (one.patch, one.mask):
            owner = array
            while isinstance(owner.base, np.ndarray):
                owner = owner.base
            assert owner.nbytes <= one.box[2] * one.box[3] * 3
    assert any(one.patch.nbytes < 0.2 * large[0].nbytes for one in made)


def test_material_is_taken_from_no_more_pictures_than_memory_allows(
    small: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planted, "SOURCE_BYTES", int(2.5 * small[0].nbytes))
    pictures = Decoded(small)
    planter = Planter(pictures, whole(small), Product(), 0)
    assert len(planter._sources()) == 2
    monkeypatch.setattr(planted, "SOURCE_BYTES", 0)
    assert len(planter._sources()) == 1
    assert planter.plant("nsa", [0, 3])


def test_where_there_is_no_place_the_picture_and_the_kind_are_named(small: list[np.ndarray]) -> None:
    flat = [np.full((64, 80, 3), 90, np.uint8)] * 3
    with pytest.raises(FlawsightError, match="picture 1: no defect 'nsa' could be placed"):
        Planter(flat, whole(flat), Product(), 0).plant("nsa", [1])
    corner = np.zeros((80, 96), bool)
    corner[:8, :8] = True
    made = Planter(small, whole(small), Product(), 0, RegionOfInterest(corner))
    try:
        masks = [one.mask_in((80, 96)) for one in made.plant("scratch", [2, 3])]
    except FlawsightError as error:
        assert "no defect 'scratch' could be placed where it is inspected" in str(error)
    else:
        assert all(mask.any() and not (mask & ~corner).any() for mask in masks)


boxes = st.tuples(st.integers(-30, 60), st.integers(-30, 60), st.integers(1, 50), st.integers(1, 50))


inner = st.tuples(st.integers(0, 30), st.integers(0, 20), st.integers(1, 50), st.integers(1, 44))


@given(inner, boxes, st.integers(0, 99))
def test_the_mask_of_a_part_is_that_part_of_the_mask(
    box: tuple[int, int, int, int], part: tuple[int, int, int, int], seed: int
) -> None:
    left, top, width, height = box
    mask = np.random.default_rng(seed).random((height, width)) < 0.5
    one = PlantedDefect(0, box, np.zeros((height, width, 3), np.uint8), mask)
    canvas = np.zeros((200, 200), bool)  # the picture, with a margin of 60
    canvas[60 + top : 60 + top + height, 60 + left : 60 + left + width] = mask
    x, y, wide, high = part
    assert np.array_equal(one.mask_of(part), canvas[60 + y : 60 + y + high, 60 + x : 60 + x + wide])
    assert np.array_equal(one.mask_in((64, 80)), canvas[60:124, 60:140])


def test_pictures_with_defects_are_composed_when_they_are_asked_for(small: list[np.ndarray]) -> None:
    made = Planter(small, whole(small), Product(), 0).plant("scratch", [4, 1])
    pictures, masks = PlantedPictures(Decoded(small), made), PlantedMasks([(80, 96)] * 2, made)
    assert len(pictures) == len(masks) == 2
    for picture, mask, one in zip(pictures, masks, made, strict=True):
        assert np.array_equal(picture, one.on(small[one.base])) and np.array_equal(mask, one.mask_in((80, 96)))
        assert (picture != small[one.base]).any(2)[mask].any()
