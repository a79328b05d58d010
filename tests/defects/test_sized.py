"""Defects of a given size: as large as was said, where they may lie, and marked exactly where something changed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flawsight.core import FlawsightError
from flawsight.defects import SIZED, draw_sized, side_of

SIDE = 160


def surface(seed: int, sigma: float = 12.0, level: float = 128.0, colour: bool = False) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(level, sigma, (SIDE, SIDE, 3 if colour else 1))
    return np.clip(noise, 0, 255).astype(np.uint8).repeat(1 if colour else 3, axis=2)


@given(st.sampled_from(list(SIZED)), st.integers(1, 16), st.integers(0, 10_000), st.booleans())
def test_what_is_marked_is_what_changed(kind: str, size: int, seed: int, colour: bool) -> None:
    image = surface(seed % 5, colour=colour)
    before = image.copy()
    bad, mask = draw_sized(kind, image, size, 4.0, np.random.default_rng(seed), source=surface(7))
    assert (image == before).all()
    assert ((bad != image).any(axis=2) == mask).all()
    if kind == "scratch":
        assert side_of(mask) ** 2 >= 0.8 * mask.sum()
    else:
        assert 0.8 * size**2 <= mask.sum() <= size**2


@pytest.mark.parametrize("kind", SIZED)
def test_the_same_seed_makes_the_same(kind: str) -> None:
    first, again, other = (
        draw_sized(kind, surface(0), 6, 4.0, np.random.default_rng(seed), source=surface(1))[0] for seed in (3, 3, 4)
    )
    assert (first == again).all() and (first != other).any()


@pytest.mark.parametrize("size", [1, 2, 3, 5, 9])
def test_a_scratch_is_as_wide_as_was_said(size: int) -> None:
    """Its area over its length, which is that of the middle line: the mask thinned by what its width took away."""
    wide = []
    for seed in range(20):
        _, mask = draw_sized("scratch", surface(seed), size, 4.0, np.random.default_rng(seed))
        rows, columns = np.nonzero(mask)
        extent = np.hypot(np.ptp(rows) + 1, np.ptp(columns) + 1)  # of a line that hardly bends, its length
        wide.append(mask.sum() / max(extent, 1))
    assert np.median(wide) == pytest.approx(size, abs=0.35 + 0.12 * size)


@pytest.mark.parametrize("kind", SIZED)
@pytest.mark.parametrize("contrast", [2.0, 5.0])
def test_the_contrast_is_in_units_of_the_local_spread(kind: str, contrast: float) -> None:
    for sigma in (6.0, 14.0):
        image = surface(1, sigma)
        moved = []
        for seed in range(12):
            bad, mask = draw_sized(kind, image, 8, contrast, np.random.default_rng(seed), source=surface(2, sigma))
            moved.append(abs(float(bad[mask].mean()) - float(image[mask].mean())))
        assert np.mean(moved) == pytest.approx(contrast * sigma, rel=0.2)


def test_an_even_surface_has_a_spread_of_its_own() -> None:
    bad, mask = draw_sized("spot", np.full((SIDE, SIDE, 3), 90, np.uint8), 6, 4.0, np.random.default_rng(0))
    assert set(np.abs(bad[mask].astype(int) - 90).ravel().tolist()) == {12}


@pytest.mark.parametrize("level", [2.0, 253.0])
def test_near_black_or_white_it_goes_the_other_way(level: float) -> None:
    image = surface(0, 2.0, level)
    for seed in range(10):
        bad, mask = draw_sized("spot", image, 6, 8.0, np.random.default_rng(seed))
        assert abs(float(bad[mask].mean()) - level) > 12


@pytest.mark.parametrize("kind", SIZED)
def test_it_lies_where_it_may(kind: str) -> None:
    allowed = np.zeros((SIDE, SIDE), bool)
    allowed[40:120, 30:150] = True
    for seed in range(10):
        rng = np.random.default_rng(seed)
        _, mask = draw_sized(kind, surface(0), 3, 4.0, rng, allowed=allowed, source=surface(1))
        assert mask.any() and not (mask & ~allowed).any()


def test_without_room_it_is_refused() -> None:
    small = surface(0)[:12, :12]
    for kind in SIZED:
        with pytest.raises(FlawsightError, match="could be placed"):
            draw_sized(kind, small, 40, 4.0, np.random.default_rng(0))
        with pytest.raises(FlawsightError, match="could be placed"):
            draw_sized(kind, small, 2, 4.0, np.random.default_rng(0), allowed=np.zeros((12, 12), bool))
    for wrong in (0, -1):
        with pytest.raises(FlawsightError, match="size of 1 pixel"):
            draw_sized("spot", small, wrong, 4.0, np.random.default_rng(0))
    with pytest.raises(FlawsightError, match=r"unknown kind of defect that can be sized 'scrach'.*scratch"):
        draw_sized("scrach", small, 2, 4.0, np.random.default_rng(0))


def test_the_size_of_a_mask_is_that_of_its_largest_part() -> None:
    mask = np.zeros((30, 30), bool)
    assert side_of(mask) == 0
    mask[0:3, 0:3] = mask[3:5, 3:5] = True  # they touch at a corner: one part of 13 pixels
    mask[20:22, 20:25] = True
    assert side_of(mask) == pytest.approx(13**0.5)
