"""Detectors: one file per method, one line here."""

import difflib
from typing import Any

from flawsight.detectors.base import Detector, FeatureMaps
from flawsight.detectors.k_center import greedy_k_center
from flawsight.detectors.patchcore import PatchCore
from flawsight.errors import FlawsightError

DETECTORS: dict[str, type[Detector]] = {
    "patchcore": PatchCore,
}


def make_detector(name: str, **parameters: Any) -> Detector:
    """A detector by its registered name; unknown names and parameters raise with the known ones."""
    if name not in DETECTORS:
        near = difflib.get_close_matches(name, DETECTORS, n=2, cutoff=0.4)
        raise FlawsightError(f"unknown detector '{name}': {'did you mean ' + near[0] if near else list(DETECTORS)}")
    known = DETECTORS[name]().get_params()
    for parameter in parameters:
        if parameter not in known:
            raise FlawsightError(f"detector '{name}' has no parameter '{parameter}': it has {', '.join(known)}")
    return DETECTORS[name](**parameters)


__all__ = ["DETECTORS", "Detector", "FeatureMaps", "PatchCore", "greedy_k_center", "make_detector"]
