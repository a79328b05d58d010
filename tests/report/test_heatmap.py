import numpy as np
import pytest

from flawsight.core import FlawsightError
from flawsight.report import ColourScale, overlay
from flawsight.report.heatmap import gradient

SCALE = ColourScale(low=1.0, threshold=3.0)


def flat_map(value: float) -> np.ndarray:
    return np.full((40, 60), value, dtype=np.float32)


def picture(colour: tuple[int, int, int]) -> np.ndarray:
    return np.full((40, 60, 3), colour, dtype=np.uint8)


def test_the_scale_is_anchored_at_the_threshold():
    values = np.array([-9, 1, 2, 3, 4, 5, 99], dtype=np.float32)
    np.testing.assert_allclose(SCALE(values), [0, 0, 0.25, 0.5, 0.75, 1, 1])
    assert SCALE(values).dtype == np.float32


def test_far_below_the_threshold_the_picture_is_untouched():
    image = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    np.testing.assert_array_equal(overlay(image, flat_map(1.9), SCALE), image)


def test_colours_do_not_depend_on_the_rest_of_the_picture():
    values = flat_map(1.0)
    values[10, 10] = 3.4
    alone = overlay(picture((90, 90, 90)), values, SCALE, contour=False)[10, 10]
    values[30, 30] = 1000.0
    np.testing.assert_array_equal(overlay(picture((90, 90, 90)), values, SCALE, contour=False)[10, 10], alone)


def test_heat_goes_from_yellow_at_the_threshold_to_red():
    at, above = (overlay(picture((90, 90, 90)), flat_map(value), SCALE)[20, 30].astype(int) for value in (3.0, 5.0))
    assert at[0] > at[2] + 60 and at[1] > at[2] + 60
    assert above[0] > above[1] + 100 and above[0] > above[2] + 100


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (210, 20, 40), (250, 210, 30), (128, 128, 128)])
def test_anomalies_stand_out_on_any_product(colour):
    values = flat_map(1.0)
    values[10:30, 20:40] = 3.2
    changed = np.abs(overlay(picture(colour), values, SCALE).astype(int) - colour).max(axis=2)
    edge = changed[9:31, 20:40].max(axis=0)
    assert edge.min() > 100
    assert changed[:5].max() == 0


def test_only_what_exceeds_the_threshold_is_outlined():
    at_threshold = flat_map(1.0)
    at_threshold[10:30, 20:40] = 3.0
    image = picture((90, 90, 90))
    plain = overlay(image, at_threshold, SCALE, contour=False)
    np.testing.assert_array_equal(overlay(image, at_threshold, SCALE), plain)
    assert (overlay(image, at_threshold + 0.1, SCALE) != overlay(image, at_threshold + 0.1, SCALE, contour=False)).any()


def test_the_inputs_are_not_modified_and_views_are_accepted():
    image, values = picture((90, 90, 90))[:, ::-1], flat_map(1.0)
    values[10:30, 20:40] = 9
    before = image.copy(), values.copy()
    drawn = overlay(image, values[::-1], SCALE)
    assert drawn.shape == image.shape and drawn.dtype == np.uint8
    np.testing.assert_array_equal(image, before[0])
    np.testing.assert_array_equal(values, before[1])


def test_the_legend_shows_the_same_colours():
    assert gradient(3)[0].endswith("0.00)") and gradient(3)[1].startswith("rgba(255,212,40,")


@pytest.mark.parametrize(("low", "threshold"), [(1, 1), (2, 1), (float("nan"), 1), (0, float("inf"))])
def test_impossible_scales_are_refused(low, threshold):
    with pytest.raises(FlawsightError, match="low < threshold"):
        ColourScale(low, threshold)


@pytest.mark.parametrize(
    ("image", "values", "message"),
    [
        (picture((0, 0, 0))[..., 0], flat_map(1), "uint8 RGB"),
        (picture((0, 0, 0)).astype(np.float32), flat_map(1), "uint8 RGB"),
        (picture((0, 0, 0)), flat_map(1).T, "resize the map"),
        (picture((0, 0, 0)), flat_map(float("nan")), "not finite"),
    ],
)
def test_bad_input_is_explained(image, values, message):
    with pytest.raises(FlawsightError, match=message):
        overlay(image, values, SCALE)
