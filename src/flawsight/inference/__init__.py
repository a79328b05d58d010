"""Networks and detectors at work together: one pass over images feeds and asks many detectors."""

from flawsight.inference.feature_pass import (
    BATCH,
    LayerSet,
    MemberSpec,
    feed,
    fit_detectors,
    iter_features,
    learn,
    predict,
    predict_raw,
    release,
)
from flawsight.inference.torch_backend import TorchBackend, load, save

__all__ = [
    "BATCH",
    "LayerSet",
    "MemberSpec",
    "TorchBackend",
    "feed",
    "fit_detectors",
    "iter_features",
    "learn",
    "load",
    "predict",
    "predict_raw",
    "release",
    "save",
]
