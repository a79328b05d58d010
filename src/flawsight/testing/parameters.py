"""Checks of what a detector says of itself: its parameters, its tags and its cheaper form."""

from typing import Any

import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from flawsight.core import FlawsightError
from flawsight.detectors import AnomalySynthesis, Detector
from flawsight.testing.data import EVERY, SHAPES, Shapes, fresh, good, on, raises

COST_NEUTRAL = ("learning_rate", "batch_size")
"""A shorter training may take other steps."""


def learned(detector: Detector) -> set[str]:
    """Names of the attributes that hold what was learned."""
    return {attribute for attribute in vars(detector) if attribute.endswith("_")}


def check_parameters_are_stored_unchanged_and_cloned(detector: Detector) -> None:
    """The constructor stores its parameters as they are, and copies have the same."""
    parameters, kind = detector.get_params(), type(detector)
    other = kind()
    assert other.set_params(**parameters) is other, "set_params does not return the detector"
    for copy in (clone(detector), other, kind(**parameters)):
        assert copy.get_params() == parameters, "a copy has other parameters"
        assert not learned(copy), "the constructor sets an attribute that ends in _, as those learned do"
    sentinels: dict[str, Any] = {name: object() for name in parameters}  # whatever it is, the constructor does not look
    made = kind(**sentinels)
    assert all(getattr(made, name) is value for name, value in sentinels.items()), "the constructor changes a parameter"


@on("one")
def check_fitting_does_not_touch_the_parameters(detector: Detector, shapes: Shapes) -> None:
    """What is learned ends in _, is no parameter, and is not cloned."""
    fitted = fresh(detector)
    before = fitted.get_params()
    fitted.fit(good(6, shapes))
    assert fitted.get_params() == before, "fit changes parameters"
    found = learned(fitted)
    assert found and not found & before.keys(), "no attribute that ends in _ holds what was learned"
    with raises(NotFittedError):
        clone(fitted).anomaly_maps(good(1, shapes))


def check_tags(detector: Detector) -> None:
    """Tags have known values; who needs no defects refuses them; calibration has at least two folds."""
    tags = detector.tags
    assert tags.input in SHAPES, f"tags.input is none of {', '.join(SHAPES)}"
    assert tags.cv_folds >= 2, "calibration needs at least two folds"
    if not tags.needs_defects:
        with raises(FlawsightError, "no use for defects"):
            clone(detector).attach(AnomalySynthesis(lambda pictures: [], []))


def check_low_fidelity_differs_in_cost_only(detector: Detector) -> None:
    """The cheaper form is of the same kind, not fitted, and has smaller numbers or parts left out."""
    for one in (type(detector)(), detector):
        coarse, before = one.low_fidelity(), one.get_params()
        assert type(coarse) is type(one) and coarse is not one, "low_fidelity gives another kind, or the same object"
        assert not learned(coarse) and clone(coarse).get_params() == coarse.get_params()
        for name, value in coarse.get_params().items():
            old = before[name]
            if name in COST_NEUTRAL or value in (old, "none"):  # a part may be left out
                continue
            assert type(value) is int and (old is None or value < old), f"{name} is no cheaper as {value} than as {old}"


@on(*EVERY)
def check_low_fidelity_detects(detector: Detector, shapes: Shapes) -> None:
    """The cheaper form gives finite scores."""
    coarse = fresh(detector).low_fidelity().fit(good(6, shapes))
    assert torch.isfinite(coarse.image_scores(good(3, shapes, seed=1))).all(), "a score is not finite"
