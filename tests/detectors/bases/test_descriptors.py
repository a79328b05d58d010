"""Patch descriptors against the recipe written out in numpy."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from flawsight.detectors.bases.descriptors import patch_descriptors


def maps(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def unfold(values: np.ndarray, side: int) -> np.ndarray:
    """(N, H, W, C * side * side), channel slowest, zeros outside."""
    count, channels, height, width = values.shape
    reach = side // 2
    padded = np.zeros((count, channels, height + 2 * reach, width + 2 * reach))
    padded[:, :, reach : reach + height, reach : reach + width] = values
    out = np.empty((count, height, width, channels * side * side))
    for i in range(height):
        for j in range(width):
            out[:, i, j] = padded[:, :, i : i + side, j : j + side].reshape(count, -1)
    return out


def bins(values: np.ndarray, size: int) -> np.ndarray:
    """Bin i of the last axis is the mean of floor(i n / d) .. ceil((i + 1) n / d) - 1."""
    n = values.shape[-1]
    parts = [values[..., i * n // size : math.ceil((i + 1) * n / size)].mean(-1) for i in range(size)]
    return np.stack(parts, -1)


def resize(values: np.ndarray, height: int, width: int) -> np.ndarray:
    """(N, h, w, D) bilinearly on (height, width), corners not aligned."""

    def weights(old: int, new: int) -> np.ndarray:
        matrix = np.zeros((new, old))
        for i in range(new):
            place = max((i + 0.5) * old / new - 0.5, 0)
            low = min(int(place), old - 1)
            matrix[i, low] += 1 - (place - low)
            matrix[i, min(low + 1, old - 1)] += place - low
        return matrix

    rows, columns = weights(values.shape[1], height), weights(values.shape[2], width)
    return np.einsum("ih,jw,nhwd->nijd", rows, columns, values)


def ours(*features: np.ndarray, **options: int | None) -> np.ndarray:
    return patch_descriptors([torch.from_numpy(values) for values in features], **options).numpy()


@pytest.mark.parametrize("side", [1, 3, 5])
@pytest.mark.parametrize("shape", [(2, 4, 6, 6), (1, 3, 5, 8), (2, 1, 2, 2)])
def test_mean_over_a_zero_padded_neighbourhood(side: int, shape: tuple[int, ...]) -> None:
    values = maps(*shape)
    count, channels, height, width = shape
    expected = unfold(values, side).reshape(count, height, width, channels, -1).mean(-1)
    assert np.allclose(ours(values, neighbourhood=side), expected, atol=1e-5)


def test_zeros_outside_count() -> None:
    ones = np.ones((1, 1, 5, 5), np.float32)
    found = ours(ones, neighbourhood=3)[0, :, :, 0]
    assert np.allclose([found[0, 0], found[0, 2], found[2, 2]], [4 / 9, 6 / 9, 1])


def test_one_place_is_itself() -> None:
    values = maps(2, 5, 4, 6)
    assert np.array_equal(ours(values, neighbourhood=1), values.transpose(0, 2, 3, 1))


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (2, 1, 0)])
def test_layers_are_joined_on_the_finest_grid_in_the_given_order(order: tuple[int, ...]) -> None:
    layers = [maps(2, 3, 8, 10), maps(2, 4, 4, 5, seed=1), maps(2, 2, 3, 3, seed=2)]
    found = ours(*[layers[i] for i in order])
    means = [unfold(values, 3).reshape(*[values.shape[i] for i in (0, 2, 3, 1)], 9).mean(-1) for values in layers]
    expected = np.concatenate([resize(means[i], 8, 10) for i in order], -1)
    assert found.shape == (2, 8, 10, 9)
    assert np.allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("size", [4, 7, 16, 27, 40])
@pytest.mark.parametrize("side", [1, 3, 5])
def test_pooled_descriptors_of_one_layer(size: int, side: int) -> None:
    values = maps(2, 3, 4, 5)
    assert np.allclose(ours(values, neighbourhood=side, embed_dim=size), bins(unfold(values, side), size), atol=1e-5)


@pytest.mark.parametrize("size", [5, 8, 12])
def test_pooled_descriptors_of_several_layers(size: int) -> None:
    layers = [maps(2, 3, 8, 6), maps(2, 7, 4, 3, seed=1), maps(2, 2, 2, 2, seed=2)]
    each = [resize(bins(unfold(values, 3), size), 8, 6) for values in layers]
    expected = bins(np.concatenate(each, -1), size)  # layer slowest
    assert np.allclose(ours(*layers, embed_dim=size), expected, atol=1e-5)


def test_nine_values_to_a_bin_are_the_plain_means() -> None:
    values = maps(1, 6, 5, 5)
    assert np.allclose(ours(values, embed_dim=6), ours(values), atol=1e-6)


def test_pooling_rule_examples() -> None:
    # 512 channels: 4608 values in 1024 bins, five each, overlapping.
    n, d = 4608, 1024
    edges = [(i * n // d, math.ceil((i + 1) * n / d) - 1) for i in range(4)]
    assert edges == [(0, 4), (4, 8), (9, 13), (13, 17)]
    values = maps(1, 512, 2, 2)
    found = ours(values, embed_dim=d)
    neighbourhoods = unfold(values, 3)
    for i, (low, high) in enumerate(edges):
        assert np.allclose(found[..., i], neighbourhoods[..., low : high + 1].mean(-1), atol=1e-5)


GRIDS = [(8, 8), (9, 9), (7, 12), (12, 6), (13, 13), (2, 4), (3, 2)]


@pytest.mark.parametrize("most", [1, 3, 4, 5, 8])
@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("options", [{}, {"neighbourhood": 1}, {"neighbourhood": 5}, {"embed_dim": 7}])
def test_a_coarser_grid_is_the_middle_of_each_cell(grid: tuple[int, int], most: int, options: dict[str, int]) -> None:
    values = maps(2, 3, *grid)
    step = math.ceil(max(grid) / most)
    middle = (step - 1) // 2
    found = ours(values, max_grid=most, **options)
    assert np.array_equal(found, ours(values, **options)[:, middle::step, middle::step])
    assert max(found.shape[1:3]) <= most


@pytest.mark.parametrize(("most", "shift"), [(16, 0), (24, 0.5), (48, 0)])
def test_a_coarser_grid_is_hardly_shifted(most: int, shift: float) -> None:
    places = np.mgrid[:48, :48].astype(np.float32)[None]
    found = ours(places, neighbourhood=1, max_grid=most)
    assert np.allclose(found.mean((0, 1, 2)), 23.5 - shift)  # a cell of an even side has no middle


@pytest.mark.parametrize("options", [{}, {"embed_dim": 5}])
def test_every_layer_has_its_own_cells(options: dict[str, int]) -> None:
    layers = [maps(2, 3, 16, 16), maps(2, 4, 8, 8, seed=1), maps(2, 2, 4, 4, seed=2)]
    found = ours(*layers, max_grid=8, **options)
    # The middle of a cell of two positions a side is the first.
    fine = unfold(layers[0], 3)[:, ::2, ::2]
    rest = [unfold(values, 3) for values in layers[1:]]
    if options:
        parts = [bins(values, 5) for values in (fine, *rest)]
    else:
        parts = [values.reshape(*values.shape[:3], -1, 9).mean(-1) for values in (fine, *rest)]
    expected = np.concatenate([resize(part, 8, 8) for part in parts], -1)
    assert np.allclose(found, bins(expected, 5) if options else expected, atol=1e-5)


@pytest.mark.parametrize("most", [None, 8, 9, 1000])
def test_a_grid_that_is_small_enough_stays(most: int | None) -> None:
    layers = [maps(2, 3, 8, 6), maps(2, 4, 4, 3, seed=1)]
    for options in ({}, {"embed_dim": 5}, {"neighbourhood": 1}):
        assert np.array_equal(ours(*layers, max_grid=most, **options), ours(*layers, **options))


def test_arguments_and_memory_layout() -> None:
    values = torch.from_numpy(maps(2, 3, 4, 4))
    before: Tensor = values.clone()
    for options in ({}, {"neighbourhood": 1}, {"embed_dim": 4}, {"max_grid": 2}, {"max_grid": 2, "embed_dim": 4}):
        expected = patch_descriptors([values], **options)
        turned = patch_descriptors([values.contiguous(memory_format=torch.channels_last)], **options)
        assert torch.allclose(expected, turned, atol=1e-6)
    assert torch.equal(values, before)
