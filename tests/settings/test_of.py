"""Options from whoever gives them: what is right is kept, and what is wrong is named with the remedy."""

import json
from pathlib import Path
from typing import Any

import pytest

from flawsight.core import FlawsightError
from flawsight.settings import (
    CalibrationOptions,
    DefectOptions,
    EvaluateSettings,
    ExtractorOptions,
    FitSettings,
    InspectSettings,
    LearnOptions,
    RunOptions,
    SearchOptions,
    SynthesizeSettings,
    ViewOptions,
)


def of(**options: Any) -> FitSettings:
    return FitSettings.of({"good": "good", "out": None, **options})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"image_sise": 64}, r"^unknown option 'image-sise': did you mean image-size.*\?"),
        ({"fuze": 1}, "unknown option 'fuze': did you mean fuse"),
        ({"fuse": 0}, r"^--fuse '0': input should be greater than or equal to 1 \(Combine at most so many depths"),
        ({"fuse": "many"}, "--fuse 'many': input should be a valid integer"),
        ({"seed": -1}, "--seed '-1': input should be greater than or equal to 0"),
        ({"image_size": 31}, "--image-size '31': input should be greater than or equal to 32"),
        ({"image_size": "64,31"}, "--image-size '31': input should be greater than or equal to 32"),
        ({"image_size": "64,x"}, "--image-size '64,x': write auto, a number, or several such as 256,384"),
        ({"tile": 7}, "--tile '7': input should be greater than or equal to 8"),
        ({"overlap": 0.51}, "--overlap '0.51': input should be less than or equal to 0.5"),
        ({"mm_per_pixel": 0}, "--mm-per-pixel '0': input should be greater than 0"),
        ({"view": "fisheye"}, "--view 'fisheye': input should be 'squash', 'whole', 'tiles' or 'auto'"),
        ({"max_images": 7}, "--max-images '7': input should be greater than or equal to 8"),
        ({"finalists": 0}, "--finalists '0': input should be greater than or equal to 1"),
        ({"augment": -1}, "--augment '-1': input should be greater than or equal to 0"),
        ({"max_pixels": 63}, "--max-pixels '63': input should be greater than or equal to 64"),
        ({"generator_steps": 0}, "--generator-steps '0': input should be greater than or equal to 1"),
        ({"false_alarm_rate": 0}, "--false-alarm-rate '0': input should be greater than 0"),
        ({"false_alarm_rate": 1}, "--false-alarm-rate '1': input should be less than 1"),
        ({"false_alarm_rate": float("nan")}, "--false-alarm-rate 'nan': input should be"),
        ({"budget": 0}, "--budget '0': input should be greater than 0"),
        ({"budget": float("nan")}, "--budget 'nan': input should be"),
        ({"search": "quick"}, "--search 'quick': input should be 'auto' or 'exhaustive'"),
        ({"layers": ""}, "--layers '': string should have at least 1 character"),
        ({"strength": "weak"}, r"--strength 'weak': write one number, or two such as 0\.1:0\.2"),
        ({"strength": "0.1:0.2:0.3"}, r"--strength '0\.1:0\.2:0\.3': write one number, or two"),
        ({"strength": ["a", "b"]}, "--strength"),
        ({"max_memory": "lots"}, r"--max-memory 'lots': .*such as 4G"),
        ({"max_memory": "-1G"}, "--max-memory '-1G'"),
        ({"max_memory": ""}, "--max-memory ''"),
        ({"foreground": "dark"}, "--foreground 'dark': neither auto, all nor BRIGHTNESS:THRESHOLD, such as 20:15"),
        ({"foreground": "20:"}, "--foreground '20:': neither auto, all nor BRIGHTNESS:THRESHOLD"),
        ({"foreground": "20"}, "--foreground '20': neither auto, all nor BRIGHTNESS:THRESHOLD"),
        ({"parameter": ["channels"]}, r"--parameter .*'channels': write it such as epochs=40"),
        ({"parameter": ["=3"]}, "--parameter .*'=3': write it such as"),
        ({"parameter": "channels=[1"}, "--parameter .*'channels=\\[1': '\\[1' is not a value"),
        ({"texture": "perhaps"}, "--texture 'perhaps'"),
        ({"parameter": 5}, "--parameter '5': write NAME=VALUE, such as epochs=40"),
        ({"parameter": [5]}, "--parameter .*'5': write it such as epochs=40"),
        ({"fixed_layers": 3}, r"--fixed-layers '3': write the layers of each member, such as a\+b,c"),
        ({"fixed_layers": [3]}, r"--fixed-layers '\[3\]': write the layers of each member"),
        ({"fixed_layers": [[3]]}, "--fixed-layers '3': input should be a valid string"),
        ({"label_preserving": 5}, "--label-preserving '5': input should be a valid tuple"),
        ({"strength": [1, 2, 3]}, "--strength"),
        ({"layers": 5}, "--layers '5': input should be a valid string"),
    ],
)
def test_mistakes(options: dict[str, Any], message: str) -> None:
    with pytest.raises(FlawsightError, match=message):
        of(**options)


