"""Detectors by name: ours, those of other packages, and those that a session adds: `DETECTORS["mine"] = Mine`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flawsight.core import FlawsightError, Registry, unknown, warn_renamed
from flawsight.detectors.base import Detector

DETECTORS: Registry[type[Detector]] = Registry(
    "detector",
    "flawsight.detectors",
    {
        "ast": "flawsight.detectors.ast:AsymmetricStudentTeacher",
        "autoencoder": "flawsight.detectors.autoencoder:Autoencoder",
        "fastflow": "flawsight.detectors.fastflow:FastFlow",
        "gaussian": "flawsight.detectors.gaussian:Gaussian",
        "knn": "flawsight.detectors.knn:KNearest",
        "ocsvm": "flawsight.detectors.ocsvm:OneClassSVM",
        "patchcore": "flawsight.detectors.patchcore:PatchCore",
        "realnet": "flawsight.detectors.realnet:RealNet",
        "simplenet": "flawsight.detectors.simplenet:SimpleNet",
    },
)
RENAMED = {("realnet", "at_once"): "micro_batch_size"}
"""Parameters that were replaced, by detector."""


def make_detector(name: str, **parameters: Any) -> Detector:
    """A detector by its registered name; unknown names and parameters raise with the known ones.

    >>> make_detector("gaussian", dims=32)
    Gaussian(dims=32)
    """
    if name == "classifier":
        raise FlawsightError(
            "'classifier' learns from labelled defects, which detectors never see: for a study, use it from Python as "
            "the upper bound (flawsight.studies.SupervisedClassifier, see docs/detectors.md)"
        )
    kind = DETECTORS[name]
    known = kind().get_params()
    given = {_renamed(name, parameter): value for parameter, value in parameters.items()}
    for parameter in given:
        if parameter not in known:
            raise unknown(f"parameter of the detector '{name}'", parameter, known)
    return kind(**given)


def make_detectors(names: str, parameters: Mapping[str, Any], seed: int) -> dict[str, Detector]:
    """Detectors by name from a list such as `patchcore,simplenet`, all with this seed.

    A parameter named `simplenet.epochs` is for that detector, one named `epochs` for all that have it.

    >>> make_detectors("patchcore,gaussian", {"gaussian.dims": 32}, seed=7)
    {'patchcore': PatchCore(seed=7), 'gaussian': Gaussian(dims=32, seed=7)}
    """
    chosen = list(dict.fromkeys(part.strip() for part in names.split(",")))
    found: dict[str, Detector] = {}
    used: set[str] = set()
    for name in chosen:
        known = make_detector(name).get_params()
        own = {key.removeprefix(f"{name}."): key for key in parameters if key.startswith(f"{name}.")}
        common = {key: key for key in parameters if _renamed(name, key) in known}
        used.update(own.values(), common.values())
        given = {parameter: parameters[key] for parameter, key in {**common, **own}.items()}
        found[name] = make_detector(name, **({"seed": seed} if "seed" in known else {}) | given)
    for key in parameters:
        if key not in used:
            known_ones = (f"{name} has {', '.join(detector.get_params())}" for name, detector in found.items())
            raise FlawsightError(f"no parameter '{key}': {'; '.join(known_ones)}")
    return found


def detector_name(detector: Detector) -> str:
    """The name under which a detector's type is registered; FlawsightError where it is not.

    >>> detector_name(KNearest(neighbours=5))
    'knn'
    """
    name = DETECTORS.name_of(type(detector))
    if name is None:
        kind = type(detector).__name__
        raise FlawsightError(
            f"the detector {kind} has no name under which a bundle could be loaded again: register it first, "
            f'flawsight.detectors.DETECTORS["{kind.lower()}"] = {kind}, or as an entry point of its package'
        )
    return name


def _renamed(name: str, parameter: str) -> str:
    new = RENAMED.get((name, parameter))
    if new:
        warn_renamed(f"{name}.{parameter}", new)
    return new or parameter
