"""Input checks that the metrics share."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flawsight.core import FlawsightError


def score_vector(values: ArrayLike, name: str) -> NDArray[Any]:
    """Return `values` as a one-dimensional floating array without NaN; float32 and float64 stay as they are."""
    scores = as_floating(values)
    if scores.ndim != 1:
        raise FlawsightError(f"{name} must be one-dimensional, one number per image, but the shape is {scores.shape}.")
    if np.isnan(scores).any():
        where = int(np.flatnonzero(np.isnan(scores))[0])
        raise FlawsightError(f"{name} contain NaN, first at index {where}; a detector must give every image a number.")
    return scores


def as_floating(values: ArrayLike) -> NDArray[Any]:
    """Return `values` as float32 or float64, whichever holds them exactly; no copy where none is needed."""
    array = np.asarray(values)
    if array.dtype.kind not in "buif":
        raise FlawsightError(f"Scores must be real numbers, but their type is {array.dtype}.")
    return array.astype(floating_type(array.dtype), copy=False)


def floating_type(*types: np.dtype[Any]) -> np.dtype[Any]:
    """Return the float type, float32 or float64, that holds all of `types`."""
    return np.dtype(np.float32 if np.result_type(np.float32, *types) == np.float32 else np.float64)


def labelled_scores(scores: ArrayLike, labels: ArrayLike) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Return scores (n,) and labels (n,), True where defective; labels must be 0 (good) or 1 (defective)."""
    values, marks = score_vector(scores, "Scores"), np.asarray(labels)
    if marks.shape != values.shape:
        raise FlawsightError(f"There are {values.shape} scores but {marks.shape} labels; give one label per score.")
    if not np.isin(marks, (0, 1)).all():
        raise FlawsightError("Labels must be 0 (good) or 1 (defective); leave images of unknown label out.")
    return values, marks.astype(bool)


def split_by_label(scores: ArrayLike, labels: ArrayLike) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the scores of the good and of the defective images; an error names the class that is missing."""
    values, defective = labelled_scores(scores, labels)
    if defective.all():
        raise FlawsightError("There are no good images (label 0); this figure needs good and defective ones.")
    if not defective.any():
        raise FlawsightError("There are no defective images (label 1); this figure needs good and defective ones.")
    return values[~defective], values[defective]
