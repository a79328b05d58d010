"""Which views are tried: those that were named, or those that make sense for the pictures."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flawsight.selection.pictures import candidate_views
from flawsight.settings import ViewOptions
from flawsight.views import View


def texts(sizes: list[tuple[int, int]], may_cut: bool = True, **options: object) -> list[str]:
    return [view.text for view in candidate_views(ViewOptions.of(options), sizes, may_cut)]


AUTO = {"view": "auto", "image_size": "auto"}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ["squash at 256"]),
        ({"view": "whole", "image_size": "128,64"}, ["whole at 128", "whole at 64"]),
        ({"view": "tiles", "image_size": 64}, ["tiles of 64 pixels at 64"]),
        ({"view": "tiles", "image_size": "64,96", "tile": 80}, [f"tiles of 80 pixels at {side}" for side in (64, 96)]),
        ({"view": "squash", "image_size": "auto"}, ["squash at 256", "squash at 384", "squash at 512"]),
        ({"view": "tiles", "image_size": "auto"}, [f"tiles of {side} pixels at {side}" for side in (256, 384, 512)]),
    ],
)
def test_those_that_were_named(options: dict, expected: list[str]) -> None:
    assert texts([(1000, 1000)], **options) == expected


def test_the_overlap_is_what_was_asked_for() -> None:
    for view in ("tiles", "auto"):
        found = candidate_views(ViewOptions.of({"view": view, "image_size": 64, "overlap": 0.3}), [(400, 400)])
        assert {one.overlap for one in found if one.kind == "tiles"} == {0.3}


def test_squares_are_squashed_or_cut_and_longer_ones_seen_whole_too() -> None:
    assert texts([(1030, 1030)] * 3, **AUTO) == [
        "squash at 256", "squash at 384", "squash at 512", "tiles of 512 pixels at 256", "tiles of 256 pixels at 256",
    ]  # fmt: skip
    assert texts([(1300, 1600)], **AUTO) == [
        "squash at 256", "whole at 256", "squash at 384", "whole at 384", "squash at 512", "whole at 512",
        "tiles of 1024 pixels at 256", "tiles of 512 pixels at 256", "tiles of 256 pixels at 256",
    ]  # fmt: skip


def test_a_strip_is_cut_across_its_width() -> None:
    assert "tiles of 200 pixels at 256" in texts([(200, 900)], **AUTO)
    assert "tiles of 200 pixels at 256" not in texts([(200, 500)], **AUTO)


def test_small_pictures_are_not_enlarged_much_nor_cut() -> None:
    assert texts([(100, 100)], **AUTO) == ["squash at 256"]
    assert texts([(140, 150)], **AUTO) == ["squash at 256"]
    assert texts([(200, 200)], **AUTO) == ["squash at 256", "squash at 384"]
    assert texts([(90, 90)], view="auto", image_size="64,96") == ["squash at 64", "squash at 96"]


def test_pictures_much_larger_than_the_size_that_was_named_are_cut_unless_squashing_was_asked_for() -> None:
    cut = ["squash at 64", "squash at 96", "tiles of 128 pixels at 64", "tiles of 64 pixels at 64"]
    assert texts([(300, 300)], image_size="64,96") == cut
    assert texts([(300, 300)], image_size="64,96", view="squash") == cut[:2]
    assert texts([(300, 300)], may_cut=False, image_size="64,96") == cut[:2]
    assert texts([(256, 256)], image_size=64) == ["squash at 64"] != texts([(80, 240)], image_size=64)


def test_a_tile_that_was_named_is_tried() -> None:
    assert texts([(500, 500)], view="auto", image_size=64, tile=100) == ["squash at 64", "tiles of 100 pixels at 64"]


sizes = st.lists(st.tuples(st.integers(40, 3000), st.integers(40, 3000)), min_size=1, max_size=5)


@given(sizes, st.sampled_from([(64,), (64, 128), (256,), ()]), st.booleans())
def test_every_candidate_fits_every_picture_and_none_comes_twice(
    sizes: list[tuple[int, int]], sides: tuple[int, ...], may_cut: bool
) -> None:
    options = ViewOptions.of({"view": "auto", "image_size": sides or "auto"})
    found = candidate_views(options, sizes, may_cut)
    assert len(set(found)) == len(found) and found[0].kind == "squash"
    for view in found:
        assert may_cut or view.kind != "tiles"
        assert not sides or view.side in sides
        assert all(view.frame(size).tiles >= 1 for size in sizes)
    assert View("squash", found[0].side) == found[0]
