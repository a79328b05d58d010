"""Bundles of format 2, as flawsight 0.1 wrote them: read as if they were written today."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import flawsight as fs
from flawsight.bundle import Manifest, read_manifest


def as_format_2(new: dict[str, Any]) -> dict[str, Any]:
    """The manifest that 0.1 would have written in place of this one of today."""
    since = ("settings", "settings_paths", "calibration", "view", "region", "mm_per_pixel", "has_own_scores")
    old = {name: value for name, value in new.items() if name not in since}
    old["format"] = 2
    point, calibration = old.pop("operating_point"), new["calibration"]
    del point["calibration_size"]
    old["working_point"] = {
        **point,
        "needed_images": 9,
        "method": calibration["method"],
        "folds": calibration["folds"],
        "calibration_scores": calibration["scores"],
    }
    old["extractor"] = {name: value for name, value in new["extractor"].items() if name != "layers"}
    old["members"] = [member_of_format_2(member) for member in new["members"]]
    data = dict(new["data"])
    del data["overview"]
    data["safe"], data["material"] = data.pop("label_preserving"), data.pop("sources_digest")
    old["data"] = data
    return old


def member_of_format_2(new: dict[str, Any]) -> dict[str, Any]:
    scales, parameters = new["calibration"], dict(new["detector"]["parameters"])
    if "micro_batch_size" in parameters:
        parameters["at_once"] = parameters.pop("micro_batch_size")
    return {
        "layers": ["picture" if name == "image" else name for name in new["layers"]],
        "detector": {"name": new["detector"]["name"], "parameters": parameters},
        "weight": scales["weight"],
        "surprise_knots": scales["maps"]["knots"],
        "surprise_tail": scales["maps"]["tail_scale"],
        "score_mean": scales["scores"]["mean"],
        "score_deviation": scales["scores"]["deviation"],
    }


def rewritten(bundle: Path, folder: Path) -> Path:
    """A copy of the bundle, with a manifest of format 2."""
    copy = Path(shutil.copytree(bundle, folder))
    document = as_format_2(json.loads((copy / "inspector.json").read_text()))
    (copy / "inspector.json").write_text(json.dumps(document))
    return copy


def test_it_gives_the_same_scores(bundle: Path, spoiled: Callable, texture: Callable, tmp_path: Path) -> None:
    old = fs.load(rewritten(bundle, tmp_path / "old"), device="cpu")
    new = fs.load(bundle, device="cpu")
    for image in (spoiled(1), texture(100)):
        one, other = old.inspect(image), new.inspect(image)
        assert (one.score, one.p_value, one.is_defective) == (other.score, other.p_value, other.is_defective)
    assert old.threshold == new.threshold and old.layers == new.layers


def test_all_but_what_it_did_not_keep_is_there(bundle: Path, tmp_path: Path) -> None:
    old, new = read_manifest(rewritten(bundle, tmp_path / "old")), read_manifest(bundle)
    assert old.format == new.format == 6
    assert old.settings == {} and old.settings_paths == [] and old.extractor.layers == ()
    for name in ("members", "operating_point", "calibration", "colour_scale", "data", "selection", "seed", "versions"):
        one, other = getattr(old, name), getattr(new, name)
        if name == "members":
            other = [
                member.model_copy(update={"detector": member.detector.model_copy(update={"provider": ""})})
                for member in other
            ]
        if name == "data":
            assert other.overview == new.extractor.image_size  # which 0 stands for
            other = other.model_copy(update={"overview": 0})
        assert one == other, name


def test_a_bundle_that_is_loaded_and_saved_is_of_todays_format(bundle: Path, tmp_path: Path) -> None:
    old = fs.load(rewritten(bundle, tmp_path / "old"), device="cpu")
    fs.save(old, tmp_path / "new")
    document = json.loads((tmp_path / "new" / "inspector.json").read_text())
    fresh = json.loads((bundle / "inspector.json").read_text())
    assert document["format"] == 6 and document["extractor"] == fresh["extractor"]
    for name in ("network.safetensors", "detectors.safetensors"):
        assert (tmp_path / "new" / name).read_bytes() == (bundle / name).read_bytes()


@pytest.mark.parametrize(
    ("detector", "parameters", "localizes"),
    [
        ("knn", {"neighbours": 2}, False),
        ("ocsvm", {}, False),
        ("gaussian", {"maps": "none"}, False),
        ("gaussian", {"maps": "positions"}, True),
        ("patchcore", {}, True),
        ("realnet", {"micro_batch_size": 4}, True),
    ],
)
def test_what_it_did_not_say_of_a_detector(bundle: Path, detector: str, parameters: dict, localizes: bool) -> None:
    document = json.loads((bundle / "inspector.json").read_text())
    for member in document["members"]:
        member["detector"] = {"name": detector, "parameters": parameters}
        member["layers"] = ["image", *member["layers"]]
    manifest = Manifest.model_validate(as_format_2(document))
    for member in manifest.members:
        assert member.detector.localizes is localizes and member.detector.parameters == parameters
        assert member.layers[0] == "image"
    assert "image" not in manifest.network_layers


@pytest.mark.parametrize("name", ["working_point", "members", "data"])
def test_one_that_is_not_whole_is_refused(bundle: Path, tmp_path: Path, name: str) -> None:
    copy = rewritten(bundle, tmp_path / "old")
    document = json.loads((copy / "inspector.json").read_text())
    for damage in ({name: 3}, {}):
        broken = {key: value for key, value in document.items() if key != name} | damage
        (copy / "inspector.json").write_text(json.dumps(broken))
        with pytest.raises(fs.FlawsightError, match=r"inspector\.json.*format 2.*fit it again"):
            fs.load(copy, device="cpu")
