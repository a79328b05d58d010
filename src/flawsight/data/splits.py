"""Seeded splits of the good images: training against validation, and folds for cross-conformal calibration.

Where several images show one part, all of them fall on the same side.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from flawsight.core import FlawsightError

MIN_GOOD = 8


@dataclass(frozen=True, eq=False)
class GoodSplit:
    """Sorted index arrays, disjoint and covering all images: to train on, to stay good, to receive defects.

    >>> split = split_good(100, seed=0)
    >>> len(split.train), len(split.val_good), len(split.val_bad)
    (70, 8, 22)
    """

    train: np.ndarray
    val_good: np.ndarray
    val_bad: np.ndarray


def split_good(
    n: int,
    seed: int,
    train_share: float = 0.7,
    bad_share: float = 0.75,
    parts: Sequence[int] | np.ndarray | None = None,
) -> GoodSplit:
    """Split n good images at random into a training part and a validation part, `bad_share` of which gets defects.

    Small sets keep at least 3 images to receive defects and 2 good ones (3 from n = 20 on), at training's expense.
    `parts` (n,) number the part that each image shows: then parts are split, and the shares are of parts.
    Raises FlawsightError for n < 8, or shares that are not strictly between 0 and 1 or leave nothing to train on.

    >>> split = split_good(len(images), seed=0)
    >>> to_train_on = [images[index] for index in split.train]
    >>> len(to_train_on), len(split.val_good), len(split.val_bad)
    (7, 2, 3)
    """
    if parts is not None:
        of_part = _images_of(parts, n)
        split = split_good(len(of_part), seed, train_share, bad_share)
        return GoodSplit(*(_together(of_part, chosen) for chosen in (split.train, split.val_good, split.val_bad)))
    if n < MIN_GOOD:
        raise FlawsightError(f"needs at least {MIN_GOOD} good images of different parts, found {n}; add pictures")
    if not (0 < train_share < 1 and 0 < bad_share < 1):
        raise FlawsightError(f"train_share {train_share} and bad_share {bad_share} must lie between 0 and 1")
    val_share = round(1 - train_share, 9)  # 1 - 0.7 is a little above 0.3, which would tip round() at the halves
    n_val = round(val_share * n)
    n_bad = round(bad_share * n_val)
    n_good = max(n_val - n_bad, 2 if n < 20 else 3)
    n_bad = max(n_bad, 3)
    if n_good + n_bad >= n:
        raise FlawsightError(f"train_share {train_share} leaves none of {n} good images to train on; raise it")
    order = np.random.default_rng(seed).permutation(n)
    val_good, val_bad, train = np.split(order, [n_good, n_good + n_bad])
    return GoodSplit(np.sort(train), np.sort(val_good), np.sort(val_bad))


def folds(n: int, k: int, seed: int, parts: Sequence[int] | np.ndarray | None = None) -> list[np.ndarray]:
    """Cut 0..n-1 at random into min(k, n) sorted index arrays whose sizes differ by at most one.

    `parts` (n,) number the part that each image shows: then it is the numbers of parts that differ by at most one.

    Raises FlawsightError if there would be fewer than two folds.

    >>> [len(part) for part in folds(10, k=3, seed=0)]
    [4, 3, 3]
    """
    if parts is not None:
        of_part = _images_of(parts, n)
        return [_together(of_part, chosen) for chosen in folds(len(of_part), k, seed)]
    if min(k, n) < 2:
        raise FlawsightError(f"cannot cut {n} images into {k} folds; needs at least 2 images and 2 folds")
    order = np.random.default_rng(seed).permutation(n)
    return [np.sort(part) for part in np.array_split(order, min(k, n))]


def _images_of(parts: Sequence[int] | np.ndarray, n: int) -> list[np.ndarray]:
    """The images of each part, in the order of the parts' numbers."""
    if len(parts) != n:
        raise FlawsightError(f"there are {n} images, but the parts of {len(parts)}")
    found, part_of = np.unique(np.asarray(parts), return_inverse=True)
    return [np.flatnonzero(part_of == number) for number in range(len(found))]


def _together(of_part: Sequence[np.ndarray], chosen: np.ndarray) -> np.ndarray:
    return np.sort(np.concatenate([of_part[number] for number in chosen]))
