"""Options: each is declared once, with its type, default, bounds and help; command line, YAML and Python follow."""

from flawsight.settings.base import Options, flag_of
from flawsight.settings.commands import (
    CheckSettings,
    DefectSettings,
    DemoSettings,
    EvaluateSettings,
    FitSettings,
    InspectSettings,
    LayersSettings,
    SynthesizeSettings,
)
from flawsight.settings.config import read_config
from flawsight.settings.groups import (
    DEFAULT_EXTRACTOR,
    MAX_PIXELS,
    CalibrationOptions,
    CameraOptions,
    DataOptions,
    DefectOptions,
    DetectorOptions,
    DeviceOptions,
    ExtractorOptions,
    LearnOptions,
    PixelOptions,
    RunOptions,
    SearchOptions,
    ViewOptions,
)

__all__ = [
    "DEFAULT_EXTRACTOR",
    "MAX_PIXELS",
    "CalibrationOptions",
    "CameraOptions",
    "CheckSettings",
    "DataOptions",
    "DefectOptions",
    "DefectSettings",
    "DemoSettings",
    "DetectorOptions",
    "DeviceOptions",
    "EvaluateSettings",
    "ExtractorOptions",
    "FitSettings",
    "InspectSettings",
    "LayersSettings",
    "LearnOptions",
    "Options",
    "PixelOptions",
    "RunOptions",
    "SearchOptions",
    "SynthesizeSettings",
    "ViewOptions",
    "flag_of",
    "read_config",
]
