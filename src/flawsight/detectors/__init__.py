"""Detectors: one file per method, one line here."""

import difflib
from collections.abc import Mapping
from typing import Any

from flawsight.detectors.ast import AsymST
from flawsight.detectors.autoencoder import Autoencoder
from flawsight.detectors.base import Detector, FeatureMaps
from flawsight.detectors.classifier import SupervisedClassifier
from flawsight.detectors.engine.anomaly_synthesis import AnomalySynthesis
from flawsight.detectors.fastflow import FastFlow
from flawsight.detectors.gaussian import Gaussian
from flawsight.detectors.knn import KNearest
from flawsight.detectors.ocsvm import OneClassSVM
from flawsight.detectors.parts.k_center import greedy_k_center
from flawsight.detectors.patchcore import PatchCore
from flawsight.detectors.realnet import RealNet
from flawsight.detectors.simplenet import SimpleNet
from flawsight.errors import FlawsightError

DETECTORS: dict[str, type[Detector]] = {
    "ast": AsymST,
    "autoencoder": Autoencoder,
    "fastflow": FastFlow,
    "gaussian": Gaussian,
    "knn": KNearest,
    "ocsvm": OneClassSVM,
    "patchcore": PatchCore,
    "realnet": RealNet,
    "simplenet": SimpleNet,
}


def make_detector(name: str, **parameters: Any) -> Detector:
    """A detector by its registered name; unknown names and parameters raise with the known ones."""
    if name == "classifier":
        raise FlawsightError(
            "'classifier' learns from labelled defects, which detectors never see: for a study, use it from Python as "
            "the upper bound (SupervisedClassifier, see docs/detectors.md)"
        )
    if name not in DETECTORS:
        near = difflib.get_close_matches(name, DETECTORS, n=2, cutoff=0.4)
        raise FlawsightError(f"unknown detector '{name}': {'did you mean ' + near[0] if near else list(DETECTORS)}")
    known = DETECTORS[name]().get_params()
    for parameter in parameters:
        if parameter not in known:
            raise FlawsightError(f"detector '{name}' has no parameter '{parameter}': it has {', '.join(known)}")
    return DETECTORS[name](**parameters)


def make_detectors(names: str, parameters: Mapping[str, Any], seed: int) -> dict[str, Detector]:
    """Detectors by name from a list such as `patchcore,simplenet`, all with this seed.

    A parameter named `simplenet.epochs` is for that detector, one named `epochs` for all that have it.
    """
    chosen = list(dict.fromkeys(part.strip() for part in names.split(",")))
    found: dict[str, Detector] = {}
    used: set[str] = set()
    for name in chosen:
        known = make_detector(name).get_params()
        own = {key.removeprefix(f"{name}."): key for key in parameters if key.startswith(f"{name}.")}
        common = {key: key for key in parameters if key in known}
        used.update(own.values(), common.values())
        given = {parameter: parameters[key] for parameter, key in {**common, **own}.items()}
        found[name] = make_detector(name, **({"seed": seed} if "seed" in known else {}) | given)
    for key in parameters:
        if key not in used:
            known = (f"{name} has {', '.join(detector.get_params())}" for name, detector in found.items())
            raise FlawsightError(f"no parameter '{key}': {'; '.join(known)}")
    return found


def detector_name(detector: Detector) -> str:
    """The name under which a detector's type is registered, or else the type's own."""
    names = [name for name, kind in DETECTORS.items() if type(detector) is kind]
    return names[0] if names else type(detector).__name__.lower()


__all__ = [
    "DETECTORS",
    "AnomalySynthesis",
    "AsymST",
    "Autoencoder",
    "Detector",
    "FastFlow",
    "FeatureMaps",
    "Gaussian",
    "KNearest",
    "OneClassSVM",
    "PatchCore",
    "RealNet",
    "SimpleNet",
    "SupervisedClassifier",
    "detector_name",
    "greedy_k_center",
    "make_detector",
    "make_detectors",
]
