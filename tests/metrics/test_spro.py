"""AU-sPRO against a brute-force oracle: one threshold per distinct score, every defect counted on its own."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from flawsight.core import FlawsightError
from flawsight.metrics import Defect, PixelTruth, aupro, auspro


def united(maps, defects):
    pairs = zip(maps, defects, strict=True)
    return [np.logical_or.reduce([np.zeros(m.shape, bool), *(one.mask for one in some)]) for m, some in pairs]


def brute_force(maps, defects, limit):
    normal = np.concatenate([array[~mask] for array, mask in zip(maps, united(maps, defects), strict=True)])
    points = [(0.0, 0.0)]
    for threshold in np.unique(np.concatenate([array.ravel() for array in maps]))[::-1]:
        shares = [
            min(np.sum(array[one.mask] >= threshold) / min(one.saturation or np.inf, one.mask.sum()), 1)
            for array, some in zip(maps, defects, strict=True)
            for one in some
        ]
        points.append((np.mean(normal >= threshold), np.mean(shares)))
    fpr, spro = np.array([*points, (1.0, 1.0)]).T
    inside = fpr <= limit
    x, y = np.append(fpr[inside], limit), np.append(spro[inside], np.interp(limit, fpr, spro))
    return np.sum(np.diff(x) * (y[1:] + y[:-1])) / 2 / limit


@st.composite
def scenes(draw):
    """Tiny images with a few defects each, in pieces, overlapping, saturating early, late or never; heavy ties."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    levels = draw(st.sampled_from([1, 2, 5, 10**6]))
    shapes = draw(st.lists(st.tuples(st.integers(1, 8), st.integers(2, 8)), min_size=1, max_size=3))
    maps = [rng.integers(0, levels, shape) / 7 for shape in shapes]
    defects = []
    for shape in shapes:
        masks = [rng.random(shape) < 0.3 for _ in range(rng.integers(0, 4))]
        enough = [None, 1, 2, 2.5, 3, 100]
        defects.append([Defect(mask, enough[rng.integers(6)]) for mask in masks if mask.any()])
    return maps, defects


def usable(maps, defects):
    marked = sum(np.logical_or.reduce([d.mask for d in some]).sum() for some in defects if some)
    return 0 < marked < sum(array.size for array in maps)


@settings(max_examples=400)
@given(scenes(), st.sampled_from([0.05, 0.3, 1.0]) | st.floats(0.01, 1.0))
def test_auspro_equals_the_brute_force_oracle(scene, limit):
    maps, defects = scene
    if not usable(maps, defects):
        with pytest.raises(FlawsightError):
            auspro(maps, defects, limit)
        return
    assert auspro(maps, defects, limit) == pytest.approx(brute_force(maps, defects, limit), rel=1e-9, abs=1e-9)


@settings(max_examples=150)
@given(scenes(), st.sampled_from([0.05, 0.3, 1.0]), st.booleans())
def test_components_that_saturate_with_their_area_give_aupro(scene, limit, is_said):
    maps, defects = scene
    if not usable(maps, defects):
        return
    parts = []
    for mask in united(maps, defects):
        labels, count = ndimage.label(mask, np.ones((3, 3)))
        each = [labels == label + 1 for label in range(count)]
        parts.append([Defect(one, one.sum() if is_said else None) for one in each])
    assert auspro(maps, parts, limit) == pytest.approx(aupro(maps, united(maps, defects), limit), abs=1e-12)


def test_a_saturated_defect_need_not_be_covered():
    mask = np.zeros((10, 10), bool)
    mask[2:6, 2:8] = True
    half = np.zeros((10, 10))
    half[2:4, 2:8] = 1
    assert auspro([half], [[Defect(mask, 12)]]) == pytest.approx(1)
    assert auspro([half], [[Defect(mask, 24)]], 0.3) == pytest.approx(aupro([half], [mask], 0.3))
    # One defect in two pieces is one defect: a piece is enough if its area is.
    assert auspro([half], [[Defect(mask, 12), Defect(half > 0)]]) == pytest.approx(1)


def test_a_subset_keeps_what_saturates():
    rng = np.random.default_rng(0)
    maps, mask = rng.random((3, 8, 8)), rng.random((8, 8)) < 0.3
    defects = [[Defect(mask, 3)], [], [Defect(mask, 1)]]
    part = PixelTruth.of_defects(defects).subset([2, 1])
    assert part.aupro(maps[[2, 1]], 0.3) == auspro(maps[[2, 1]], [defects[2], []], 0.3)


@pytest.mark.parametrize(
    ("defects", "message"),
    [
        ([Defect(np.zeros((4, 4)))], "no pixel"),
        ([Defect(np.eye(4), 0)], "not above 0"),
        ([Defect(np.eye(4), float("nan"))], "not above 0"),
        ([Defect(np.eye(4)), Defect(np.eye(5))], "differ in shape"),
        ([Defect(np.ones(4))], r"Mask 0 must have the shape \(H, W\)"),
    ],
)
def test_bad_defects_are_explained(defects, message):
    with pytest.raises(FlawsightError, match=message):
        auspro([np.zeros((4, 4))], [defects])
