"""Nearest distances against scipy."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from flawsight.detectors.bases import nearest
from flawsight.detectors.bases.nearest import nearest_distances


def brute(queries: np.ndarray, bank: np.ndarray, neighbours: int = 1) -> np.ndarray:
    return np.sort(cdist(queries.astype(float), bank.astype(float)), axis=1)[:, :neighbours].mean(1)


def clouds(queries: int, bank: int, dims: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(queries, dims)).astype(np.float32), rng.normal(size=(bank, dims)).astype(np.float32)


def ours(queries: np.ndarray, bank: np.ndarray, neighbours: int = 1) -> np.ndarray:
    return nearest_distances(torch.from_numpy(queries), torch.from_numpy(bank), neighbours).numpy()


@pytest.mark.parametrize("neighbours", [1, 2, 5, 37])
@pytest.mark.parametrize(("queries", "bank", "dims"), [(50, 37, 16), (1, 40, 3), (200, 37, 300), (30, 37, 1)])
def test_against_scipy(queries: int, bank: int, dims: int, neighbours: int) -> None:
    a, b = clouds(queries, bank, dims)
    assert np.allclose(ours(a, b, neighbours), brute(a, b, neighbours), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("rows", [1, 2, 7, 49, 50, 51])
@pytest.mark.parametrize("neighbours", [1, 3])
def test_blocks_join_without_a_seam(rows: int, neighbours: int, monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = clouds(50, 20, 8)
    monkeypatch.setattr(nearest, "_BLOCK_VALUES", rows * 20)
    sizes = []
    block = nearest._block
    monkeypatch.setattr(nearest, "_block", lambda *given: sizes.append(len(given[0])) or block(*given))
    assert np.allclose(ours(a, b, neighbours), brute(a, b, neighbours), atol=1e-4)
    assert sum(sizes) == 50 and max(sizes) <= rows


def test_a_bank_larger_than_a_block(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = clouds(5, 20, 8)
    monkeypatch.setattr(nearest, "_BLOCK_VALUES", 3)
    assert np.allclose(ours(a, b), brute(a, b), atol=1e-4)


def test_more_neighbours_than_the_bank_has_is_all_of_it() -> None:
    a, b = clouds(9, 3, 4)
    assert np.allclose(ours(a, b, 10), brute(a, b, 3), atol=1e-4)
    assert np.allclose(ours(a, b[:1], 5), cdist(a, b[:1])[:, 0], atol=1e-4)


@pytest.mark.parametrize("offset", [0, 100, 4096])
def test_precision_far_from_the_origin(offset: float) -> None:
    a, b = (np.round(values * 64) / 64 for values in clouds(100, 50, 8))  # exact in float32, here as there
    found = ours((a + offset).astype(np.float32), (b + offset).astype(np.float32))
    assert np.allclose(found, brute(a, b), rtol=1e-4, atol=1e-3)


def test_a_member_of_the_bank_is_at_zero() -> None:
    _, b = clouds(0, 60, 12)
    found = ours(b, b)
    assert (found >= 0).all() and found.max() < 5e-3
    assert np.isfinite(found).all()


def test_no_queries_and_unchanged_arguments() -> None:
    a, b = (torch.from_numpy(values) for values in clouds(10, 5, 4))
    before = a.clone(), b.clone()
    nearest_distances(a, b, 2)
    assert torch.equal(a, before[0]) and torch.equal(b, before[1])
    assert nearest_distances(a[:0], b).shape == (0,)
