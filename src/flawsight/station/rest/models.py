"""What the station answers, as its OpenAPI document describes it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from flawsight.station.rest.problems import Problem

Verdict = Literal["good", "defective"]
# Lists of so many, for generators of clients that know no tuples.
Box = Annotated[list[int], Field(min_length=4, max_length=4)]
Pixel = Annotated[list[int], Field(min_length=2, max_length=2)]
Point = Annotated[list[float], Field(min_length=2, max_length=2)]


class RegionModel(BaseModel):
    """A part of the picture that exceeds the threshold; x and y in its own pixels, from the upper left corner."""

    box: Box = Field(description="left, top, width, height")
    contour: list[Point]
    area_px: float
    area_mm2: float | None
    centroid: Point
    peak: float
    peak_at: Pixel


class HeatmapModel(BaseModel):
    """The anomaly map in base64: a PNG of RGBA to lay over the picture, or float32, little-endian, row by row."""

    format: Literal["png", "float32"]
    height: int
    width: int
    data: str


class InspectionModel(BaseModel):
    """The verdict on a picture. `kept`: it is in the history under its `id`."""

    id: str
    name: str
    bundle: str
    verdict: Verdict
    score: float
    p_value: float
    threshold: float
    regions: list[RegionModel]
    height: int
    width: int
    kept: bool
    heatmap: HeatmapModel | None = None


class RefusedModel(BaseModel):
    """A picture among several that could not be inspected."""

    id: str
    name: str
    kept: bool
    problem: Problem


class InspectionsModel(BaseModel):
    """Of several pictures, in their order."""

    results: list[InspectionModel | RefusedModel]


class RevisionModel(BaseModel):
    """A change of what is in force: who, when, why."""

    number: int
    at: str
    by: str
    why: str
    threshold: float
    false_alarm_rate: float
    judges_all: bool


class BundleModel(BaseModel):
    """A bundle that runs. `changed_on_disk`: its folder holds another one by now."""

    name: str
    is_default: bool
    digest: str
    backend: str
    detectors: list[str]
    layers: list[list[str]]
    view: str
    threshold: float
    false_alarm_rate: float
    images: int
    changed_on_disk: bool
    revisions: list[RevisionModel]


class BundlesModel(BaseModel):
    """All of them."""

    bundles: list[BundleModel]


class RecordModel(BaseModel):
    """What the history keeps of a picture."""

    id: str
    at: float = Field(description="seconds since 1970")
    bundle: str
    bundle_digest: str
    picture: str
    source: Literal["rest", "watch", "page"]
    sha256: str
    verdict: Literal["good", "defective", "error"]
    size: Pixel | None = Field(description="height, width")
    score: float | None
    p_value: float | None
    threshold: float | None
    reason: str
    regions: list[dict[str, Any]]
    mark: Verdict | None
    marked_by: str
    marked_at: float | None
    has_picture: bool
    has_heatmap: bool


class RecordsModel(BaseModel):
    """The newest first; `next` is what `before` must be to go on, none at the end."""

    records: list[RecordModel]
    next: str | None


class Change(BaseModel):
    """Who changes something, and why."""

    by: str = Field(min_length=1, max_length=200)
    why: str = Field(min_length=1, max_length=2000)


class ThresholdChange(Change):
    """Another threshold."""

    threshold: float = Field(allow_inf_nan=False)


class DriftAlarmModel(BaseModel):
    """An alarm of drift: how pictures differ, since about which picture, at which it was noticed, and when."""

    kind: Literal["higher", "lower", "crowded", "stopped"]
    picture: int
    since: int
    text: str
    raised_at: float | None = Field(description="seconds since 1970")


class DriftResetModel(BaseModel):
    """An alarm was begun anew: who, when, why; `alarm` is what it said, empty where none stood."""

    at: float = Field(description="seconds since 1970")
    by: str
    why: str
    alarm: str


class DriftModel(BaseModel):
    """How it is with drift, over so many pictures since it was begun."""

    pictures: int
    alarm: DriftAlarmModel | None
    resets: list[DriftResetModel]


class MarkModel(BaseModel):
    """What a person says of a picture; null takes it back."""

    label: Verdict | None
    by: str = Field(min_length=1, max_length=200)


class HealthModel(BaseModel):
    """That the process answers."""

    status: Literal["ok"]


class ReadyModel(BaseModel):
    """Whether pictures would be inspected now."""

    status: Literal["ready", "stopping"]


class StatusModel(BaseModel):
    """How the station does."""

    version: str
    waiting: int
    queue: int
    inspected: dict[str, int]
    problems: list[str]
    drift: dict[str, str]
    history_bytes: int
