import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flawsight.core import FlawsightError
from flawsight.defects import Image, Mask, make


def box(mask: Mask) -> tuple[int, int, int, int]:
    """Top, left, height, width; the mask must be a filled rectangle."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    assert mask.sum() == len(rows) * len(columns)
    assert mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
    return rows[0], columns[0], len(rows), len(columns)


@settings(max_examples=60)
@given(st.integers(0, 2**32), st.integers(20, 300), st.integers(20, 300), st.sampled_from(["simple", "cutpaste"]))
def test_rectangle_within_the_papers_bounds(seed: int, height: int, width: int, kind: str) -> None:
    rng = np.random.default_rng(seed)
    image = rng.integers(1, 255, (height, width, 3), dtype=np.uint8)
    result, mask = make(kind)(image, rng, [image])
    top, left, tall, wide = box(mask)
    for start, length, side in ((top, tall, height), (left, wide, width)):
        assert 0.1 * side <= length <= 0.5 * side
        assert start >= 20 / 256 * side and start + length <= side - 20 / 256 * side
    assert np.array_equal(result[~mask], image[~mask])
    if kind == "simple":
        assert not result[mask].any()


def test_sizes_cover_the_whole_range() -> None:
    image = np.full((256, 256, 3), 9, np.uint8)
    boxes = [box(make("simple")(image, np.random.default_rng(seed), [image])[1]) for seed in range(400)]
    assert {min(b[2] for b in boxes), max(b[2] for b in boxes)} == {26, 128}
    assert min(b[0] for b in boxes) == 20 and max(b[0] + b[2] for b in boxes) == 236


def test_cutpaste_pastes_one_crop_from_elsewhere() -> None:
    rows, columns = np.mgrid[:100, :120].astype(np.uint8)
    source: Image = np.stack([rows, columns, np.full_like(rows, 200)], axis=-1)
    target = np.zeros_like(source)
    moved = 0
    for seed in range(20):
        result, mask = make("cutpaste")(target, np.random.default_rng(seed), [source])
        top, left, tall, wide = box(mask)
        pasted = result[top : top + tall, left : left + wide].astype(int)
        assert (pasted[..., 2] == 200).all()
        assert np.array_equal(pasted[..., 0] - pasted[0, 0, 0], np.mgrid[:tall, :wide][0])
        assert np.array_equal(pasted[..., 1] - pasted[0, 0, 1], np.mgrid[:tall, :wide][1])
        moved += tuple(pasted[0, 0, :2]) != (top, left)
    assert moved > 15


def test_changed_label_leaves_equal_pixels_out() -> None:
    image = np.full((100, 100, 3), 50, np.uint8)
    image[:, ::2] = 0
    _, rectangle = make("simple")(image, np.random.default_rng(1), [image])
    _, changed = make("simple", label="changed")(image, np.random.default_rng(1), [image])
    assert np.array_equal(changed, rectangle & (image > 0).all(axis=2))


@pytest.mark.parametrize("kind", ["simple", "cutpaste"])
def test_nothing_to_see_is_an_error(kind: str) -> None:
    black = np.zeros((50, 50, 3), np.uint8)
    with pytest.raises(FlawsightError, match="no defect could be placed"):
        make(kind)(black, np.random.default_rng(0), [black])
