"""AU-PRO and pixel AU-ROC against a brute-force oracle: one threshold per distinct score, nothing clever."""

import tracemalloc
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from sklearn.metrics import roc_auc_score

from flawsight.core import FlawsightError
from flawsight.metrics import PixelTruth, aupro, aupro_curve, pixel_auroc


def brute_force_aupro(maps, masks, limit):
    regions = []
    for index, mask in enumerate(masks):
        labels, count = ndimage.label(mask, np.ones((3, 3)))
        regions += [maps[index][labels == region + 1] for region in range(count)]
    normal = np.concatenate([array[mask == 0] for array, mask in zip(maps, masks, strict=True)])
    points = [(0.0, 0.0)]
    for threshold in np.unique(np.concatenate([array.ravel() for array in maps]))[::-1]:
        points.append((np.mean(normal >= threshold), np.mean([np.mean(region >= threshold) for region in regions])))
    points.append((1.0, 1.0))
    area = 0.0
    for (x0, y0), (x1, y1) in pairwise(points):
        if x0 < limit and x1 > x0:
            end = min(x1, limit)
            area += (end - x0) * (y0 + y0 + (y1 - y0) * (end - x0) / (x1 - x0)) / 2
    return area / limit


@st.composite
def scenes(draw):
    """A few tiny images of different sizes, scores from few levels (heavy ties) or many, masks of any density."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    levels = draw(st.sampled_from([1, 2, 3, 7, 50, 10**6]))
    density = draw(st.sampled_from([0.02, 0.1, 0.3, 0.7, 0.95]))
    dtype = draw(st.sampled_from([np.float32, np.float64]))
    shapes = draw(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=4))
    maps = [(rng.integers(0, levels, shape) / 7 - 1).astype(dtype) for shape in shapes]
    masks = [rng.random(shape) < density for shape in shapes]
    if draw(st.booleans()):
        masks[-1] = np.zeros(shapes[-1], bool)
    return maps, masks


def usable(masks):
    share = np.concatenate([mask.ravel() for mask in masks]).mean()
    return 0 < share < 1


@settings(max_examples=400)
@given(scenes(), st.sampled_from([1e-9, 0.01, 0.05, 0.25, 0.3, 0.5, 1.0]) | st.floats(0.001, 1.0))
def test_aupro_equals_the_brute_force_oracle(scene, limit):
    maps, masks = scene
    if not usable(masks):
        with pytest.raises(FlawsightError):
            aupro(maps, masks, limit)
        return
    expected = brute_force_aupro(maps, masks, limit)
    assert aupro(maps, masks, limit) == pytest.approx(expected, rel=1e-9, abs=1e-9)
    assert PixelTruth(masks).figures(maps, (limit,)).aupro[0] == pytest.approx(expected, rel=1e-9, abs=1e-9)


@settings(max_examples=150)
@given(scenes())
def test_pixel_auroc_equals_scikit_learn(scene):
    maps, masks = scene
    if usable(masks):
        flat = np.concatenate([mask.ravel() for mask in masks]), np.concatenate([array.ravel() for array in maps])
        assert pixel_auroc(maps, masks) == pytest.approx(roc_auc_score(*flat), abs=1e-12)


@settings(max_examples=100)
@given(scenes(), st.sampled_from([0.05, 0.3, 1.0]))
def test_only_the_order_of_scores_matters(scene, limit):
    maps, masks = scene
    if usable(masks):
        ranks = np.unique(np.concatenate([array.ravel() for array in maps]), return_inverse=True)[1]
        cuts = np.cumsum([array.size for array in maps])[:-1]
        ranked = [part.reshape(m.shape) ** 3 for part, m in zip(np.split(ranks, cuts), maps, strict=True)]
        assert aupro(ranked, masks, limit) == aupro(maps, masks, limit)
        assert pixel_auroc(ranked, masks) == pixel_auroc(maps, masks)


@settings(max_examples=100)
@given(scenes(), st.floats(0.01, 1.0))
def test_the_curve_rises_from_the_origin_to_the_limit_and_holds_the_area(scene, limit):
    maps, masks = scene
    if usable(masks):
        fpr, pro = aupro_curve(maps, masks, limit)
        assert (fpr[0], pro[0], fpr[-1]) == (0, 0, limit)
        assert (np.diff(fpr) >= 0).all() and (np.diff(pro) >= 0).all() and pro[-1] <= 1
        area = np.sum(np.diff(fpr) * (pro[1:] + pro[:-1])) / 2
        assert area / limit == pytest.approx(aupro(maps, masks, limit), abs=1e-12)


def test_a_curve_worked_out_by_hand():
    maps = np.array([[[9.0, 5.0, 5.0, 1.0, 3.0]]])
    masks = np.array([[[1, 1, 0, 0, 0]]])
    fpr, pro = aupro_curve(maps, masks, 1.0)
    # 9: half the region; 5: the other half ties with one of three normal pixels, a diagonal; then flat.
    assert fpr == pytest.approx([0, 0, 0, 0, 1 / 3, 1, 1])
    assert pro == pytest.approx([0, 0, 0.5, 0.5, 1, 1, 1])
    assert aupro(maps, masks, 1.0) == pytest.approx(0.25 + 2 / 3)
    assert aupro(maps, masks, 1 / 6) == pytest.approx(0.625)  # interpolated half-way up the diagonal


def test_regions_that_touch_diagonally_are_one():
    mask = np.zeros((1, 5, 5), np.uint8)
    mask[0, 0, 0] = mask[0, 1, 1] = mask[0, 2, 0] = mask[0, 4, 4] = 1
    assert PixelTruth(mask).regions == 2
    maps = np.zeros((1, 5, 5))
    maps[0, 4, 4] = 2  # the whole lone region, found before any normal pixel; the other three pixels never are
    maps[mask == 0] = 1
    assert aupro(maps, mask, 0.3) == pytest.approx(0.5)


def test_small_regions_weigh_as_much_as_large_ones():
    mask = np.zeros((1, 20, 20), bool)
    mask[0, :10, :10] = mask[0, 15, 15] = True
    found_large = np.where(mask, 2.0, 1.0)
    found_large[0, 15, 15] = 0.0
    assert aupro(found_large, mask) == pytest.approx(0.5)
    assert pixel_auroc(found_large, mask) == pytest.approx(100 / 101)


@pytest.mark.parametrize("limit", [0.01, 0.3, 1.0])
def test_constant_maps_score_like_chance(limit):
    mask = np.zeros((2, 6, 6), bool)
    mask[0, 1:3, 1:3] = True
    assert aupro(np.ones((2, 6, 6)), mask, limit) == pytest.approx(limit / 2)
    assert pixel_auroc(np.ones((2, 6, 6)), mask) == 0.5


def test_perfect_and_reversed_maps():
    mask = np.zeros((2, 8, 8), bool)
    mask[0, 2:5, 2:5] = True
    assert aupro(mask * 1.0, mask) == pytest.approx(1.0)
    assert aupro(-1.0 * mask, mask) == 0.0
    assert pixel_auroc(mask, mask) == 1.0


def test_a_good_image_needs_no_mask_and_any_nonzero_mask_value_is_defective():
    rng = np.random.default_rng(1)
    maps = [rng.random((4, 7)), rng.random((5, 3))]
    mask = np.zeros((4, 7), np.uint8)
    mask[1, 2:5] = 255
    full = aupro(maps, [mask > 0, np.zeros((5, 3), bool)])
    assert aupro(maps, [mask, None]) == full
    assert aupro(maps, [mask // 255, None]) == full


def test_float32_scores_are_not_merged_and_float64_scores_are_not_rounded():
    mask = np.array([[[1, 0, 0, 0]]])
    close = np.array([[[1 + 1e-12, 1.0, 0.0, 0.0]]])
    assert pixel_auroc(close, mask) == 1.0
    assert pixel_auroc(close.astype(np.float32), mask) == pytest.approx(2.5 / 3)
    mixed = [np.array([[1 + 1e-12]]), np.array([[1.0]], np.float32)]
    assert pixel_auroc(mixed, [np.array([[1]]), None]) == 1.0
    assert pixel_auroc([np.array([[2**24 + 1, 2**24]])], [np.array([[1, 0]])]) == 1.0


def test_infinite_scores_rank_like_any_other():
    mask = np.array([[[1, 0, 1, 0, 0, 0]]])
    finite = np.array([[[3.0, 3.0, -3.0, -3.0, 1.0, -3.0]]])
    infinite = np.where(np.abs(finite) == 3, np.copysign(np.inf, finite), finite)
    for limit in (0.1, 0.3, 0.5, 0.9, 1.0):
        assert aupro(infinite, mask, limit) == aupro(finite, mask, limit)
    assert pixel_auroc(infinite, mask) == pixel_auroc(finite, mask)


def test_one_truth_serves_many_maps_and_leaves_them_alone():
    rng = np.random.default_rng(2)
    masks = rng.random((3, 12, 12)) < 0.1
    truth = PixelTruth(masks)
    for _ in range(3):
        maps = rng.random((3, 12, 12), dtype=np.float32)
        before = maps.copy()
        assert truth.aupro(maps, 0.2) == aupro(maps, masks, 0.2)
        area, (small, large) = truth.figures(maps, (0.05, 0.3))
        assert (small, large) == (truth.aupro(maps, 0.05), truth.aupro(maps, 0.3))
        assert area == truth.pixel_auroc(maps)
        assert (maps == before).all()


def test_a_subset_is_the_truth_of_those_images():
    rng = np.random.default_rng(3)
    masks, maps = rng.random((4, 9, 9)) < 0.1, rng.random((4, 9, 9))
    part = PixelTruth(masks).subset([3, 0])
    assert len(part) == 2
    assert part.aupro(maps[[3, 0]]) == aupro(maps[[3, 0]], masks[[3, 0]])


def test_memory_stays_near_one_copy_of_the_scores():
    rng = np.random.default_rng(4)
    maps = rng.random((8, 256, 256), dtype=np.float32)
    masks = np.zeros(maps.shape, bool)
    masks[:, 20:50, 30:60] = True
    truth = PixelTruth(masks)
    tracemalloc.start()
    truth.aupro(maps)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 * maps.nbytes


BOX = np.zeros((2, 4, 4), bool)
BOX[0, 1, 1] = True
NAN = np.ones((2, 4, 4))
NAN[1, 2, 2] = np.nan


@pytest.mark.parametrize("measure", [aupro, aupro_curve, pixel_auroc])
@pytest.mark.parametrize(
    ("maps", "masks", "message"),
    [
        (np.ones((2, 4, 4)), np.zeros((2, 4, 4)), "no mask has a defect"),
        (np.ones((2, 4, 4)), [None, None], "no mask has a defect"),
        ([], [], "no mask has a defect"),
        (np.ones((2, 4, 4)), np.ones((2, 4, 4)), "normal pixels"),
        (NAN, BOX, "map 1 contains nan"),
        (np.where(BOX, np.nan, 1.0), BOX, "map 0 contains nan"),
        ([np.ones((4, 4)), np.ones((4, 5))], BOX, "map 1 has the shape"),
        (np.ones((3, 4, 4)), BOX, "3 maps but 2 masks"),
        (np.ones((2, 4, 4, 1)), BOX, "map 0 must have the shape"),
        (np.ones((2, 4, 4)), BOX[..., None], "mask 0 must have the shape"),
        ([np.ones((4, 4)), np.ones((0, 4))], [BOX[0], None], "map 1 must have the shape"),
        (np.ones((2, 4, 4), complex), BOX, "real numbers"),
    ],
)
def test_bad_input_is_explained(measure, maps, masks, message):
    with pytest.raises(FlawsightError, match=f"(?i){message}"):
        measure(maps, masks)


@pytest.mark.parametrize("limit", [0, -0.1, 1.01, float("nan")])
def test_a_limit_outside_0_to_1_is_refused(limit):
    with pytest.raises(FlawsightError, match="limit"):
        aupro(np.ones((2, 4, 4)), BOX, limit)
    with pytest.raises(FlawsightError, match="limit"):
        PixelTruth(BOX).figures(np.ones((2, 4, 4)), (limit,))