def test_what_is_missing_is_named_with_its_help() -> None:
    with pytest.raises(FlawsightError, match=r"^--good is missing: Folder of good images"):
        FitSettings.of({"out": None})
    with pytest.raises(FlawsightError, match=r"^--out is missing: Folder to write to"):
        EvaluateSettings.of({"bundle": "a", "dataset": "b"})
    with pytest.raises(FlawsightError, match=r"^--images is missing"):
        InspectSettings.of({"bundle": "b", "out": "o"})


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("strength", 0.3, (0.3, 0.3)),
        ("strength", "0.3", (0.3, 0.3)),
        ("strength", "0.1:0.4", (0.1, 0.4)),
        ("strength", [0.1, 0.4], (0.1, 0.4)),
        ("foreground", "auto", "auto"),
        ("foreground", "all", "all"),
        ("foreground", "20:15", (20.0, 15.0)),
        ("foreground", [20, 15], (20.0, 15.0)),
        ("max_memory", "4G", 4_000_000_000),
        ("max_memory", "4GiB", 4 << 30),
        ("max_memory", 5000, 5000),
        ("max_memory", None, None),
        ("layers", ["blocks.1.*", "blocks.2.*"], "blocks.1.*,blocks.2.*"),
        ("defects", ("nsa", "simple"), "nsa,simple"),
        ("label_preserving", "blur, noise", ("blur", "noise")),
        ("label_preserving", ["blur", "noise"], ("blur", "noise")),
        ("fixed_layers", "a+b,c", (("a", "b"), ("c",))),
        ("fixed_layers", [["a", "b"], "c"], (("a", "b"), ("c",))),
        ("parameter", ["epochs=40", "knn.neighbours=3"], {"epochs": 40, "knn.neighbours": 3}),
        ("parameter", {"epochs": 40}, {"epochs": 40}),
        ("good", "folder", Path("folder")),
        ("good", ["a.png", Path("b.png")], (Path("a.png"), Path("b.png"))),
    ],
)
def test_however_it_is_written(name: str, given: Any, expected: Any) -> None:
    found = getattr(of(**{name: given}), name)
    assert (found == expected and type(found) is type(expected)) or name == "max_memory"


@pytest.mark.parametrize(
    ("given", "expected"), [("native", "native"), ("256", 256), (1, 1), ("8192", 8192), (8193, None), ("²", None)]
)
def test_resolution(given: object, expected: object) -> None:
    options = {"bundle": "b", "dataset": "d", "out": "o", "resolution": given}
    if expected is not None:
        assert EvaluateSettings.of(options).resolution == expected
    else:
        with pytest.raises(FlawsightError, match=r"--resolution .*native"):
            EvaluateSettings.of(options)


def test_the_old_name_of_label_preserving_still_works_aloud() -> None:
    with pytest.warns(DeprecationWarning, match="'safe' is now called 'label_preserving'"):
        found = of(safe="blur,flip")
    assert found.label_preserving == ("blur", "flip")
    assert found == of(label_preserving=("blur", "flip"))


@pytest.mark.filterwarnings("error")
def test_pythons_name_of_parameters_is_no_old_one() -> None:
    assert of(detector_parameters={"epochs": 3}).parameter == {"epochs": 3}


def test_a_slice_is_what_its_groups_hold() -> None:
    found = of(fuse=1, augment=3, seed=5).slice(LearnOptions, RunOptions)
    assert found == {
        "augment": 3,
        "label_preserving": ("blur", "contrast", "colour", "noise"),
        "seed": 5,
        "overwrite": False,
    }


def test_what_was_changed_is_told_by_value() -> None:
    given = of(fuse=1, layers="all", weights="w.pth", texture=False, seed=0, max_memory="4G")
    assert given.changed(SearchOptions, ExtractorOptions) == ["fuse", "max_memory", "weights"]
    assert given.changed(DefectOptions) == ["texture"]
    assert given.changed(RunOptions, ViewOptions, CalibrationOptions) == []
    assert given.is_changed("fuse") and not given.is_changed("layers")


def test_a_dump_can_be_written_down_and_leaves_out_files_and_folders() -> None:
    given = of(textures="t", generator="g", weights="w.pth", foreground="20:15", fixed_layers="a+b", parameter=["x=1"])
    assert set(FitSettings.paths()) == {"weights", "textures", "generator", "region", "good", "out"}
    found = given.dump({"device", "seed"})
    assert set(found) == set(FitSettings.model_fields) - {"device", "seed", *FitSettings.paths()}
    assert json.loads(json.dumps(found)) == found
    again = of(**found, device=given.device, seed=given.seed)
    assert again == given.model_copy(update={"textures": None, "generator": None, "weights": None})
    assert set(SynthesizeSettings.paths()) == {"good", "out", "textures", "generator"}
    assert set(EvaluateSettings.paths()) == {"bundle", "dataset", "out"}
