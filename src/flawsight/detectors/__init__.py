"""Detectors: from feature maps to anomaly maps; one file or folder per method, loaded when it is asked for."""

from typing import TYPE_CHECKING

from flawsight.core import lazy_names
from flawsight.detectors.base import Detector, DetectorTags, FeatureMaps, checked
from flawsight.detectors.registry import DETECTORS, detector_name, make_detector, make_detectors
from flawsight.training import TrainingContext

if TYPE_CHECKING:
    from flawsight.detectors.ast import AsymmetricStudentTeacher
    from flawsight.detectors.autoencoder import Autoencoder
    from flawsight.detectors.bases import BufferedDetector, PatchDetector, PooledDetector
    from flawsight.detectors.bases.flows import FlowDetector
    from flawsight.detectors.fastflow import FastFlow
    from flawsight.detectors.gaussian import Gaussian
    from flawsight.detectors.knn import KNearest
    from flawsight.detectors.ocsvm import OneClassSVM
    from flawsight.detectors.patchcore import PatchCore, greedy_k_center
    from flawsight.detectors.realnet import RealNet
    from flawsight.detectors.simplenet import SimpleNet
    from flawsight.detectors.synthesis import AnomalySynthesis

__all__ = [
    "DETECTORS",
    "AnomalySynthesis",
    "AsymmetricStudentTeacher",
    "Autoencoder",
    "BufferedDetector",
    "Detector",
    "DetectorTags",
    "FastFlow",
    "FeatureMaps",
    "FlowDetector",
    "Gaussian",
    "KNearest",
    "OneClassSVM",
    "PatchCore",
    "PatchDetector",
    "PooledDetector",
    "RealNet",
    "SimpleNet",
    "TrainingContext",
    "checked",
    "detector_name",
    "greedy_k_center",
    "make_detector",
    "make_detectors",
]

_WHERE = {
    "AnomalySynthesis": "synthesis",
    "AsymmetricStudentTeacher": "ast",
    "Autoencoder": "autoencoder",
    "BufferedDetector": "bases",
    "FastFlow": "fastflow",
    "FlowDetector": "bases.flows",
    "Gaussian": "gaussian",
    "KNearest": "knn",
    "OneClassSVM": "ocsvm",
    "PatchCore": "patchcore",
    "PatchDetector": "bases",
    "PooledDetector": "bases",
    "RealNet": "realnet",
    "SimpleNet": "simplenet",
    "greedy_k_center": "patchcore",
}
__getattr__ = lazy_names(
    __name__,
    {name: f"{__name__}.{room}" for name, room in _WHERE.items()},
    {"AsymST": "AsymmetricStudentTeacher"},
)
