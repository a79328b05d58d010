"""inspector.json: everything about a bundle that is not a tensor, validated when read."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ExtractorInfo(_Strict):
    """Which network, at which size, with which weights (`weights_sha256` is of the whole network's tensors)."""

    name: str
    image_size: int = Field(ge=32)
    weights_source: str
    weights_sha256: str


class DetectorInfo(_Strict):
    """The method and its parameters."""

    name: str
    parameters: dict[str, Any]


class MemberInfo(_Strict):
    """One detector, its layers, its share of the map, and the scales of its maps (surprise) and of its image scores."""

    layers: list[str] = Field(min_length=1)
    detector: DetectorInfo
    weight: float = Field(gt=0, le=1)
    surprise_knots: list[float] = Field(min_length=2)
    surprise_tail: float = Field(gt=0)
    score_mean: float
    score_deviation: float = Field(gt=0)


class WorkingPointInfo(_Strict):
    """The stated false-alarm rate and its threshold: defective iff score > threshold.

    `rate` is what the good images support; it exceeds `requested_rate` where they are too few.
    """

    requested_rate: float = Field(gt=0, lt=1)
    rate: float = Field(gt=0, le=1)
    threshold: float
    needed_images: int
    method: Literal["cross-conformal"]
    folds: int
    calibration_scores: list[float] = Field(min_length=1)


class ColourScaleInfo(_Strict):
    """The heat map's fixed colours: `low` is cold, `threshold` the middle.

    The latter is the working point's, or, where scores are not the maxima of maps, that of the maxima at the same rate.
    """

    low: float
    threshold: float


class DataInfo(_Strict):
    """Which good images were learned from, and from how many augmented copies of each, by which groups.

    `defects`: the kinds that were made on them to learn from, if any; `material` names the pictures blended into those.
    """

    images: int
    fingerprint: str
    augment: int = Field(ge=0)
    safe: list[str]
    defects: list[str] = Field(default_factory=list)
    material: str = ""


class SelectionInfo(_Strict):
    """How the layers were chosen."""

    search: str
    defects: list[str]
    layers_tried: int
    detectors: list[str]
    untried: int
    images_used: int
    p_h: dict[str, float]
    product: dict[str, Any]


class Manifest(_Strict):
    """The whole of inspector.json."""

    format: Literal[2] = 2
    versions: dict[str, str]
    extractor: ExtractorInfo
    members: list[MemberInfo] = Field(min_length=1)
    working_point: WorkingPointInfo
    colour_scale: ColourScaleInfo
    data: DataInfo
    seed: int
    selection: SelectionInfo | None
    files: dict[str, str] = Field(default_factory=dict)
