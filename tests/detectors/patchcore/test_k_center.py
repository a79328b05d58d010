"""Greedy k-center against the definition, in float64 and without any shortcut."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from flawsight.core import FlawsightError
from flawsight.detectors import greedy_k_center
from flawsight.detectors.patchcore.k_center import _Points


def brute(points: np.ndarray, size: int, first: int) -> tuple[list[int], float]:
    """The greedy choice from `first`, and the smallest relative lead of a winner over the runner-up."""
    chosen, nearest, lead = [first], cdist(points[[first]], points)[0], np.inf
    while len(chosen) < size:
        left = np.delete(np.arange(len(points)), chosen)
        order = left[np.argsort(nearest[left])]
        lead = min(lead, 1 - nearest[order[-2]] / nearest[order[-1]]) if len(order) > 1 else lead
        chosen.append(int(order[-1]))
        nearest = np.minimum(nearest, cdist(points[[chosen[-1]]], points)[0])
    return chosen, lead


def radius(points: np.ndarray, chosen: np.ndarray) -> float:
    return float(cdist(points, points[chosen]).min(1).max())


def cloud(seed: int, count: int, dims: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, dims)).astype(np.float32)


@pytest.mark.parametrize(("count", "dims", "size"), [(300, 4, 90), (150, 16, 149), (80, 2, 40), (40, 3, 33)])
@pytest.mark.parametrize("seed", range(4))
def test_the_same_choice_as_by_brute_force(count: int, dims: int, size: int, seed: int) -> None:
    points = cloud(seed, count, dims)
    chosen = greedy_k_center(points, size, seed)
    expected, lead = brute(points.astype(float), size, chosen[0])
    assert lead > 1e-6, "make other data: two points are as far"
    assert chosen.tolist() == expected


@pytest.mark.parametrize("seed", range(3))
def test_equal_cover_where_points_are_equally_far(seed: int) -> None:
    lattice = np.stack(np.meshgrid(*[np.arange(7.0)] * 3), -1).reshape(-1, 3)
    points = np.random.default_rng(seed).permutation(lattice)
    for size in (5, 40, 200):
        chosen = greedy_k_center(points, size, seed)
        assert len(set(chosen.tolist())) == size
        # Each was as far from those before it as any point was.
        distances = cdist(points, points[chosen])
        for step in range(1, size):
            before = distances[:, :step].min(1)
            assert before[chosen[step]] == pytest.approx(before.max(), abs=1e-3)


@settings(max_examples=40)
@given(seed=st.integers(0, 10_000), count=st.integers(4, 9), k=st.integers(1, 3), dims=st.integers(1, 3))
def test_within_twice_the_optimum(seed: int, count: int, k: int, dims: int) -> None:
    points = cloud(seed, count, dims)
    best = min(radius(points, np.array(group)) for group in itertools.combinations(range(count), k))
    assert radius(points, greedy_k_center(points, k, seed)) <= 2 * best + 1e-4


@settings(max_examples=30)
@given(seed=st.integers(0, 10_000), count=st.integers(2, 120), data=st.data())
def test_a_larger_bank_starts_with_the_smaller(seed: int, count: int, data: st.DataObject) -> None:
    points = cloud(seed, count, 3)
    size = data.draw(st.integers(1, count - 1))
    smaller = data.draw(st.integers(1, size))
    large = greedy_k_center(points, size, seed)
    assert len(set(large.tolist())) == size and 0 <= large.min() <= large.max() < count
    assert greedy_k_center(points, smaller, seed).tolist() == large[:smaller].tolist()
    assert radius(points, large) <= radius(points, large[:smaller]) + 1e-6


def test_all_of_them_when_asked_for_as_many() -> None:
    points = cloud(0, 20, 3)
    for size in (20, 21, 10_000):
        assert sorted(greedy_k_center(points, size)) == list(range(20))
    assert greedy_k_center(points[:1], 1).tolist() == [0]


def test_seeds() -> None:
    points = cloud(0, 200, 3)
    assert greedy_k_center(points, 50, 1).tolist() == greedy_k_center(points, 50, 1).tolist()
    firsts = [greedy_k_center(points, 1, seed)[0] for seed in range(300)]
    assert len(set(firsts)) > 100 and 70 < np.mean(firsts) < 130


def test_duplicates_come_last_and_once() -> None:
    distinct = cloud(0, 30, 3)
    points = np.concatenate([distinct, distinct[:20], np.repeat(distinct[:1], 50, 0)])
    chosen = greedy_k_center(points, 60, 0)
    assert len(set(chosen.tolist())) == 60
    assert len(np.unique(points[chosen[:30]], axis=0)) == 30
    same = greedy_k_center(np.ones((50, 4)), 40, 0)
    assert len(set(same.tolist())) == 40


def test_far_from_the_origin() -> None:
    # Multiples of 1/64 are exact in float32, here as there.
    points = np.round(cloud(0, 300, 4) * 64) / 64
    assert len(np.unique(points, axis=0)) == len(points)
    expected = greedy_k_center(points, 60, 0)
    assert greedy_k_center(points + 8192, 60, 0).tolist() == expected.tolist()


def test_a_cluster_that_a_random_sample_would_miss() -> None:
    points = np.concatenate([cloud(0, 5000, 3) * 0.1, cloud(1, 3, 3) * 0.1 + 20])
    for seed in range(5):
        assert greedy_k_center(points, 2, seed).max() >= 5000


@pytest.mark.parametrize("given_as", [lambda a: a, lambda a: a.astype(np.float64), torch.from_numpy, list])
def test_what_is_given_is_not_changed(given_as) -> None:
    points = cloud(0, 60, 3)
    argument = given_as(points.copy())
    chosen = greedy_k_center(np.stack(argument) if isinstance(argument, list) else argument, 20, 0)
    assert isinstance(chosen, np.ndarray) and chosen.dtype == np.int64
    assert np.array_equal(np.asarray(argument), points)
    assert chosen.tolist() == greedy_k_center(points, 20, 0).tolist()


@pytest.mark.parametrize(
    ("points", "size", "message"),
    [
        (np.zeros((0, 3)), 1, r"shape \(N, D\)"),
        (np.zeros(5), 1, r"shape \(N, D\)"),
        (np.zeros((2, 3, 4)), 1, r"shape \(N, D\)"),
        (np.zeros((5, 3)), 0, "use 1 or more"),
        (np.zeros((5, 3)), -1, "use 1 or more"),
        (np.array([[0.0], [np.nan], [1.0]]), 2, "NaN"),
        (np.array([[0.0], [np.inf], [1.0]]), 2, "infinity"),
    ],
)
def test_bad_input(points: np.ndarray, size: int, message: str) -> None:
    with pytest.raises(FlawsightError, match=message):
        greedy_k_center(points, size)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("share", [0.35, 0.6, 2.0])
def test_bounded_memory_changes_nothing(share: float, dtype: type, tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    points = (rng.normal(size=(5000, 60)) * rng.random((5000, 1))).astype(dtype)
    np.save(tmp_path / "points.npy", points)
    mapped = np.load(tmp_path / "points.npy", mmap_mode="r")
    bounded = greedy_k_center(mapped, 150, seed=3, max_memory=int(share * points.size * 4))
    assert np.array_equal(bounded, greedy_k_center(points, 150, seed=3))


def test_bounded_memory_is_bounded() -> None:
    points = np.random.default_rng(0).normal(size=(40_000, 50)).astype(np.float32)
    held = _Points(points, 3_000_000)
    assert held.held is None and 1 <= held.candidates < 32
    needed = 4 * (3 * len(points) + held.candidates * len(points) + 3 * held.rows * 50)
    assert needed <= 3_000_000


def test_too_little_memory_says_how_much_is_needed() -> None:
    points = np.random.default_rng(0).normal(size=(400, 5)).astype(np.float32)
    with pytest.raises(FlawsightError, match="use 12880 or more"):
        greedy_k_center(points, 10, max_memory=1000)
    assert len(greedy_k_center(points, 10, max_memory=12_880)) == 10
