"""What the fit report shows: plain values and arrays, so that a report can be made without a network."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flawsight.core import FlawsightError
from flawsight.defects import Image
from flawsight.health import HealthReport
from flawsight.metrics import Metrics, OperatingPoint, Pod
from flawsight.scoring import ColourScale

AnomalyMap = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class LayerScore:
    """How one layer did on one kind of synthetic defects, figures from 0 to 1 (NaN: not measured).

    One row of selection.csv. `stage` is "coarse" (a quick look at few images) or "full"; `order` counts from the
    network's input; `detector` is who read it, `variant` how, where not as given; `same_as` names the earlier layer
    whose values this one repeats. `milliseconds`: what a picture takes on this machine, where that was asked for.

    >>> row = fitted.record.selection.results()[0]
    >>> row.layer, row.stride, row.detector, row.defects
    ('blocks.1.0.conv_pw', 2.0, 'patchcore', 'nsa')
    """

    layer: str
    block: str
    kind: str
    order: int
    stride: float
    channels: int
    same_as: str = ""
    detector: str = ""
    variant: str = ""
    stage: str
    defects: str
    auroc: float
    aupro: float
    p_h: float
    seconds: float
    milliseconds: float = math.nan


@dataclass(frozen=True)
class DefectExample:
    """One synthetic defect of a kind: image (S, S, 3) uint8 RGB, mask (S, S) bool, anomaly_map (S, S) float32.

    >>> mask = images[0].mean(axis=2) > 200
    >>> DefectExample("nsa", images[0], mask, mask.astype(np.float32)).kind
    'nsa'
    """

    kind: str
    image: Image
    mask: NDArray[np.bool_]
    anomaly_map: AnomalyMap

    def __post_init__(self) -> None:
        if not self.image.shape[:2] == self.mask.shape == self.anomaly_map.shape:
            raise FlawsightError(
                f"A defect example's image, mask and anomaly map must share height and width, got shapes "
                f"{self.image.shape}, {self.mask.shape} and {self.anomaly_map.shape}."
            )


@dataclass(frozen=True)
class SpeedOption:
    """A choice of layers that was open: milliseconds a picture, P_h on synthetic defects, whether none is better.

    >>> SpeedOption("blocks.2.1.add", 4.5, 0.81, is_on_front=True).is_chosen
    False
    """

    layers: str
    milliseconds: float
    p_h: float
    is_on_front: bool = False
    is_chosen: bool = False


@dataclass(frozen=True)
class ViewScore:
    """A way to see pictures that was tried: in words, squares a picture, P_h on synthetic defects (NaN: not measured).

    >>> ViewScore("tiles of 256 pixels at 256", 12, 0.81).is_chosen
    False
    """

    view: str
    inputs: int
    p_h: float
    is_chosen: bool = False
    reason: str = ""


@dataclass(frozen=True)
class SuspectPicture:
    """A picture among the good ones that may show a defect: image (H, W, 3) uint8 RGB, anomaly_map (H, W) float32.

    `expected`: how many good pictures would be expected to look as strange; `is_left_out`: nothing was learned from it.

    >>> SuspectPicture("017.png", images[0], images[0].mean(axis=2, dtype=np.float32), 0.001, True).name
    '017.png'
    """

    name: str
    image: Image
    anomaly_map: AnomalyMap
    expected: float
    is_left_out: bool


@dataclass(frozen=True)
class FoundBySize:
    """What was found of artificial defects of a kind, by size, and one of `example_size` pixels to look at.

    >>> FoundBySize("spot", fs.metrics.pod_curve([2, 4], [False, True])).curve.between
    (2.0, 4.0)
    """

    kind: str
    curve: Pod
    example: DefectExample | None = None
    example_size: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Trust:
    """Why an inspector can be trusted, and how far: what it finds, of which `contrast`, on how many `pictures`.

    `least_seen`: pixels across of the smallest defect that can be seen at all.

    >>> Trust(least_seen=3.0).found
    ()
    """

    least_seen: float
    found: Sequence[FoundBySize] = ()
    pictures: int = 0
    contrast: float = 0.0
    mm_per_pixel: float | None = None


@dataclass(frozen=True, kw_only=True)
class FitReport:
    """All that `write_fit_report` shows.

    summary needs `good_images` (how many were learned from) and may have `bundle` (its path, for the commands); the
    rest of it is listed with the settings. chosen holds the layers of each fused map, shares its weight in the average,
    detectors who reads them, ways in how many ways. calibration_scores (n,) are of good images scored as new. timings
    are in seconds. found may give the figures of the finished choice by kind of defect; without it, the best chosen
    layer stands in. concerns are what to mind, a sentence each. health is what a check of the pictures found, picture
    gives one of them to show. options are the choices that a latency_budget (milliseconds) left open, views the ways
    to see pictures that were tried, region a picture of what is inspected, where that is not all. parts is how many
    different parts the pictures show (None: as many as pictures), suspects the pictures that may show a defect (None:
    nobody looked), trust what was measured of what it finds. FlawsightError where these are missing or do not fit
    together.

    >>> report = fs.pipeline.fit_report(inspector, fitted.record, bundle)
    >>> report.title, report.summary["good_images"], sorted(report.found)
    ('Inspector bundle', 12, ['nsa', 'perlin', 'scratch'])
    """

    title: str
    summary: dict[str, Any]
    scores: Sequence[LayerScore]
    chosen: Sequence[tuple[str, ...]]
    shares: Sequence[float]
    examples: Sequence[DefectExample]
    calibration_scores: NDArray[np.floating]
    operating_point: OperatingPoint
    colour_scale: ColourScale
    product: dict[str, Any]
    timings: dict[str, float]
    settings: dict[str, Any]
    good_examples: Sequence[tuple[Image, AnomalyMap]] = ()
    found: Mapping[str, Metrics] = field(default_factory=dict)
    detectors: Sequence[str] = ()
    ways: Sequence[int] = ()
    concerns: Sequence[str] = ()
    options: Sequence[SpeedOption] = ()
    latency_budget: float | None = None
    views: Sequence[ViewScore] = ()
    region: Image | None = None
    health: HealthReport | None = None
    trust: Trust | None = None
    picture: Callable[[Path], Image | None] = lambda path: None
    parts: int | None = None
    suspects: Sequence[SuspectPicture] | None = None

    def __post_init__(self) -> None:
        if "good_images" not in self.summary:
            raise FlawsightError("The report's summary must say how many 'good_images' were learned from.")
        scores = np.asarray(self.calibration_scores)
        if scores.ndim != 1 or scores.size == 0 or not np.isfinite(scores).all():
            raise FlawsightError(
                f"Calibration scores must be one finite number per good image, got an array of shape {scores.shape}."
            )
        if not self.chosen or not all(self.chosen):
            raise FlawsightError("A fit report needs the chosen layers, at least one.")

    @property
    def readers(self) -> dict[str, str]:
        """Who reads each chosen layer, where that was said."""
        members = zip(self.chosen, self.detectors, strict=False)
        return {layer: detector for layers, detector in members for layer in layers}
