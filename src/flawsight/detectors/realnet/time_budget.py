"""How large a RealNet, trained for how long, a given time affords on this machine."""

from __future__ import annotations

from time import perf_counter
from typing import TypeVar

from sklearn.base import clone

from flawsight.core import FlawsightError
from flawsight.detectors.base import Detector, FeatureMaps
from flawsight.detectors.realnet.network import SIZES

Sized = TypeVar("Sized", bound=Detector)

ENOUGH_STEPS = 1000
"""A larger preset is no gain if it cannot take so many, the default."""
LEAST_STEPS = 100
"""With fewer it may be worse than guessing: after 19 the AU-ROC on `cookie` was 0.40."""
_TIMED_PICTURES = 2
_TIMED_STEPS = 4


def fit_to_time_budget(detector: Sized, features: FeatureMaps, seconds: float) -> Sized:
    """The detector with the largest preset, and as many steps, as one training of so many seconds allows.

    A few steps on the first two of these pictures are timed, from the smallest preset up.
    """
    few = [values[:_TIMED_PICTURES] for values in features]
    best = clone(detector)
    for name, size in SIZES.items():
        steps = int(seconds / (size.batch_size / _TIMED_PICTURES * _seconds_a_step(detector, name, few)))
        if name != next(iter(SIZES)) and steps < ENOUGH_STEPS:
            break
        if steps < LEAST_STEPS:
            raise FlawsightError(
                f"the budget affords RealNet {steps} steps on this machine, and with fewer than {LEAST_STEPS} it has "
                f"learned nothing: allow {-(-LEAST_STEPS // max(1, steps))} times as long, or leave the budget out"
            )
        best = clone(detector).set_params(size=name, training_steps=steps)
    return best


def _seconds_a_step(detector: Detector, size: str, few: FeatureMaps) -> float:
    took = []
    for steps in (1, 1 + _TIMED_STEPS):
        timed = clone(detector).set_params(
            size=size, training_steps=steps, batch_size=_TIMED_PICTURES, pairs=None, afs_pairs=_TIMED_PICTURES
        )
        start = perf_counter()
        timed.fit(few)
        took.append(perf_counter() - start)
    return max(1e-6, (took[1] - took[0]) / _TIMED_STEPS)
