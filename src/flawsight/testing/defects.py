"""Checks of what a kind of synthetic defect promises."""

from __future__ import annotations

from itertools import product

import cv2
import numpy as np

from flawsight.core import FlawsightError
from flawsight.defects import SyntheticDefect, make
from flawsight.testing.data import texture

SIZES = ((32, 32), (64, 97), (255, 120), (512, 300))


def check_defect(kind_or_instance: str | SyntheticDefect) -> None:
    """Raise AssertionError unless a kind of defect, by its name or made, is what others can rely on.

    >>> check_defect("scratch")
    """
    named = isinstance(kind_or_instance, str)
    defect = make(kind_or_instance) if isinstance(kind_or_instance, str) else kind_or_instance
    title = kind_or_instance if named else type(defect).__name__
    for check in (check_result_and_label, check_same_state_same_result, check_any_size, check_views_and_own_source):
        try:
            check(defect)
        except (AssertionError, FlawsightError) as error:
            raise AssertionError(f"{check.__name__} of the defect '{title}': {error}") from error


def check_result_and_label(defect: SyntheticDefect) -> None:
    """Inputs stay; what is labelled changed, and what changed much is labelled or borders on the label."""
    pictures = [texture(seed) for seed in range(6)]
    for array in pictures:
        array.setflags(write=False)
    before = [array.copy() for array in pictures]
    image = pictures[0]
    for seed in range(8):
        result, mask = defect(image, np.random.default_rng(seed), pictures[1:])
        assert result.shape == image.shape and result.dtype == np.uint8, f"a result is {result.dtype} {result.shape}"
        assert mask.shape == image.shape[:2] and mask.dtype == bool, f"a mask is {mask.dtype} {mask.shape}"
        assert 0 < mask.mean() < 0.6, f"a mask covers {mask.mean():.0%}"
        assert all(np.array_equal(array, old) for array, old in zip(pictures, before, strict=True)), "inputs changed"
        assert not np.shares_memory(result, image), "the result shares memory with the image"
        change = cv2.absdiff(image, result).mean(axis=2)
        assert (change[mask] > 0).mean() > 0.5, "most of what is labelled did not change"
        near = cv2.dilate(mask.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
        assert change[~near].max(initial=0) <= max(3, 0.5 * change.max()), "much changed far from the label"
        assert change[mask].sum() > 0.5 * change.sum(), "most of the change is not labelled"


def check_same_state_same_result(defect: SyntheticDefect) -> None:
    """The generator is the only source of chance."""
    pictures = [texture(seed) for seed in range(6)]
    first, again, other = (defect(pictures[0], np.random.default_rng(seed), pictures[1:]) for seed in (3, 3, 4))
    equal = np.array_equal(first[0], again[0]) and np.array_equal(first[1], again[1])
    assert equal, "the same state of the generator gives another result"
    assert not np.array_equal(first[0], other[0]), "another state of the generator gives the same result"


def check_any_size(defect: SyntheticDefect) -> None:
    """Images may have any size, and their sources another."""
    for size, seed in product(SIZES, range(3)):
        image = cv2.resize(texture(0), size[::-1]).astype(np.uint8)
        result, mask = defect(image, np.random.default_rng(seed), [texture(1), texture(2)])
        assert result.shape[:2] == mask.shape == size and mask.any(), f"no defect on an image of {size}"


def check_views_and_own_source(defect: SyntheticDefect) -> None:
    """Images may be mirrored views, and their own source."""
    view = texture(0)[:, ::-1]
    _, mask = defect(view, np.random.default_rng(0), [view])
    assert mask.any(), "no defect on a mirrored view"
