"""From grid to pixels: nothing moves, and the smoothing is what it says."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from flawsight.scoring.maps import SIGMA_AT_256, upsample
from flawsight.views import View


def to_image_size(square: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return View("squash", len(square)).frame(size).to_picture(square)


def hot(height: int, width: int, i: int, j: int) -> np.ndarray:
    grid = np.zeros((height, width), np.float32)
    grid[i, j] = 1
    return grid


def centre_of_mass(values: np.ndarray) -> tuple[float, float]:
    rows, columns = np.indices(values.shape) + 0.5
    return float((rows * values).sum() / values.sum()), float((columns * values).sum() / values.sum())


@pytest.mark.parametrize("side", [128, 256, 320])
@pytest.mark.parametrize(("grid", "cell"), [((8, 8), (2, 5)), ((16, 16), (12, 3)), ((8, 16), (4, 4)), ((7, 7), (3, 3))])
def test_a_hot_cell_lands_at_its_place(side: int, grid: tuple[int, int], cell: tuple[int, int]) -> None:
    large = upsample(hot(*grid, *cell), side)
    assert large.shape == (side, side) and large.dtype == np.float32
    expected = [(place + 0.5) * side / cells for place, cells in zip(cell, grid, strict=True)]
    assert centre_of_mass(large) == pytest.approx(expected, abs=0.6)
    assert np.unravel_index(large.argmax(), large.shape) == pytest.approx(expected, abs=1.01)


@pytest.mark.parametrize("size", [(100, 400), (400, 100), (777, 512), (60, 60), (256, 256), (1, 1)])
@pytest.mark.parametrize("cell", [(2, 5), (5, 1)])
def test_back_at_the_size_of_the_image(size: tuple[int, int], cell: tuple[int, int]) -> None:
    stretched = to_image_size(upsample(hot(8, 8, *cell), 256), size)
    assert stretched.shape == size and stretched.dtype == np.float32
    if size != (1, 1):
        expected = [(place + 0.5) / 8 * pixels for place, pixels in zip(cell, size, strict=True)]
        tolerance = [1 + 0.01 * pixels for pixels in size]
        assert np.all(np.abs(np.subtract(centre_of_mass(stretched), expected)) < tolerance)
        peak = np.unravel_index(stretched.argmax(), size)
        assert np.all(np.abs(np.subtract(peak, expected)) < tolerance)


@pytest.mark.parametrize("side", [128, 256, 384])
@pytest.mark.parametrize("smoothing", [SIGMA_AT_256, 2.0, 8.0])
def test_against_torch_and_scipy(side: int, smoothing: float) -> None:
    grid = np.random.default_rng(0).random((16, 16), dtype=np.float32)
    resized = torch.nn.functional.interpolate(torch.from_numpy(grid)[None, None], (side, side), mode="bilinear")
    assert np.allclose(upsample(grid, side, 0), resized[0, 0], atol=1e-4)
    expected = gaussian_filter(resized[0, 0].numpy(), smoothing * side / 256, mode="reflect", truncate=4)
    found = upsample(grid, side, smoothing)
    margin = side // 8
    inside = (slice(margin, -margin),) * 2
    assert np.abs(found - expected)[inside].max() < 2e-3
    assert np.abs(found - expected).max() < 5e-3  # edges too: both reflect


@pytest.mark.parametrize("side", [256, 512])
def test_smoothing_adds_its_variance(side: int) -> None:
    def variance(values: np.ndarray) -> float:
        rows = values.sum(1) / values.sum()
        places = np.arange(len(rows))
        return float((rows * places**2).sum() - (rows * places).sum() ** 2)

    grid = hot(32, 32, 16, 16)
    added = variance(upsample(grid, side)) - variance(upsample(grid, side, 0))
    assert added == pytest.approx((4 * side / 256) ** 2, rel=0.02)


def test_levels_and_order_are_kept() -> None:
    assert np.allclose(upsample(np.full((8, 8), 3.5), 256), 3.5, atol=1e-5)
    assert np.allclose(to_image_size(np.full((64, 64), 3.5, np.float32), (90, 31)), 3.5)
    grid = np.random.default_rng(0).random((8, 8))
    assert (upsample(grid + 0.1, 128) > upsample(grid, 128)).all()
    assert grid.min() <= upsample(grid, 128).min() and upsample(grid, 128).max() <= grid.max()


def test_arguments_are_not_changed() -> None:
    grid = np.random.default_rng(0).random((8, 8))
    grid.setflags(write=False)
    square = upsample(grid, 64)
    square.setflags(write=False)
    assert to_image_size(square, (64, 64)) is not grid
    assert np.array_equal(to_image_size(square, (64, 64)), square)
