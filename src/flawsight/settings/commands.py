"""What each command takes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from flawsight.settings.base import Options, Text, option
from flawsight.settings.drift import DriftOptions
from flawsight.settings.extractor import DEFAULT_EXTRACTOR, ExtractorOptions
from flawsight.settings.groups import (
    BackendOptions,
    CalibrationOptions,
    CameraOptions,
    DataOptions,
    DefectOptions,
    DetectorOptions,
    DeviceOptions,
    ExportOptions,
    Joined,
    LearnOptions,
    Names,
    Numbers,
    PixelOptions,
    RunOptions,
    SearchOptions,
    ViewOptions,
)
from flawsight.settings.scale import TrackOptions, WorkerOptions
from flawsight.settings.trust import TrustOptions

OUT = "Folder to write to; made if absent."


def argument(text: str) -> Any:
    """A field that is named by its place."""
    return Field(description=text, json_schema_extra={"argument": True})


def several(given: Any) -> Any:
    """One is a list of one."""
    return [given] if isinstance(given, str | Path) else given


class DefectSettings(RunOptions, DeviceOptions, CameraOptions, DataOptions, DefectOptions):
    """What commands that make defects have in common.

    >>> DefectSettings.of({"defects": ["nsa", "scratch"], "seed": 7}).defects
    'nsa,scratch'
    """


class InspectorOptions(
    LearnOptions,
    TrustOptions,
    SearchOptions,
    DefectSettings,
    ExportOptions,
    CalibrationOptions,
    DetectorOptions,
    ViewOptions,
    ExtractorOptions,
    WorkerOptions,
    TrackOptions,
):
    """What shapes an inspector, and where the work is done.

    >>> InspectorOptions.of({"workers": 2}).changed(InspectorOptions)
    ['workers']
    """


class FitSettings(InspectorOptions):
    """The options of `fit`. `good` may also be a list of image files, from Python.

    >>> FitSettings.of({"good": "pictures/good", "image_size": 8})
    Traceback (most recent call last):
        ...
    flawsight.core.errors.FlawsightError: --image-size '8': input should be greater than or equal to 32 (...)
    """

    good: Path | tuple[Path, ...] = argument("Folder of good images, or a data set with train/good.")
    out: Path | None = option(None, "Folder for the bundle; made if absent.", is_required=True)


class FitAllSettings(InspectorOptions):
    """The options of `fit-all`: those of `fit` hold for every product, unless a table says otherwise.

    >>> settings = FitAllSettings.of({"products": "plant", "out": "bundles", "image_size": 128})
    >>> settings.workers is None, settings.warm_start
    (True, False)
    """

    products: Path = argument("A folder with a folder for each product, or a CSV table: name, folder, own options.")
    out: Path | None = option(None, "Folder for the bundles, index.html and summary.csv.", is_required=True)
    warm_start: bool = option(
        False, "Search some products in full, and on those alike try first what had won there: quicker."
    )


class CheckSettings(CameraOptions, DataOptions):
    """The options of `check`. `good` may also be a list of image files, from Python.

    >>> CheckSettings.of({"good": "pictures/good"}).out is None
    True
    """

    good: Path | tuple[Path, ...] = argument("Folder of good images, or a data set with train/good.")
    out: Path | None = option(None, "Folder for the page check.html, with pictures; made if absent.")


class SynthesizeSettings(DefectSettings):
    """The options of `synthesize`.

    >>> settings = SynthesizeSettings.of({"good": "pictures/good", "out": "synthetic", "count": 5})
    >>> settings.defects, settings.count
    ('nsa', 5)
    """

    good: Path | tuple[Path, ...] = argument("Folder of good images, or a data set with train/good.")
    out: Path = Field(description=OUT)
    defects: Joined = option("nsa", "Kinds, such as nsa,cutpaste,simple.")
    generator: Path | None = option(
        None,
        "sdas: folder of the generator; what is there is used if it learned from these images, else one is made; "
        "default OUT/generator.",
    )
    count: int | None = option(None, "So many defective images of each kind, not one for each good one.", ge=1)


class InspectSettings(DriftOptions, BackendOptions, PixelOptions):
    """The options of `inspect`.

    >>> settings = InspectSettings.of({"bundle": "inspector", "images": "new.png", "out": "results"})
    >>> [path.name for path in settings.images]
    ['new.png']
    """

    bundle: Path = argument("Folder that `fit` wrote.")
    images: Annotated[tuple[Path, ...], BeforeValidator(several)] = argument("Images, or folders of images.")
    out: Path = Field(description=OUT)
    mm_per_pixel: float | None = option(
        None, "Areas are given in mm², too; default: what the fit was told.", gt=0, metavar="MM"
    )
    drift: Path | None = option(
        None,
        "File that remembers from one inspection to the next whether production drifts; made if absent.",
        metavar="STATE",
    )


class EvaluateSettings(BackendOptions, DataOptions):
    """The options of `evaluate`.

    >>> settings = EvaluateSettings.of({"bundle": "inspector", "dataset": "datasets/bottle", "out": "figures"})
    >>> settings.resolution
    'native'
    """

    bundle: Path = argument("Folder that `fit` wrote.")
    dataset: Path = argument("A labelled data set.")
    out: Path = Field(description=OUT)
    resolution: Literal["native"] | Annotated[int, Field(ge=1, le=8192)] = option(
        "native", "native (each image's own size), or N for N x N, at most 8192.", metavar="native|N"
    )


class ExportSettings(Options):
    """The options of `export`.

    >>> ExportSettings.of({"bundle": "inspector", "precision": "int8"}).format
    'onnx'
    """

    bundle: Path = argument("Folder that `fit` wrote.")
    format: Literal["onnx", "openvino"] = option("onnx", "onnx, or openvino.")
    precision: Literal["fp32", "fp16", "int8"] = option("fp32", "fp32, fp16, or int8 (the network's convolutions).")
    out: Path | None = option(None, "Folder for a bundle with what runs without torch alone; default: into BUNDLE.")
    good: Path | None = option(
        None, "Folder of good pictures to compare and calibrate on; default: the samples in the bundle."
    )


class BenchSettings(Options):
    """The options of `bench`.

    >>> settings = BenchSettings.of({"bundle": "inspector", "batch": "1,8", "backend": "onnxruntime"})
    >>> settings.batch, settings.backend, settings.threads
    ((1, 8), ('onnxruntime',), None)
    """

    bundle: Path = argument("Folder that `fit` wrote.")
    batch: Numbers = option((1, 8), "So many pictures at once, such as 1,8.", metavar="N,N")
    threads: Numbers | None = option(
        None, "Threads of the processor, such as 1,2; default: all its cores.", metavar="N,N"
    )
    backend: Names = option(
        ("auto",), "onnxruntime, openvino, torch; auto takes each that is installed and that the bundle can run."
    )
    repeat: int = option(50, "So many runs of each, after a warm-up.", ge=3)


class LayersSettings(DeviceOptions, ExtractorOptions):
    """The options of `layers`.

    >>> LayersSettings().extractor
    'tf_efficientnet_lite0'
    """

    extractor: Text = Field(
        DEFAULT_EXTRACTOR, description="A network of timm or torchvision.", json_schema_extra={"argument": True}
    )
    image_size: int = option(256, "Pixels of the network's square input.", ge=32)
    seed: int = option(0, "Of --weights random, and of which pictures are measured on.", ge=0)
    receptive_field: bool = option(False, "Measure how large a part of the input each layer is sensitive to.")
    good: Path | None = option(
        None, "Folder of pictures to measure receptive fields on, 20 of them; default: 20 images of noise."
    )


class DemoSettings(Options):
    """The options of `demo`.

    >>> str(DemoSettings().out)
    'flawsight-demo'
    """

    out: Path = option(Path("flawsight-demo"), "Folder for everything the demo writes.")
