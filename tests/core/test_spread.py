from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from flawsight.core import spread


@given(st.integers(0, 500), st.integers(1, 60))
def test_different_numbers_from_the_first_to_the_last(count: int, most: int) -> None:
    numbers = spread(count, most)
    assert len(set(numbers)) == len(numbers) == min(count, most)
    assert numbers == sorted(numbers)
    assert set(numbers) <= set(range(count))
    if len(numbers) > 1:
        assert (numbers[0], numbers[-1]) == (0, count - 1)


@given(st.integers(2, 500), st.integers(2, 60))
def test_gaps_differ_by_one_at_most(count: int, most: int) -> None:
    numbers = spread(count, most)
    gaps = [after - before for before, after in pairwise(numbers)]
    assert max(gaps) - min(gaps) <= 1
