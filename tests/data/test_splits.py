import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flawsight.core import FlawsightError
from flawsight.data import folds, split_good


@given(n=st.integers(8, 2000), seed=st.integers(0, 2**32))
def test_split_is_a_partition_with_floors(n, seed):
    split = split_good(n, seed)
    parts = [split.train, split.val_good, split.val_bad]
    assert sorted(np.concatenate(parts).tolist()) == list(range(n))
    assert all((np.diff(part) > 0).all() for part in parts)
    assert len(split.val_bad) >= 3
    assert len(split.val_good) >= (2 if n < 20 else 3)
    assert len(split.train) >= 3


@given(n=st.integers(36, 2000))
def test_large_sets_have_the_exact_shares(n):
    split = split_good(n, 0)
    n_val = round(3 * n / 10)
    assert len(split.train) == n - n_val
    assert len(split.val_bad) == round(3 * n_val / 4)


@pytest.mark.parametrize(
    ("n", "sizes"), [(8, (3, 2, 3)), (19, (13, 2, 4)), (20, (13, 3, 4)), (35, (24, 3, 8)), (100, (70, 8, 22))]
)
def test_known_sizes(n, sizes):
    split = split_good(n, 5)
    assert (len(split.train), len(split.val_good), len(split.val_bad)) == sizes


def test_split_is_seeded_and_random():
    one, same, other = (split_good(100, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.train, same.train)
    assert one.train.tolist() != other.train.tolist()
    hits = np.zeros(40)
    for seed in range(400):
        hits[split_good(40, seed).train] += 1
    assert np.abs(hits / 400 - 0.7).max() < 0.12  # five standard errors


@pytest.mark.parametrize("n", [0, 1, 7])
def test_too_few(n):
    with pytest.raises(FlawsightError, match=f"at least 8 good images of different parts, found {n}"):
        split_good(n, 0)


@pytest.mark.parametrize("shares", [(0, 0.5), (1, 0.5), (0.5, 0), (0.5, 1), (0.01, 0.5)])
def test_bad_shares(shares):
    with pytest.raises(FlawsightError, match="train_share"):
        split_good(10, 0, *shares)


@given(n=st.integers(2, 300), k=st.integers(2, 20), seed=st.integers(0, 99))
def test_folds_partition_evenly(n, k, seed):
    parts = folds(n, k, seed)
    assert len(parts) == min(n, k)
    assert sorted(np.concatenate(parts).tolist()) == list(range(n))
    sizes = [len(part) for part in parts]
    assert max(sizes) - min(sizes) <= 1
    assert all((np.diff(part) > 0).all() for part in parts)
    for part, again in zip(parts, folds(n, k, seed), strict=True):
        np.testing.assert_array_equal(part, again)


@pytest.mark.parametrize(("n", "k"), [(1, 5), (0, 5), (5, 1)])
def test_impossible_folds(n, k):
    with pytest.raises(FlawsightError, match="folds"):
        folds(n, k, 0)


@given(sizes=st.lists(st.integers(1, 6), min_size=8, max_size=40), seed=st.integers(0, 2**32))
def test_no_part_is_on_both_sides(sizes, seed):
    """Parts in an order in which their pictures lie apart."""
    parts = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))
    split = split_good(len(parts), seed, parts=parts)
    sides = [set(parts[side].tolist()) for side in (split.train, split.val_good, split.val_bad)]
    assert sorted(np.concatenate([split.train, split.val_good, split.val_bad]).tolist()) == list(range(len(parts)))
    assert sum(map(len, sides)) == len(set.union(*sides)) == len(sizes)
    held_out = folds(len(parts), 5, seed, parts)
    assert sorted(np.concatenate(held_out).tolist()) == list(range(len(parts)))
    of_fold = [set(parts[fold].tolist()) for fold in held_out]
    assert sum(map(len, of_fold)) == len(sizes)
    assert max(map(len, of_fold)) - min(map(len, of_fold)) <= 1


@given(n=st.integers(8, 200), seed=st.integers(0, 2**32))
def test_a_part_for_each_picture_splits_as_ever(n, seed):
    one, other = split_good(n, seed), split_good(n, seed, parts=np.arange(n) + 7)
    assert np.array_equal(one.train, other.train) and np.array_equal(one.val_bad, other.val_bad)
    for part, same in zip(folds(n, 5, seed), folds(n, 5, seed, list(range(n))), strict=True):
        assert np.array_equal(part, same)


def test_parts_are_counted_not_pictures():
    with pytest.raises(FlawsightError, match="different parts, found 7"):
        split_good(70, 0, parts=np.repeat(np.arange(7), 10))
    with pytest.raises(FlawsightError, match="9 images, but the parts of 8"):
        folds(9, 3, 0, range(8))
