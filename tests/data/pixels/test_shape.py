"""Proportions and sizes that were learned, and what is beyond them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from flawsight.core import FlawsightError
from flawsight.data import PixelFormat, check_shape, learn_pixel_format
from flawsight.data.pixels.shape import extremes, ranges_of


def of(*sizes: tuple[int, int]) -> PixelFormat:
    return PixelFormat(sizes=extremes(sizes), aspects=ranges_of(sizes))


@pytest.mark.parametrize(
    ("sizes", "fit", "do_not"),
    [
        ([(96, 96)], [(96, 96), (95, 96), (50, 50), (190, 190)], [(96, 192), (192, 96), (96, 105), (40, 40)]),
        ([(80, 96), (96, 80)], [(80, 96), (96, 80), (160, 192)], [(88, 88), (96, 192)]),
        ([(100, 100), (100, 106), (100, 112), (100, 119)], [(100, 110), (100, 125)], [(100, 150), (150, 100)]),
    ],
    ids=["one", "upright and across", "cut out by hand"],
)  # fmt: skip
def test_what_fits(sizes: list, fit: list, do_not: list) -> None:
    for size in fit:
        check_shape("a.png", size, of(*sizes))
    for size in do_not:
        with pytest.raises(FlawsightError, match=rf"a\.png is {size[1]} x {size[0]} pixels, .*learned was"):
            check_shape("a.png", size, of(*sizes))


def test_nothing_learned_fits_all() -> None:
    check_shape("a.png", (1, 1000), PixelFormat())


def test_few_of_other_proportions_are_named(tmp_path: Path, make_scene: Callable, write: Callable) -> None:
    paths = [write(tmp_path / f"{seed}.png", make_scene(seed)) for seed in range(9)]
    assert not learn_pixel_format(paths).concerns
    wide = write(tmp_path / "wide.png", np.tile(make_scene(9), (1, 2, 1)))
    (concern,) = learn_pixel_format([*paths, wide]).concerns
    assert concern.startswith("1 of 10 good pictures have other proportions") and "wide.png is 120 x 48" in concern
