"""Drawings become pixels: a pixel is inside where its centre is."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flawsight.data.masks import Drawing, Outline, Runs, ellipse, rectangle

SIZE = (40, 50)


def drawn(*shapes: Outline | Runs) -> np.ndarray:
    return Drawing(shapes, None, "here").pixels(SIZE)


@given(st.tuples(st.floats(-5, 45), st.floats(-5, 45), st.floats(1, 30), st.floats(1, 30)))
def test_a_rectangle_holds_the_centres_inside(box):
    left, top, width, height = box
    y, x = np.mgrid[: SIZE[0], : SIZE[1]] + 0.5
    inside = (left < x) & (x < left + width) & (top < y) & (y < top + height)
    found = drawn(rectangle(left, top, left + width, top + height))
    on_edge = np.isclose(x, left) | np.isclose(x, left + width) | np.isclose(y, top) | np.isclose(y, top + height)
    if inside.any():
        assert np.array_equal(found | on_edge, inside | on_edge)


def test_turned_shapes_and_circles():
    assert np.array_equal(drawn(rectangle(10, 10, 30, 20, 90)), drawn(rectangle(15, 5, 25, 25)))
    assert drawn(ellipse(25, 20, 10, 10)).sum() == pytest.approx(np.pi * 100, rel=0.02)
    assert np.array_equal(drawn(ellipse(25, 20, 12, 5, 90)), drawn(ellipse(25, 20, 5, 12)))


def test_a_polygon_with_a_hole_in_its_outline():
    star = Outline(((5, 5), (45, 5), (45, 35), (5, 35), (5, 5), (15, 15), (15, 25), (35, 25), (35, 15), (15, 15)))
    found = drawn(star)
    assert not found[20, 25] and found[8, 25]


def test_slivers_and_lines_are_never_lost():
    assert drawn(Outline(((3.2, 3.6), (30.2, 3.6), (30.2, 3.9)))).any()
    line = drawn(Outline(((5, 5), (25, 5)), is_closed=False))
    assert line[5, 5:26].all() and line.sum() == 21
    assert drawn(Outline(((7.5, 8.5),), is_closed=False))[8, 7]


@given(st.lists(st.booleans(), min_size=12, max_size=12), st.booleans(), st.integers(-2, 48), st.integers(-3, 38))
def test_runs_are_cut_to_the_picture(bits, along_columns, left, top):
    window = np.array(bits).reshape(3, 4)
    flat = window.T.ravel() if along_columns else window.ravel()
    changes = np.flatnonzero(np.diff(flat.astype(int), prepend=0))
    lengths = tuple(np.diff([0, *changes, flat.size]).tolist())
    padded = np.zeros((SIZE[0] + 20, SIZE[1] + 20), bool)
    padded[top + 10 : top + 13, left + 10 : left + 14] = window
    found = drawn(Runs(lengths, window.shape, (left, top), along_columns))
    assert np.array_equal(found, padded[10 : SIZE[0] + 10, 10 : SIZE[1] + 10])
