"""Checks of what a detector says where it is used too early, or given what it cannot read."""

from collections.abc import Callable
from typing import Any

import torch
from sklearn.exceptions import NotFittedError
from torch import Tensor

from flawsight.core import FlawsightError
from flawsight.detectors import Detector
from flawsight.testing.data import TWO_LAYERS, Shapes, fresh, good, on, raises


@on("one")
def check_use_before_fit(detector: Detector, shapes: Shapes) -> None:
    """Who has learned nothing says so."""
    unfitted = fresh(detector)
    for use in (unfitted.anomaly_maps, unfitted.image_scores, lambda _: unfitted.state_dict()):
        with raises(NotFittedError, "call fit first"):
            use(good(1, shapes))


def with_value(value: float, shapes: Shapes) -> list[Tensor]:
    """Features of three images, one value replaced."""
    features = good(3, shapes)
    features[-1][2, -1, 1, 1] = value
    return features


UNREADABLE: dict[str, tuple[Callable[[Shapes], Any], str]] = {
    "nan": (lambda shapes: with_value(float("nan"), shapes), "NaN"),
    "infinity": (lambda shapes: with_value(float("inf"), shapes), "infinity"),
    "three dims": (lambda shapes: [values[0] for values in good(3, shapes)], r"\(N, C, H, W\)"),
    "five dims": (lambda shapes: [values[None] for values in good(3, shapes)], r"\(N, C, H, W\)"),
    "unequal": (lambda shapes: [good(3, shapes)[0], good(2, shapes)[0]], "number of images"),
}
NOT_EVEN_BATCHES: dict[str, tuple[Callable[[Shapes], Any], str]] = {
    "one tensor": (lambda shapes: good(3, shapes)[0], r"\(N, C, H, W\)"),
    "arrays": (lambda shapes: [[values.numpy() for values in good(3, shapes)]], r"\(N, C, H, W\)"),
}


@on("two")
def check_bad_features_are_refused_by_fit(detector: Detector, shapes: Shapes) -> None:
    """What cannot be learned from is named."""
    for make, words in (UNREADABLE | NOT_EVEN_BATCHES).values():
        with raises(FlawsightError, words):
            fresh(detector).fit(make(shapes))


@on("two")
def check_bad_features_are_not_judged(detector: Detector, shapes: Shapes) -> None:
    """What cannot be judged is named."""
    fitted = fresh(detector).fit(good(3, shapes))
    for make, words in UNREADABLE.values():
        for answer in (fitted.anomaly_maps, fitted.image_scores):
            with raises(FlawsightError, words):
                answer(make(shapes))


@on("two")
def check_no_images(detector: Detector, shapes: Shapes) -> None:
    """There must be something to learn from."""
    nothing: list[Any] = [[], iter([]), [torch.zeros(0, *shapes[0])], [good(0, shapes)]]
    for given in nothing:
        with raises(FlawsightError, "no images"):
            fresh(detector).fit(given)
    with raises(FlawsightError, "no feature maps"):
        fresh(detector).fit([[]])


@on("one")
def check_features_of_other_layers_than_in_fit(detector: Detector, shapes: Shapes) -> None:
    """Who learned from one layer does not judge two."""
    fitted = fresh(detector).fit(good(4, shapes))
    with raises(FlawsightError):
        fitted.anomaly_maps(good(2, TWO_LAYERS))
