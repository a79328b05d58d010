"""Regions against SciPy's components, filled outlines against the mask, and the promise that a region is an alarm."""

import json
import math
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco_mask
from scipy import ndimage

from flawsight.core import FlawsightError
from flawsight.regions import Region, find_regions

EIGHT = np.ones((3, 3))


@st.composite
def scenes(draw):
    """A small map of few values or many, and a threshold that often equals one of them or nearly does."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = draw(st.tuples(st.integers(1, 12), st.integers(1, 12)))
    levels = draw(st.sampled_from([1, 2, 3, 10, 10**5]))
    dtype = draw(st.sampled_from([np.float32, np.float64, np.float16]))
    values = (rng.integers(0, levels, shape) / 7 - 0.1).astype(dtype)
    value = float(rng.choice(values.ravel()))
    near = draw(
        st.sampled_from([value, math.nextafter(value, math.inf), math.nextafter(value, -math.inf), value + 0.3])
    )
    return values, near


@settings(max_examples=400)
@given(scenes())
def test_regions_are_scipys_components(scene):
    values, threshold = scene
    regions = find_regions(values, threshold, values.shape)
    above = values.astype(np.float64) > threshold
    labels, count = ndimage.label(above, EIGHT)
    assert len(regions) == count
    assert [region.peak for region in regions] == sorted((region.peak for region in regions), reverse=True)
    for region in regions:
        x, y = region.peak_at
        own = labels == labels[y, x]
        (rows, columns) = np.nonzero(own)
        assert region.peak == values[own].max() == values[y, x]
        assert region.area_px == own.sum() and region.area_mm2 is None
        assert region.centroid == pytest.approx((columns.mean() + 0.5, rows.mean() + 0.5))
        left, top, width, height = region.box
        assert (left, top) == (columns.min(), rows.min())
        assert (left + width - 1, top + height - 1) == (columns.max(), rows.max())


@settings(max_examples=400)
@given(scenes())
def test_a_region_is_there_exactly_where_the_maximum_exceeds_the_threshold(scene):
    values, threshold = scene
    assert bool(find_regions(values, threshold, (50, 70))) == (float(values.max()) > threshold)


@pytest.mark.parametrize("value", [0.1, 1e-45, -0.0, 0.0, 3.4e38, -3.4e38, -np.inf, 16777217])
def test_float32_values_are_compared_unrounded(value):
    values = np.array([[value]], np.float32)
    exact = float(values[0, 0])
    for threshold in (exact, value, *(math.nextafter(exact, way) for way in (math.inf, -math.inf)), -math.inf):
        assert bool(find_regions(values, threshold, (1, 1))) == (exact > threshold)


def filled_by_coco(region: Region, shape: tuple[int, int]) -> np.ndarray:
    """What pycocotools makes of the outline."""
    flat = [coordinate for point in region.contour for coordinate in point]
    return coco_mask.decode(coco_mask.frPyObjects([flat], *shape))[..., 0].astype(bool)


@settings(max_examples=300)
@given(scenes())
def test_a_filled_outline_is_the_region_up_to_its_holes(scene):
    values, threshold = scene
    labels, _ = ndimage.label(values.astype(np.float64) > threshold, EIGHT)
    for region in find_regions(values, threshold, values.shape):
        x, y = region.peak_at
        whole = ndimage.binary_fill_holes(labels == labels[y, x])
        left, top, width, height = region.box
        assert (region.filled() == whole[top : top + height, left : left + width]).all()
        assert (filled_by_coco(region, values.shape) == whole).all()
        assert abs(shoelace(region.contour)) == whole.sum()


def shoelace(contour: tuple[tuple[float, float], ...]) -> float:
    x, y = np.array(contour).T
    return float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2


@settings(max_examples=150)
@given(scenes(), st.integers(1, 40), st.integers(1, 40), st.tuples(st.integers(0, 99), st.integers(0, 99)))
def test_another_resolution_and_a_corner_only_move_and_stretch(scene, height, width, corner):
    values, threshold = scene
    cells = find_regions(values, threshold, values.shape)
    regions = find_regions(values, threshold, (height, width), 0.5, corner)
    scale = np.array([width / values.shape[1], height / values.shape[0]])
    for cell, region in zip(cells, regions, strict=True):
        assert np.array(region.contour) == pytest.approx(np.array(cell.contour) * scale + corner)
        assert region.centroid == pytest.approx(np.array(cell.centroid) * scale + corner)
        assert region.area_px == pytest.approx(cell.area_px * scale.prod())
        assert region.area_mm2 == pytest.approx(region.area_px / 4)
        left, top, box_width, box_height = region.box
        low, high = np.min(region.contour, 0), np.max(region.contour, 0)
        # The box is the smallest of whole pixels around the outline, and within the area.
        assert (low - (left, top) >= 0).all() and (low - (left, top) < 1).all()
        assert ((left + box_width, top + box_height) - high + 1e-9 >= 0).all()
        assert ((left + box_width, top + box_height) - high < 1).all()
        assert corner[0] <= region.peak_at[0] < corner[0] + width
        assert corner[1] <= region.peak_at[1] < corner[1] + height
        assert region.filled().any()


def test_areas_add_up_to_the_share_above_the_threshold():
    values = np.random.default_rng(0).random((37, 53))
    regions = find_regions(values, 0.7, (480, 640))
    assert sum(region.area_px for region in regions) == pytest.approx(np.mean(values > 0.7) * 480 * 640)


def test_thousands_of_regions_in_12_megapixels_take_seconds():
    rng = np.random.default_rng(1)
    values = np.zeros((3000, 4000), np.float32)
    spots = rng.integers(0, 2990, 8000), rng.integers(0, 3990, 8000)
    for row, column in zip(*spots, strict=True):
        values[row : row + 5, column : column + 7] = 1 + rng.random()
    start = time.perf_counter()
    regions = find_regions(values, 0.5, values.shape)
    assert len(regions) > 5000 and time.perf_counter() - start < 20


def test_a_region_is_plain_json():
    (region,) = find_regions(np.pad(np.ones((2, 2), np.float32), 1), 0.5, (8, 8), 0.1)
    assert json.loads(json.dumps(region.to_dict())) == region.to_dict()


GOOD = np.zeros((4, 4), np.float32)


@pytest.mark.parametrize(
    ("values", "threshold", "size", "pitch", "message"),
    [
        (GOOD + np.nan, 0.5, (4, 4), None, "holds nan"),
        (GOOD + np.inf, 0.5, (4, 4), None, "holds inf"),
        (GOOD[0], 0.5, (4, 4), None, r"shape \(h, w\)"),
        (GOOD[:0], 0.5, (4, 4), None, r"shape \(h, w\)"),
        (GOOD.astype(complex), 0.5, (4, 4), None, "real numbers"),
        (GOOD, math.nan, (4, 4), None, "threshold"),
        (GOOD, 0.5, (0, 4), None, "positive height"),
        (GOOD, 0.5, (4, 4), 0.0, "--mm-per-pixel must be above 0"),
        (GOOD, 0.5, (4, 4), -1.0, "--mm-per-pixel must be above 0"),
        (GOOD, 0.5, (4, 4), math.nan, "--mm-per-pixel must be above 0"),
    ],
)
def test_bad_input_is_explained(values, threshold, size, pitch, message):
    with pytest.raises(FlawsightError, match=message):
        find_regions(values, threshold, size, pitch)
