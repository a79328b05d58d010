"""Counts at one threshold against scikit-learn and SciPy, component by component."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from sklearn.metrics import f1_score

from flawsight.core import FlawsightError
from flawsight.metrics import ThresholdCounts, seg_f1, threshold_counts


@st.composite
def scenes(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shapes = draw(st.lists(st.tuples(st.integers(1, 12), st.integers(1, 12)), min_size=1, max_size=4))
    density = draw(st.sampled_from([0.0, 0.05, 0.3, 0.9]))
    maps = [(rng.integers(0, 6, shape) / 7).astype(np.float32) for shape in shapes]
    value = float(rng.choice(maps[0].ravel()))
    threshold = draw(st.sampled_from([value, math.nextafter(value, 1), math.nextafter(value, -1), 0.6]))
    return maps, [rng.random(shape) < density for shape in shapes], threshold


def components(mask):
    labels, count = ndimage.label(mask, np.ones((3, 3)))
    return [labels == label + 1 for label in range(count)]


@settings(max_examples=300)
@given(scenes())
def test_counts_are_those_of_every_component_looked_at_alone(scene):
    maps, masks, threshold = scene
    total = ThresholdCounts.total(threshold_counts(*pair, threshold) for pair in zip(maps, masks, strict=True))
    marked = [array.astype(np.float64) > threshold for array in maps]
    pairs = list(zip(masks, marked, strict=True))
    hits = [bool((part & found).any()) for mask, found in pairs for part in components(mask)]
    false = [not (part & mask).any() for mask, found in pairs for part in components(found)]
    assert (total.defects, total.defects_hit, total.false_regions) == (len(hits), sum(hits), sum(false))
    assert total.hit_rate == (np.mean(hits) if hits else None)
    assert total.false_regions_per_image == sum(false) / len(maps)
    if hits:
        truth, found = (np.concatenate([one.ravel() for one in arrays]) for arrays in (masks, marked))
        assert total.seg_f1 == seg_f1(maps, masks, threshold) == pytest.approx(f1_score(truth, found))
    else:
        assert total.seg_f1 is None


def test_a_good_image_needs_no_mask():
    values = np.eye(5)
    assert threshold_counts(values, None, 0.5) == threshold_counts(values, np.zeros((5, 5)), 0.5)


def test_nothing_counted_is_no_rate():
    nothing = ThresholdCounts.total([])
    assert (nothing.seg_f1, nothing.hit_rate, nothing.false_regions_per_image) == (None, None, None)


@pytest.mark.parametrize(
    ("maps", "masks", "message"),
    [
        ([np.eye(4)], [np.eye(5)], "resize it to its mask"),
        ([np.eye(4)], [np.eye(4), None], "1 maps but 2 masks"),
        ([np.eye(4) * np.nan], [np.eye(4)], "NaN"),
        ([np.eye(4)], [None], "No mask has a defect"),
    ],
)
def test_bad_input_is_explained(maps, masks, message):
    with pytest.raises(FlawsightError, match=message):
        seg_f1(maps, masks, 0.5)
