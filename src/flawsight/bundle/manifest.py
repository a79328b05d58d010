"""inspector.json: everything about a bundle that is not a tensor, validated when read."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from flawsight.bundle.parts import Strict
from flawsight.bundle.pod import PodInfo
from flawsight.bundle.revision import Revision
from flawsight.bundle.runtime_model import RuntimeModel, SampleInfo
from flawsight.bundle.upgrade import CURRENT, upgraded
from flawsight.core import INPUT, Layer
from flawsight.data import PixelFormat
from flawsight.metrics import OperatingPoint
from flawsight.scoring import ColourScale, MemberCalibration
from flawsight.views import View


class ExtractorSpec(Strict):
    """Which network, at which size, with which weights (`weights_sha256` is of the whole network's tensors).

    `layers` are the rows of its catalogue that the members read; none where an older version did not keep them.

    >>> spec = read_manifest(bundle).extractor
    >>> spec.name, spec.image_size
    ('tf_efficientnet_lite0', 64)
    """

    name: str
    image_size: int = Field(ge=32)
    weights_source: str
    weights_sha256: str
    layers: tuple[Layer, ...] = ()


class DetectorSpec(Strict):
    """The method, its parameters, the package it comes from, and whether its maps say where a defect is.

    >>> spec = read_manifest(bundle).members[0].detector
    >>> spec.name, spec.parameters["bank_size"], spec.localizes
    ('patchcore', 1000, True)
    """

    name: str
    parameters: dict[str, Any]
    provider: str = ""
    localizes: bool = True


class Member(Strict):
    """One detector, its layers, and how its answers count.

    >>> members = read_manifest(bundle).members
    >>> round(sum(member.calibration.weight for member in members), 6)
    1.0
    """

    layers: tuple[str, ...] = Field(min_length=1)
    detector: DetectorSpec
    calibration: MemberCalibration


class CalibrationInfo(Strict):
    """Good images' scores by detectors that had not seen them, ascending, and how these were made."""

    method: Literal["cross-conformal"] = "cross-conformal"
    folds: int
    scores: tuple[float, ...] = Field(min_length=1)


class SuspectInfo(Strict):
    """A picture among the good ones that may show a defect.

    `sha256` of the file; `expected`: how many good ones were expected to score as high; `is_left_out`: nothing was
    learned from it.

    >>> SuspectInfo(file="017.png", sha256="", score=31.5, expected=1e-9, is_left_out=True).file
    '017.png'
    """

    file: str
    sha256: str
    score: float
    expected: float
    is_left_out: bool


class DataInfo(Strict):
    """Which good images were learned from, and from how many augmented copies of each, by which groups.

    `defects`: the kinds that were made on them to learn from, if any; `sources_digest` names the images blended in.
    `pixels`: what the camera delivers, none where an older version did not learn it; `overview`: side of the squares
    that it was measured on, 0 for the image size. `parts`: how many different parts the images show, none where an
    older version did not ask; `suspects`: images that may show a defect, the strangest first.

    >>> data = read_manifest(bundle).data
    >>> data.images, data.augment
    (12, 0)
    """

    images: int
    fingerprint: str
    augment: int = Field(ge=0)
    label_preserving: list[str]
    defects: list[str] = Field(default_factory=list)
    sources_digest: str = ""
    pixels: PixelFormat | None = None
    overview: int = 0
    parts: int | None = Field(None, ge=1)
    suspects: tuple[SuspectInfo, ...] = ()


class SelectionInfo(Strict):
    """How the layers were chosen.

    >>> read_manifest(bundle).selection.defects
    ['nsa', 'perlin', 'scratch']
    """

    search: str
    defects: list[str]
    layers_tried: int
    detectors: list[str]
    untried: int
    images_used: int
    p_h: dict[str, float]
    product: dict[str, Any]


class Manifest(Strict):
    """The whole of inspector.json.

    `settings` are the fit's options, without folders, files and what the machine had to give; `settings_paths` names
    those that were folders or files. The image is defective iff its score exceeds the operating point's threshold.
    `has_own_scores`: scores are not the maxima of maps, because the method has its own. `view` makes squares of a
    picture, `region` is a PNG in base64 of what is inspected, where that is not all; `mm_per_pixel` of the pictures.
    `runtime` is the graph that runs without torch, `samples` the pictures by which it was compared with torch.
    `pod` is how large artificial defects must be to be found, where that was measured.
    `judged` is a PNG in base64 of the pixels that count in maps and scores, where not all that are inspected do;
    `revisions` are the changes since the fit, the last of them in force.

    >>> manifest = read_manifest(bundle)
    >>> manifest.operating_point.requested_rate, manifest.data.images, manifest.settings["image_size"]
    (0.1, 12, 64)
    """

    format: Literal[6] = CURRENT
    versions: dict[str, str]
    settings: dict[str, Any] = Field(default_factory=dict)
    settings_paths: list[str] = Field(default_factory=list)
    extractor: ExtractorSpec
    view: View
    region: str = ""
    mm_per_pixel: float | None = Field(None, gt=0)
    members: list[Member] = Field(min_length=1)
    has_own_scores: bool = False
    operating_point: OperatingPoint
    calibration: CalibrationInfo
    colour_scale: ColourScale
    data: DataInfo
    seed: int
    selection: SelectionInfo | None
    pod: PodInfo | None = None
    samples: SampleInfo | None = None
    runtime: RuntimeModel | None = None
    judged: str = ""
    revisions: tuple[Revision, ...] = ()
    files: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _upgraded(cls, data: Any) -> Any:
        return upgraded(data)

    def as_exported(self) -> Manifest:
        """The same with the operating point of the exported graph, where it has one of its own."""
        if self.runtime is None or self.runtime.operating_point is None:
            return self
        calibration = self.calibration.model_copy(update={"scores": self.runtime.calibration_scores})
        return self.model_copy(update={"operating_point": self.runtime.operating_point, "calibration": calibration})

    @property
    def layers(self) -> tuple[tuple[str, ...], ...]:
        """The layers that members read; those that several members read, in other ways, once."""
        return tuple(self.readings)

    @property
    def readings(self) -> dict[tuple[str, ...], list[Member]]:
        """The members by the layers that they read: more than one where these are read in several ways."""
        found: dict[tuple[str, ...], list[Member]] = {}
        for member in self.members:
            found.setdefault(member.layers, []).append(member)
        return found

    @property
    def network_layers(self) -> tuple[str, ...]:
        """Every layer of the network that some member reads, once."""
        return tuple(dict.fromkeys(name for layers in self.layers for name in layers if name != INPUT))
