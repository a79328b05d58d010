"""The synthetic validation set: who trains, who stays good, who gets defects."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import overload

import numpy as np
import pytest

from flawsight.core import FlawsightError
from flawsight.data import split_good
from flawsight.selection import make_validation_set

KINDS = ("nsa", "cutpaste", "simple")


@pytest.fixture(scope="module")
def images(texture: Callable) -> list[np.ndarray]:
    return [texture(seed, (64, 64)) for seed in range(20)]


def key(image: np.ndarray) -> bytes:
    return image.tobytes()


def test_parts_are_disjoint_and_as_paper_a_splits(images: list[np.ndarray]) -> None:
    made = make_validation_set(images, KINDS, seed=4)
    split = split_good(len(images), 4)
    assert [key(i) for i in made.train] == [key(images[i]) for i in split.train]
    assert [key(i) for i in made.good] == [key(images[i]) for i in split.val_good]
    assert not {key(i) for i in made.train} & {key(i) for i in made.good}
    assert tuple(made.bad) == KINDS


def test_every_kind_is_made_on_the_same_images_and_only_inside_its_mask(images: list[np.ndarray]) -> None:
    made = make_validation_set(images, KINDS, seed=4)
    base = [images[i] for i in split_good(len(images), 4).val_bad]
    seen = {key(i) for i in (*made.train, *made.good)}
    for kind, (bad, masks) in made.bad.items():
        assert len(bad) == len(masks) == len(base)
        for image, mask, original in zip(bad, masks, base, strict=True):
            assert key(original) not in seen
            assert mask.any() and mask.dtype == bool and mask.shape == image.shape[:2]
            changed = (image != original).any(axis=2)
            assert changed.any(), kind
            away = ~np.asarray(_grown(mask))
            assert changed[away].mean() < 0.02, kind


def _grown(mask: np.ndarray) -> np.ndarray:
    rows = np.array([np.roll(mask, shift, 0) for shift in range(-3, 4)]).any(0)
    return np.array([np.roll(rows, shift, 1) for shift in range(-3, 4)]).any(0)


def test_originals_join_the_good_ones_when_asked(images: list[np.ndarray]) -> None:
    split = split_good(len(images), 1)
    made = make_validation_set(images, ("simple",), seed=1).with_originals()
    expected = [*(images[i] for i in split.val_good), *(images[i] for i in split.val_bad)]
    assert [key(i) for i in made.good] == [key(i) for i in expected]
    assert not {key(i) for i in made.train} & {key(i) for i in made.good}


def test_the_seed_decides(images: list[np.ndarray]) -> None:
    first, again, other = (make_validation_set(images, KINDS, seed=seed) for seed in (2, 2, 3))
    for kind in KINDS:
        assert all(np.array_equal(a, b) for a, b in zip(first.bad[kind][0], again.bad[kind][0], strict=True))
        assert all(np.array_equal(a, b) for a, b in zip(first.bad[kind][1], again.bad[kind][1], strict=True))
    assert [key(i) for i in first.train] != [key(i) for i in other.train]


@pytest.mark.parametrize("texture_of_product", [True, False])
def test_what_the_user_says_of_the_product_counts(images: list[np.ndarray], texture_of_product: bool) -> None:
    made = make_validation_set(images, ("nsa",), seed=0, texture=texture_of_product)
    assert made.product.texture is texture_of_product
    estimated = make_validation_set(images, ("nsa",), seed=0).product
    assert replace(estimated, texture=texture_of_product) == made.product


class Decoding(Sequence[np.ndarray]):
    """Images that are decoded anew each time they are asked for, as those of a folder are."""

    def __init__(self, images: list[np.ndarray]) -> None:
        self.images = images
        self.decoded = 0

    def __len__(self) -> int:
        return len(self.images)

    @overload
    def __getitem__(self, index: int) -> np.ndarray: ...
    @overload
    def __getitem__(self, index: slice) -> list[np.ndarray]: ...
    def __getitem__(self, index: int | slice) -> np.ndarray | list[np.ndarray]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        image = self.images[index].copy()
        self.decoded += 1
        return image


def test_images_from_disk_are_decoded_once_and_make_the_same_set(images: list[np.ndarray]) -> None:
    lazy = Decoding(images)
    made, plain = make_validation_set(lazy, ("nsa",), seed=0), make_validation_set(images, ("nsa",), seed=0)
    assert lazy.decoded == len(images)
    assert all(np.array_equal(a, b) for a, b in zip(made.bad["nsa"][0], plain.bad["nsa"][0], strict=True))


def test_too_few_images(images: list[np.ndarray]) -> None:
    with pytest.raises(FlawsightError, match="at least 8"):
        make_validation_set(images[:7], ("nsa",), seed=0)
    with pytest.raises(FlawsightError, match=r"nonsuch"):
        make_validation_set(images, ("nonsuch",), seed=0)
