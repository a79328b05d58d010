"""What `study` takes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field

from flawsight.settings.base import option
from flawsight.settings.groups import DeviceOptions, Joined, LearnOptions, Names, Parameters, Side, SourceOptions
from flawsight.settings.parse import numbers_of
from flawsight.settings.scale import WorkerOptions

Seeds = Annotated[tuple[Annotated[int, Field(ge=0)], ...], BeforeValidator(numbers_of), Field(min_length=1)]
Sides = Annotated[tuple[Side, ...], BeforeValidator(numbers_of), Field(min_length=1)]


class StudySettings(LearnOptions, SourceOptions, WorkerOptions, DeviceOptions):
    """The options of `study`. What is not given is the study's own, or with `quick` what makes it small.

    >>> settings = StudySettings.of({"name": "a-table-1", "data": "mvtec", "out": "tables", "seeds": "0,1"})
    >>> settings.seeds, settings.image_size, settings.detector
    ((0, 1), (256,), ())
    """

    name: str = Field("", description="Which study; --list shows all.", json_schema_extra={"argument": True})
    data: Path | None = Field(
        None,
        description="Folder of labelled data sets, one for each category, or one of them.",
        json_schema_extra={"argument": True},
    )
    out: Path | None = option(None, "Folder for NAME.csv, NAME.md and the figure; made if absent.", is_required=True)
    categories: Names = option((), "Categories, such as bottle,tile; default: all there are.")
    seeds: Seeds = option((0, 1, 2), "Runs, each with splits and defects of its own.", metavar="N,N")
    extractor: Names = option((), "Networks of timm or torchvision; default: the one that needs no download.")
    weights: Names = option(
        (), "A file for each network (.safetensors or .pth), or several for one; random for none.", metavar="FILE,FILE"
    )
    image_size: Sides = option((256,), "Pixels of the network's square input.", metavar="N,N")
    detector: Names = option((), "Methods, such as patchcore,simplenet; default: the study's.")
    parameter: Parameters = option(
        {}, "A parameter of a method, such as simplenet.epochs=40; repeatable.", metavar="NAME=VALUE", repeatable=True
    )
    layers: Joined = option("all", "The layers that are compared: all, or globs such as 'blocks.2.*,blocks.4.*'.")
    most_layers: int | None = option(None, "Compare at most so many layers, spread evenly over the network.", ge=1)
    most_good: int | None = option(None, "Learn from at most so many good images, drawn by the seed.", ge=8)
    most_test: int | None = option(None, "Test on at most so many images, the same for every seed.", ge=2)
    quick: bool = option(False, "A small form that takes seconds, to see what comes out.", flags="--quick")
    list: bool = option(False, "Show all studies and what they need.", flags="--list")
