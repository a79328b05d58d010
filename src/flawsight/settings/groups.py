"""The options in groups; names are flat, so that a group is no more than who may read what."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ByteSize, Field

from flawsight.settings.base import Options, Text, option
from flawsight.settings.parse import (
    foreground_of,
    joined_of,
    length_of,
    members_of,
    milliseconds_of,
    names_of,
    numbers_of,
    parameters_of,
    range_of,
    sizes_of,
)

MAX_PIXELS = 100_000_000
Joined = Annotated[Text, BeforeValidator(joined_of)]
Names = Annotated[tuple[str, ...], BeforeValidator(names_of)]
Numbers = Annotated[tuple[Annotated[int, Field(ge=1)], ...], BeforeValidator(numbers_of)]
Range = Annotated[tuple[float, float], BeforeValidator(range_of)]
Side = Annotated[int, Field(ge=32)]
Sizes = Annotated[Side | tuple[Side, ...] | Literal["auto"], BeforeValidator(sizes_of)]
Milliseconds = Annotated[float | None, BeforeValidator(milliseconds_of)]
Length = Annotated[str | None, BeforeValidator(length_of)]
Foreground = Annotated[Literal["auto", "all"] | tuple[float, float], BeforeValidator(foreground_of)]
Members = Annotated[tuple[tuple[str, ...], ...] | None, BeforeValidator(members_of)]
Parameters = Annotated[dict[str, Any], BeforeValidator(parameters_of)]


class PixelOptions(Options):
    """How large an image may be.

    >>> PixelOptions.of({"max_pixels": 10})
    Traceback (most recent call last):
        ...
    flawsight.core.errors.FlawsightError: --max-pixels '10': input should be greater than or equal to 64 (...)
    """

    max_pixels: int = option(MAX_PIXELS, "Refuse images with more pixels than this.", ge=64)


class DataOptions(PixelOptions):
    """Which images of a data set.

    >>> DataOptions.of({"category": "bottle"}).changed(DataOptions)
    ['category']
    """

    layout: Text = option("auto", "How the data set is laid out; auto recognises it from the folder.")
    category: str | None = option(None, "Which category of a data set that holds several.")
    good_class: str | None = option(None, "For class folders: the class that is good.")


class CameraOptions(Options):
    """What the camera delivers, where the files do not say it.

    >>> CameraOptions.of({"bayer": "RG"}).bits is None
    True
    """

    bayer: Literal["RG", "GR", "GB", "BG"] | None = option(
        None, "The pictures are raw: the colours of the first two pixels.", metavar="RG|GR|GB|BG"
    )
    bits: int | None = option(None, "So many of 16 bits are used; default: by the brightest value.", ge=8, le=16)


class DeviceOptions(Options):
    """Where to compute.

    >>> DeviceOptions().device
    'auto'
    """

    device: Text = option("auto", "auto, cpu, or cuda.")


class GraphOptions(Options):
    """What runs a bundle's graph.

    >>> GraphOptions(backend="openvino").threads is None
    True
    """

    backend: Text = option("auto", "auto, onnxruntime or openvino; auto takes OpenVINO where it is installed.")
    threads: int | None = option(None, "Threads of the processor; default: all its cores.", ge=1)


class BackendOptions(GraphOptions, DeviceOptions):
    """What runs a bundle.

    >>> BackendOptions(backend="onnxruntime").threads is None
    True
    """

    backend: Text = option(
        "auto", "auto, onnxruntime, openvino or torch; auto takes the graph in the bundle where there is one."
    )


class ExportOptions(Options):
    """The graph by which a bundle runs without torch.

    >>> ExportOptions(export="none").export
    'none'
    """

    export: Literal["onnx", "openvino", "none"] = option(
        "onnx", "The graph for where there is no torch: onnx, openvino, or none."
    )


class ViewOptions(Options):
    """How a picture becomes the network's inputs, and which part of it is inspected.

    >>> ViewOptions().sides, ViewOptions.of({"image_size": "256,384"}).sides
    ((256,), (256, 384))
    """

    image_size: Sizes = option(
        256,
        "Pixels of the network's square input; several, such as 256,384, or auto: tried, the best is taken.",
        metavar="N[,N]|auto",
        is_text=True,
    )
    view: Literal["squash", "whole", "tiles", "auto"] = option(
        "auto",
        "squash: resized to the square; whole: the aspect is kept; tiles: cut into squares; auto: squash, but for "
        "pictures that are much larger or long the best is searched.",
    )
    tile: int | None = option(
        None, "tiles: cut squares of so many pixels, then resized; default: the image size.", ge=8, metavar="PIXELS"
    )
    overlap: float = option(
        0.125, "tiles: the least share of its side that a tile has in common with the next.", ge=0, le=0.5
    )
    region: Path | None = option(
        None,
        "Inspect this part alone: a mask picture, or polygons (JSON, LabelMe, CVAT); auto: the part's outline.",
        metavar="FILE|auto",
    )
    mm_per_pixel: float | None = option(None, "Areas are given in mm², too.", gt=0, metavar="MM")

    @property
    def sides(self) -> tuple[int, ...]:
        """The image sizes that were named; none for auto."""
        if isinstance(self.image_size, int):
            return (self.image_size,)
        return () if self.image_size == "auto" else self.image_size

    @property
    def is_region_auto(self) -> bool:
        """Whether the region is to be found."""
        return self.region == Path("auto")


class DetectorOptions(Options):
    """Which method, and how it is set.

    >>> options = DetectorOptions.of({"parameter": ["patchcore.bank_size=500"], "fixed_layers": "a+b,c"})
    >>> options.parameter, options.fixed_layers
    ({'patchcore.bank_size': 500}, (('a', 'b'), ('c',)))
    """

    detector: Any = option("patchcore", "The method; several, such as patchcore,gaussian, are compared on every layer.")
    parameter: Parameters = option(
        {},
        "A parameter of the method, such as simplenet.epochs=40; repeatable.",
        metavar="NAME=VALUE",
        repeatable=True,
    )
    fixed_layers: Members = option(
        None,
        "Read these layers and search nothing: a+b,c is one member that reads a and b, and one that reads c; "
        "evenly:4 is four.",
        metavar="LAYERS",
    )


class DefectOptions(Options):
    """Which synthetic defects, of what, and where.

    >>> DefectOptions.of({"strength": "0.1:0.3"}).strength
    (0.1, 0.3)
    """

    defects: Joined = option("auto", "auto, or kinds such as nsa,cutpaste,simple.")
    textures: Path | None = option(None, "perlin: folder of foreign textures.")
    generator: Path | None = option(
        None, "sdas: folder of the generator; what is there is used if it learned from these images, else one is made."
    )
    generator_preset: Text = option("small", "sdas: small, or paper (256 pixels, needs a GPU).")
    generator_steps: int | None = option(None, "sdas: training steps; default: the preset's.", ge=1)
    strength: Range = option((0.1, 0.2), "sdas: how anomalous; a number, or LOW:HIGH.", metavar="LOW:HIGH")
    texture: bool | None = option(None, "Say what the product is, instead of the estimate.", flags="--texture/--object")
    foreground: Foreground = option(
        "auto",
        "Where defects may lie: auto, all, or the background's BRIGHTNESS:THRESHOLD.",
        metavar="auto|all|BRIGHTNESS:THRESHOLD",
    )


class SearchOptions(Options):
    """How layers are searched.

    >>> int(SearchOptions.of({"max_memory": "4G"}).max_memory)
    4000000000
    """

    layers: Joined = option("all", "all, globs such as 'blocks.2.*,blocks.4.*', or evenly:4 by receptive field.")
    search: Literal["auto", "exhaustive"] = option("auto", "auto, or exhaustive (paper A's procedure).")
    first: Joined | None = option(
        None, "auto: try these layers first, and the rest of a depth only where others see more there."
    )
    fuse: int = option(3, "Combine at most so many depths; 1: the best layer alone.", ge=1)
    smallest_defect: Length = option(
        None, "Search for what sees defects of this size: their width, or side.", metavar="N[px|mm]", is_text=True
    )
    max_images: int = option(140, "auto: search on at most so many images.", ge=8)
    finalists: int = option(4, "auto: measure in full at most so many layers of a depth.", ge=1)
    max_memory: ByteSize | None = option(
        None, "Memory that the search may take, such as 4G; default: 2 GiB or less.", metavar="SIZE"
    )
    budget: float | None = option(
        None,
        "Time for the search, or for realnet's training; default: what it needs.",
        gt=0,
        metavar="MINUTES",
    )

    latency_budget: Milliseconds = option(
        None,
        "Choose what keeps to this time a picture on this machine, such as 15ms.",
        gt=0,
        metavar="MS",
        is_text=True,
    )


class LearnOptions(Options):
    """What is learned from.

    >>> LearnOptions.of({"label_preserving": "blur,flip"}).label_preserving
    ('blur', 'flip')
    """

    augment: int = option(0, "Learn from so many changed copies of each image; 0: as it is.", ge=0, metavar="COPIES")
    label_preserving: Names = option(
        ("blur", "contrast", "colour", "noise"),
        "Changes that leave a good part good: also flip, rotate90, shift, rotate if your part allows.",
        metavar="CHANGES",
    )


class CalibrationOptions(Options):
    """The operating point.

    >>> CalibrationOptions.of({"false_alarm_rate": 0.05}).false_alarm_rate
    0.05
    """

    false_alarm_rate: float = option(0.01, "Share of good parts that may be stopped.", gt=0, lt=1)
    pod: bool = option(True, "Measure how large artificial defects must be to be found.", flags="--pod/--no-pod")


class RunOptions(Options):
    """Chance, and what is already there.

    >>> RunOptions.of({"seed": 7}).changed(RunOptions)
    ['seed']
    """

    seed: int = option(0, "Everything random flows from this number.", ge=0)
    overwrite: bool = option(False, "Replace what is already there.")
