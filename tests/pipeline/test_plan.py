"""What a fit will do: what makes no sense is refused before anything is read."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self

import pytest
import torch

import flawsight as fs
from flawsight.detectors import DETECTORS, BufferedDetector, Detector, FeatureMaps
from flawsight.pipeline.plan import make_plan
from flawsight.settings import DefectOptions, ExtractorOptions, FitSettings, SearchOptions
from flawsight.training import TrainingContext

PAIR = ("blocks.1.0.bn3", "blocks.3.0.bn3")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"false_alarm_rate": 0}, "--false-alarm-rate '0': input should be greater than 0"),
        ({"false_alarm_rate": 1.0}, "--false-alarm-rate '1.0': input should be less than 1"),
        ({"false_alarm_rate": float("nan")}, "--false-alarm-rate 'nan'"),
        ({"fuse": 0}, "--fuse '0': input should be greater than or equal to 1"),
        ({"detector": "patchcoar"}, "patchcore"),
        ({"detector_parameters": {"bank": 3}}, "no parameter 'bank': patchcore has"),
        ({"fixed_layers": [["blocks.3.0.bnn3"]]}, r"blocks\.3\.0\.bn3"),
        ({"fixed_layers": []}, "fixed_layers"),
        ({"detector": "patchcore,gaussian", "fixed_layers": [PAIR]}, "cannot be compared"),
        ({"detector": "patchcore,autoencoder"}, "cannot be compared"),
        ({"detector": "autoencoder", "fixed_layers": [PAIR]}, "reads images, not layers"),
        ({"fixed_layers": [["picture"]]}, "unknown layer 'picture'"),
        ({"detector_parameters": {"gaussian.ridge": 3}}, r"gaussian\.ridge"),
        ({"budget": 0}, "--budget '0': input should be greater than 0"),
        ({"budget": -1.0}, "--budget '-1.0': input should be greater than 0"),
        ({"budget": 1.0, "search": "exhaustive"}, "--budget has no effect here.*leave it out"),
        ({"extractor": "tf_eficientnet_lite0"}, "tf_efficientnet_lite0"),
        ({"weights": "nowhere.pth"}, r"nowhere\.pth"),
        ({"image_size": 16}, "--image-size '16': input should be greater than or equal to 32"),
        ({"device": "cuda:99"}, "cuda:99"),
    ],
)
def test_bad_options(
    good_dir: Path, fit_options: dict, fixed_options: dict, tmp_path: Path, options: dict, message: str
) -> None:
    usual = fixed_options if "fixed_layers" in options else fit_options
    with pytest.raises(fs.FlawsightError, match=message):
        fs.fit(good_dir, tmp_path / "out", **(usual | options))
    assert not list(tmp_path.glob("out/*.*"))


@pytest.mark.parametrize(
    ("options", "flag"),
    [
        ({"detector": "autoencoder", "search": "exhaustive"}, "--search"),
        ({"detector": "autoencoder", "budget": 5.0}, "--budget"),
        ({"detector": "autoencoder", "layers": "blocks.3.*"}, "--layers"),
        ({"detector": "autoencoder", "fuse": 1}, "--fuse"),
        ({"detector": "autoencoder", "defects": "nsa"}, "--defects"),
        ({"detector": "autoencoder", "texture": True}, "--texture"),
        ({"detector": "autoencoder", "weights": Path("w.pth")}, "--weights"),
        ({"detector": "autoencoder", "extractor": "resnet18"}, "--extractor"),
        ({"fixed_layers": [PAIR], "layers": "blocks.3.*"}, "--layers"),
        ({"fixed_layers": [PAIR], "fuse": 1}, "--fuse"),
        ({"fixed_layers": [PAIR], "defects": "nsa"}, "--defects"),
        ({"fixed_layers": [PAIR], "foreground": (20.0, 15.0)}, "--foreground"),
        ({"fixed_layers": [PAIR], "textures": Path("textures")}, "--textures"),
        ({"fixed_layers": [PAIR], "generator": Path("generator")}, "--generator"),
        ({"fixed_layers": [PAIR], "budget": 5.0}, "--budget"),
        ({"fixed_layers": [PAIR], "max_memory": "4G"}, "--max-memory"),
        ({"detector": "realnet", "search": "exhaustive"}, "--search"),
        ({"detector": "realnet", "fuse": 1}, "--fuse"),
        ({"detector": "realnet", "fixed_layers": [PAIR], "layers": "blocks.3.*"}, "--layers"),
        ({"search": "exhaustive", "max_images": 50}, "--max-images"),
        ({"search": "exhaustive", "finalists": 2}, "--finalists"),
    ],
)
def test_what_this_fit_has_no_use_for_is_refused(good_dir: Path, tmp_path: Path, options: dict, flag: str) -> None:
    out = tmp_path / "out"
    with pytest.raises(fs.FlawsightError, match=f"^{flag} has no effect here: .*; leave it out$"):
        fs.fit(good_dir, out, **{"image_size": 64, "device": "cpu", **options})
    assert not out.exists()


@pytest.mark.parametrize("detector", ["patchcore", "autoencoder", "realnet", "patchcore,gaussian"])
def test_an_unknown_search_is_refused_whoever_reads(good_dir: Path, tmp_path: Path, detector: str) -> None:
    with pytest.raises(fs.FlawsightError, match="--search 'quick': input should be 'auto' or 'exhaustive'"):
        fs.fit(good_dir, tmp_path / "out", detector=detector, search="quick")
    assert not (tmp_path / "out").exists()


def test_defaults_are_never_in_the_way(good_dir: Path, tmp_path: Path) -> None:
    """Saying what is so anyway is no mistake."""
    usual = FitSettings.of({"good": good_dir, "out": None}).slice(SearchOptions, DefectOptions, ExtractorOptions)
    for options in ({"detector": "autoencoder"}, {"fixed_layers": [PAIR]}, {"search": "exhaustive"}):
        make_plan(FitSettings.of({"good": good_dir, "out": tmp_path / "out", **usual, **options}))


@pytest.fixture
def mine(quick_detectors: dict) -> type[Detector]:
    """A detector that nobody has registered."""
    return type("MyDetector", (quick_detectors["distance"],), {})


FEW = {"image_size": 64, "device": "cpu", "layers": "blocks.3.0.bn?", "defects": "simple", "false_alarm_rate": 0.1}


def test_a_detector_of_ones_own_needs_no_name_without_a_bundle(
    good_dir: Path, mine: type[Detector], spoiled: Callable
) -> None:
    inspector = fs.fit(good_dir, detector=mine(), **FEW)
    assert {type(member.detector) for member in inspector.backend.members} == {mine}
    assert {member.detector.name for member in inspector.manifest.members} == {"mydetector"}
    assert inspector.inspect(spoiled(1)).is_defective


def test_a_bundle_of_a_detector_without_a_name_is_refused_before_work_begins(
    good_dir: Path, mine: type[Detector], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flawsight.features.Extractor.__init__", lambda *_, **__: pytest.fail("work has begun"))
    message = r'MyDetector has no name.*register it first, flawsight\.detectors\.DETECTORS\["mydetector"\] = MyDetector'
    with pytest.raises(fs.FlawsightError, match=message):
        fs.fit(good_dir, tmp_path / "out", detector=mine(), **FEW)
    assert not (tmp_path / "out").exists()


def test_it_works_once_it_is_registered(
    good_dir: Path, mine: type[Detector], tmp_path: Path, spoiled: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(DETECTORS, "mydetector", mine)
    inspector = fs.fit(good_dir, tmp_path / "out", detector=mine(channels=4), **FEW)
    loaded = fs.load(tmp_path / "out", device="cpu")
    assert loaded.backend.members[0].detector.get_params()["channels"] == 4
    assert loaded.inspect(spoiled(1)).score == inspector.inspect(spoiled(1)).score


class Awkward(BufferedDetector):
    """A method that is no dataclass: pydantic does not know how to write it down."""

    def __init__(self, power: float = 2.0) -> None:
        self.power = power

    def _learn(self, collected: Sequence[torch.Tensor], training: TrainingContext | None) -> None:
        self.mean_ = collected[0].mean((0, 2, 3))

    def anomaly_maps(self, features: FeatureMaps) -> torch.Tensor:
        return (features[0] - self.mean_[:, None, None]).abs().pow(self.power).mean(1)

    def state_dict(self) -> dict[str, torch.Tensor]:
        return {"mean": self.mean_}

    def load_state_dict(self, state: Mapping[str, torch.Tensor]) -> Self:
        self.mean_ = state["mean"]
        return self


def test_a_made_detector_need_be_no_dataclass(
    good_dir: Path, tmp_path: Path, spoiled: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(DETECTORS, "awkward", Awkward)
    inspector = fs.fit(good_dir, tmp_path / "out", detector=Awkward(3.0), **FEW)
    assert fs.load(tmp_path / "out").inspect(spoiled(1)).score == inspector.inspect(spoiled(1)).score
    with pytest.raises(fs.FlawsightError, match="takes no parameters"):
        fs.fit(good_dir, detector=Awkward(), detector_parameters={"power": 1.0})
    with pytest.raises(fs.FlawsightError, match="must be a name"):
        fs.fit(good_dir, detector=3)
