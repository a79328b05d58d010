"""Rounds: the coarse one is small, shows the same things, and leaves the user's own settings alone."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from flawsight.defects import Product
from flawsight.detectors import Gaussian, PatchCore
from flawsight.detectors.patchcore.detector import COARSE_BANK, COARSE_GRID
from flawsight.selection import ValidationSet
from flawsight.selection.race.fidelity import high_fidelity, low_fidelity
from flawsight.selection.validation import COARSE_BAD, COARSE_GOOD, COARSE_TRAIN, spaced

KINDS = ("nsa", "perlin", "scratch", "simple")
SIDE = 8
counts = st.integers(1, 200)


def numbered(train: int, good: int, bad: int, kinds: int = 3) -> ValidationSet:
    """Every image says to which part it belongs and which it is; a mask shows the number of its image in binary."""

    def images(part: int, count: int) -> list[np.ndarray]:
        return [np.full((SIDE, SIDE, 3), (part, number, 0), np.uint8) for number in range(count)]

    masks = [np.tile(np.unpackbits(np.uint8(number + 1)) > 0, (SIDE, 1)) for number in range(bad)]
    carriers = {kind: (images(2 + place, bad), masks) for place, kind in enumerate(KINDS[:kinds])}
    return ValidationSet(images(0, train), images(1, good), carriers, Product())


def read(images: list[np.ndarray], part: int) -> list[int]:
    """The numbers of images that must be of one part, in order and each once."""
    assert all(image[0, 0, 0] == part for image in images)
    numbers = [int(image[0, 0, 1]) for image in images]
    assert numbers == sorted(set(numbers))
    return numbers


@given(st.integers(0, 500), st.integers(1, 60))
def test_spaced_indices_are_in_range_in_order_and_even(count: int, most: int) -> None:
    drawn = spaced(count, most)
    assert len(drawn) == min(count, most)
    gaps = np.diff([-1, *drawn, count])
    assert (gaps >= 1).all() and gaps.max() <= np.ceil(count / most) + 1


@given(counts, counts, counts, st.integers(1, 4))
def test_fewer_is_at_most_so_many_and_small_sets_stay_whole(train: int, good: int, bad: int, kinds: int) -> None:
    whole = numbered(train, good, bad, kinds)
    few = whole.fewer()
    assert len(read(few.train, 0)) == min(train, COARSE_TRAIN)
    assert len(read(few.good, 1)) == min(good, COARSE_GOOD)
    assert list(few.bad) == list(whole.bad) and few.product == whole.product
    for place, (images, masks) in enumerate(few.bad.values()):
        numbers = read(images, 2 + place)
        assert len(numbers) == min(bad, COARSE_BAD) and numbers[-1] < bad
        assert np.diff([-1, *numbers, bad]).max() <= np.ceil(bad / COARSE_BAD) + 1
        assert [np.packbits(mask[0])[0] for mask in masks] == [number + 1 for number in numbers]
    assert len(whole.train) == train and len(whole.measured) == good + kinds * bad


@given(st.integers(1, 4), st.integers(0, 100))
@example(3, 0)
@example(4, 0)
def test_kinds_take_turns(kinds: int, more: int) -> None:
    bad = kinds * COARSE_BAD + more
    few = numbered(5, 5, bad, kinds).fewer()
    drawn = [number for place, (images, _) in enumerate(few.bad.values()) for number in read(images, 2 + place)]
    assert len(drawn) == len(set(drawn)) == kinds * COARSE_BAD
    assert np.diff(sorted(drawn)).max() <= np.ceil(bad / len(drawn)) + 1


@pytest.mark.parametrize("bank", [1, 2, 7, 8, 60, 1000])
@pytest.mark.parametrize("grid", [None, 1, 16, 32, 50])
def test_a_coarse_patchcore_is_small_and_works(bank: int, grid: int | None) -> None:
    own = {"neighbours": 2, "embed_dim": 6, "seed": 3, "neighbourhood": 1}
    coarse = PatchCore(bank_size=bank, max_grid=grid, max_descriptors=max(bank, 64), **own).low_fidelity()
    parameters = coarse.get_params()
    assert parameters["bank_size"] == max(1, bank // COARSE_BANK)
    assert parameters["max_descriptors"] >= parameters["bank_size"]
    assert parameters["max_grid"] == (COARSE_GRID if grid is None else min(grid, COARSE_GRID))
    assert own.items() <= parameters.items()
    coarse.reset()  # where parameters that contradict each other are refused


@pytest.mark.parametrize(("side", "judged"), [(128, 64), (64, 32), (40, 32), (256, 128)])
def test_rounds(side: int, judged: int) -> None:
    whole, prototypes = numbered(60, 30, 20), {"patchcore": PatchCore(), "other": Gaussian()}
    full, coarse = high_fidelity(prototypes, whole, side), low_fidelity(prototypes, whole, side)
    assert (full.name, coarse.name) == ("full", "coarse")
    assert (full.evaluator.side, coarse.evaluator.side) == (side, judged)
    assert full.keeps_maps and not coarse.keeps_maps
    assert full.detectors == prototypes and full.validation is whole
    assert list(coarse.detectors) == list(prototypes)
    for name, prototype in prototypes.items():
        assert coarse.detectors[name].get_params() == prototype.low_fidelity().get_params() != prototype.get_params()
    assert full.steps == 2 * 60 + 30 + 3 * 20
    assert coarse.steps == 2 * COARSE_TRAIN + COARSE_GOOD + 3 * COARSE_BAD
    assert low_fidelity(prototypes, numbered(200, 200, 200), side).steps == coarse.steps
