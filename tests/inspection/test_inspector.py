"""A picture in, a verdict and a map out: sizes, places, p-values, the threshold, batches."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

import flawsight as fs
from flawsight.inspection import Inspector


@pytest.fixture(scope="module")
def new_good(texture: Callable) -> list[np.ndarray]:
    return [texture(seed) for seed in range(100, 108)]


@pytest.mark.parametrize("size", [(80, 96), (150, 180), (64, 64), (70, 82)])
def test_the_map_has_the_size_of_the_image(fitted: Inspector, spoiled: Callable, size: tuple[int, int]) -> None:
    image = spoiled(7, size)
    result = fitted.inspect(image)
    assert result.anomaly_map.shape == size
    assert result.anomaly_map.dtype == np.float32
    assert np.isfinite(result.anomaly_map).all()


@pytest.mark.parametrize(("row", "column"), [(15, 166), (120, 30), (40, 80)])
def test_a_defect_is_hottest_where_it_is(fitted: Inspector, texture: Callable, row: int, column: int) -> None:
    image = np.kron(texture(3, (80, 96)), np.ones((2, 2, 1), np.uint8))
    image[row - 10 : row + 10, column - 10 : column + 10] = 255
    result = fitted.inspect(image)
    found_row, found_column = np.unravel_index(result.anomaly_map.argmax(), image.shape[:2])
    assert abs(found_row - row) <= 20 and abs(found_column - column) <= 20
    assert result.is_defective and result.verdict == "defective"


def test_defective_iff_the_p_value_is_within_the_rate(fitted: Inspector, new_good: list, spoiled: Callable) -> None:
    point = fitted.manifest.operating_point
    calibration = np.array(fitted.manifest.calibration.scores)
    results = list(fitted.inspect_many([*new_good, *(spoiled(seed) for seed in range(4))]))
    assert {result.is_defective for result in results} == {True, False}
    for result in results:
        assert result.p_value == (1 + np.sum(calibration >= result.score)) / (len(calibration) + 1)
        assert result.is_defective == (result.p_value <= point.rate) == (result.score > point.threshold)


def test_a_score_at_the_threshold_is_good(fitted: Inspector, spoiled: Callable) -> None:
    score = fitted.inspect(spoiled(1)).score
    for threshold, verdict in ((score, "good"), (np.nextafter(score, 0), "defective")):
        point = replace(fitted.manifest.operating_point, threshold=threshold)
        manifest = fitted.manifest.model_copy(update={"operating_point": point})
        assert Inspector(fitted.backend, manifest).inspect(spoiled(1)).verdict == verdict


def test_batches_do_not_change_a_result(fitted: Inspector, new_good: list, spoiled: Callable) -> None:
    images = [*new_good, *(spoiled(seed, (82 + seed, 100)) for seed in range(3))]
    together = list(fitted.inspect_many(images))
    for image, result in zip(images, together, strict=True):
        alone = fitted.inspect(image)
        assert alone.score == pytest.approx(result.score, rel=1e-4)
        assert np.allclose(alone.anomaly_map, result.anomaly_map, rtol=1e-3, atol=1e-3)
    assert list(fitted.inspect_many([])) == []


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((64, 64), np.uint8),
        np.zeros((64, 64, 4), np.uint8),
        np.zeros((64, 64, 3)),
        np.zeros((0, 5, 3), np.uint8),
    ],
    ids=["grey", "rgba", "float", "empty"],
)
def test_what_is_no_picture_is_refused(fitted: Inspector, image: np.ndarray) -> None:
    with pytest.raises(fs.FlawsightError, match="uint8"):
        fitted.inspect(image)
