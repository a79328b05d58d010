"""Small pictures: small enough, of the right shape, and what is anomalous stays to be seen."""

import cv2
import numpy as np
import pytest

from flawsight.scoring import ColourScale
from flawsight.station.engine.small import coloured_png, heatmap_png, jpeg, thumbnail_jpeg

SIZES = [(80, 96), (8, 8), (373, 248), (3000, 4000), (9, 5000)]


def decoded(data: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)


@pytest.mark.parametrize("size", SIZES)
def test_thumbnails_keep_shape_and_colour(size: tuple[int, int]) -> None:
    image = np.zeros((*size, 3), np.uint8)
    image[: size[0] // 2] = (200, 60, 20)
    small = decoded(thumbnail_jpeg(image))
    assert max(small.shape[:2]) == min(160, max(size))
    assert small.shape[0] / small.shape[1] == pytest.approx(size[0] / size[1], rel=0.5, abs=2 / small.shape[1])
    if small.shape[0] >= 4:  # else a row shows both halves
        assert np.abs(small[: small.shape[0] // 4].reshape(-1, 3).mean(0) - (20, 60, 200)).max() < 40
    assert max(decoded(jpeg(image, 1280)).shape) == min(1280, max(size))


@pytest.mark.parametrize("size", SIZES)
def test_the_smallest_defect_stays_in_the_heat_map(size: tuple[int, int]) -> None:
    scale = ColourScale(low=0.0, threshold=2.0)
    values = np.zeros(size, np.float32)
    values[size[0] // 2, size[1] // 2] = 2.02
    grey = decoded(heatmap_png(values, scale))
    assert grey.dtype == np.uint8 and max(grey.shape) <= 256 and grey.max() >= 128
    colours = decoded(coloured_png(heatmap_png(values, scale)))
    assert colours.shape == (*grey.shape, 4) and colours[..., 3].min() == 0 and colours[..., 3].max() > 130


def test_the_threshold_is_128() -> None:
    scale = ColourScale(low=1.0, threshold=3.0)
    for value, grey in ((0.0, 0), (1.0, 0), (3.0, 128), (5.0, 255), (50.0, 255)):
        assert decoded(heatmap_png(np.full((4, 4), value, np.float32), scale)).max() == grey
