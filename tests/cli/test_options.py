"""What holds for every verb: options come from the settings, and all verbs call the same things the same."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import typer
from PIL import Image

from flawsight.cli import app
from flawsight.generation import PRESETS, read_card
from flawsight.settings import (
    BenchSettings,
    CheckSettings,
    DemoSettings,
    DoctorSettings,
    EvaluateSettings,
    ExportSettings,
    FitAllSettings,
    FitSettings,
    InspectSettings,
    LayersSettings,
    Options,
    ServeSettings,
    StudySettings,
    SynthesizeSettings,
    flag_of,
)

SETTINGS: dict[str, type[Options]] = {
    "check": CheckSettings,
    "fit": FitSettings,
    "fit-all": FitAllSettings,
    "inspect": InspectSettings,
    "evaluate": EvaluateSettings,
    "export": ExportSettings,
    "bench": BenchSettings,
    "doctor": DoctorSettings,
    "serve": ServeSettings,
    "layers": LayersSettings,
    "synthesize": SynthesizeSettings,
    "demo": DemoSettings,
    "study": StudySettings,
}
COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]
SMALL = ("--image-size", "64", "--layers", "blocks.3.0.bn3", "--export", "none")
QUICK = (*SMALL, "--defects", "simple", "--device", "cpu")


def flags(verb: str, hidden: bool = False) -> set[str]:
    return {
        flag
        for parameter in COMMANDS[verb].params
        if parameter.param_type_name == "option" and parameter.hidden is hidden
        for flag in (*parameter.opts, *parameter.secondary_opts)
    }


def test_there_are_settings_for_every_verb() -> None:
    assert set(COMMANDS) == set(SETTINGS)


@pytest.mark.parametrize("verb", SETTINGS)
def test_every_field_is_an_option_or_an_argument(verb: str) -> None:
    extra = {name: field.json_schema_extra or {} for name, field in SETTINGS[verb].model_fields.items()}
    arguments = {name for name, what in extra.items() if what.get("argument")}  # type: ignore[union-attr]
    assert {one.name for one in COMMANDS[verb].params if one.param_type_name == "argument"} == arguments
    expected = {flag_of(name) for name in extra if name not in arguments and name != "texture"}
    expected |= {"--texture", "--object"} if "texture" in extra else set()
    assert {flag for flag in flags(verb) if not flag.startswith("--no-")} - {"--help"} == {
        *expected, "--json", "--config",
    }  # fmt: skip


@pytest.mark.parametrize("verb", SETTINGS)
def test_every_verb_has_json_and_a_config_file(flawsight: Callable, verb: str, tmp_path: Path) -> None:
    assert {"--json", "--config"} <= flags(verb)
    config = tmp_path / "c.yaml"
    config.write_text("nonsuch: 1\n")
    done = flawsight(verb, "--config", config, "--json")
    assert done.code == 2 and "unknown option 'nonsuch'" in done.err and "c.yaml" in done.err
    error = json.loads(done.out)["error"]
    assert "unknown option 'nonsuch'" in error["message"] and error["code"] == 2


@pytest.mark.parametrize(
    "verb", ["check", "fit", "inspect", "evaluate", "export", "bench", "doctor", "synthesize", "study"]
)
def test_what_is_missing_is_asked_for(flawsight: Callable, verb: str, tmp_path: Path) -> None:
    done = flawsight(verb)
    assert done.code == 2 and "is missing" in done.err and len(done.err.splitlines()) == 1


def test_help_shows_defaults_and_bounds(flawsight: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    text = re.sub(r"[\s│]+", "", flawsight("fit", "--help").out)
    for default in ("patchcore", "0.01", "0.1:0.2", "blur,contrast,colour,noise", "tf_efficientnet_lite0"):
        assert f"[default:{default}]" in text
    assert "flip,rotate90,shift,rotateifyourpartallows" in text
    for bound in ("x>=1", "x>=0", "x>=8", "x>=64"):
        assert bound in text
    assert "N[,N]|auto" in text and "x>=32" in flawsight("layers", "--help").out
    assert "required" in text and "--safe" not in text


@pytest.mark.parametrize("verb", ["inspect", "evaluate", "layers"])
def test_a_config_file_serves_every_verb(
    flawsight: Callable, verb: str, bundle: Path, labelled_set: Path, good_dir: Path, tmp_path: Path
) -> None:
    text = {
        "inspect": f"bundle: '{bundle}'\nimages: ['{next(good_dir.iterdir())}']\nout: '{tmp_path / 'out'}'\n",
        "evaluate": f"bundle: '{bundle}'\ndataset: '{labelled_set}'\nout: '{tmp_path / 'out'}'\nresolution: 64\n",
        "layers": "extractor: resnet18\nimage-size: 64\n",
    }[verb]
    (tmp_path / "c.yaml").write_text(text)
    done = flawsight(verb, "--config", tmp_path / "c.yaml", "--json")
    assert done.code == 0, done.err
    document = json.loads(done.out)
    if verb == "inspect":
        assert document["good"] + document["defective"] == 1
    elif verb == "evaluate":
        assert document["images"] == 7
    else:
        assert document["extractor"] == "resnet18" and document["layers"][0]["height"] == 32


def test_the_command_line_goes_before_the_file_and_the_file_before_defaults(
    flawsight: Callable, tmp_path: Path
) -> None:
    def height(*arguments: object) -> int:
        document = json.loads(flawsight("layers", "resnet18", "--json", *arguments).out)
        return int(document["layers"][0]["height"])

    (tmp_path / "c.yaml").write_text("image-size: 64\nextractor: resnet50\n")
    assert height() == 128
    assert height("--config", tmp_path / "c.yaml") == 32
    # Also where what is said is the default.
    assert height("--config", tmp_path / "c.yaml", "--image-size", 256) == 128


def test_the_demo_prints_json_and_takes_a_file(
    flawsight: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Path] = []

    def demo(out: Path) -> dict:
        seen.append(out)
        return {"auroc": 0.9, "text": ["said to people"]}

    monkeypatch.setattr("flawsight.cli.demo.run_demo", demo)
    (tmp_path / "c.yaml").write_text(f"out: '{tmp_path / 'here'}'\n")
    assert json.loads(flawsight("demo", "--config", tmp_path / "c.yaml", "--json").out) == {"auroc": 0.9}
    assert flawsight("demo").out == "said to people\n"
    assert seen == [tmp_path / "here", Path("flawsight-demo")]


def product(out: Path) -> dict:
    found: dict = json.loads((out / "inspector.json").read_text())["selection"]["product"]
    return found


@pytest.mark.parametrize(
    ("option", "name", "expected"),
    [
        (("--foreground", "20:15"), "background", [20.0, 15.0]),
        (("--foreground", "all"), "background", None),
        (("--texture",), "texture", True),
        (("--object",), "texture", False),
    ],
)
def test_what_the_product_is_reaches_the_search(
    flawsight: Callable, good_dir: Path, tmp_path: Path, option: tuple[str, ...], name: str, expected: object
) -> None:
    done = flawsight("fit", good_dir, "--out", tmp_path / "b", *QUICK, *option)
    assert done.code == 0, done.err
    assert product(tmp_path / "b")[name] == expected


@pytest.fixture
def _tiny(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, sampling in (("small", 4), ("paper", 5)):
        tiny = replace(
            PRESETS["small"],
            side=16,
            patch=4,
            widths=(16,),
            attention=0,
            norm_groups=4,
            head=8,
            sampling_steps=sampling,
        )
        monkeypatch.setitem(PRESETS, name, tiny)
    monkeypatch.setattr("flawsight.generation.generator.relative_frechet_distance", lambda *_: 1.0)
    monkeypatch.setattr("flawsight.pipeline.defect_sources.PICTURES", 2)
    yield


@pytest.mark.usefixtures("_tiny")
@pytest.mark.parametrize("verb", ["fit", "synthesize"])
def test_the_generators_options_are_those_of_both_verbs(
    flawsight: Callable, good_dir: Path, tmp_path: Path, verb: str
) -> None:
    folder = tmp_path / "generator"
    quick = SMALL if verb == "fit" else ()
    options = ("--defects", "sdas", "--generator", folder, "--strength", "0.3", "--device", "cpu", *quick)
    trained = ("--generator-preset", "paper", "--generator-steps", "2")
    done = flawsight(verb, good_dir, "--out", tmp_path / "out", *options, *trained)
    assert done.code == 0, done.err
    assert (read_card(folder).settings.preset, read_card(folder).settings.steps) == ("paper", 2)
    again = ("--out", tmp_path / "out", "--overwrite", *options)
    flawsight(verb, good_dir, *again, "--generator-steps", "3").refused("of steps 2, not 3", "--generator-steps")
    other = tmp_path / "other"
    other.mkdir()
    for number in range(12):
        Image.fromarray(np.random.default_rng(number).integers(0, 255, (64, 64, 3), np.uint8)).save(
            other / f"{number}.png"
        )
    done = flawsight(verb, other, *again)
    assert done.code == 0 and f"Mind: the generator in '{folder}' learned from other images than these." in done.out


def test_class_folders_are_those_of_both_verbs(flawsight: Callable, good_dir: Path, tmp_path: Path) -> None:
    for split in ("train", "test"):
        for kind in ("cat", "dog"):
            (tmp_path / "set" / split / kind).mkdir(parents=True)
            for path in sorted(good_dir.iterdir())[: 10 if kind == "dog" else 3]:
                (tmp_path / "set" / split / kind / path.name).write_bytes(path.read_bytes())
    flawsight("synthesize", tmp_path / "set", "--out", tmp_path / "none").refused("cat, dog")
    options = ("--good-class", "dog", "--json")
    found = flawsight("synthesize", tmp_path / "set", "--defects", "simple", "--out", tmp_path / "out", *options)
    assert found.code == 0, found.err
    assert (
        json.loads(found.out)["train"] + json.loads(found.out)["good"] + json.loads(found.out)["kinds"]["simple"] == 10
    )
    fitted = flawsight("fit", tmp_path / "set", "--out", tmp_path / "b", *QUICK, *options)
    assert fitted.code == 0 and json.loads(fitted.out)["images"] == 10


def test_the_old_name_of_label_preserving_is_hidden_and_works(
    flawsight: Callable, good_dir: Path, tmp_path: Path
) -> None:
    assert "--safe" in flags("fit", hidden=True)
    quick = ("--image-size", "64", "--fixed-layers", "blocks.3.0.bn3", "--device", "cpu", "--augment", "1")
    quick += ("--export", "none")
    with pytest.warns(DeprecationWarning, match="label_preserving"):
        done = flawsight("fit", good_dir, "--out", tmp_path / "b", *quick, "--safe", "flip,noise")
    assert done.code == 0, done.err
    assert json.loads((tmp_path / "b" / "inspector.json").read_text())["data"]["label_preserving"] == ["flip", "noise"]


def test_unusable_options_leave_nothing_behind(flawsight: Callable, good_dir: Path, tmp_path: Path) -> None:
    out = tmp_path / "b"
    options = ("--detector", "autoencoder", "--search", "exhaustive")
    flawsight("fit", good_dir, "--out", out, *options).refused("--search has no effect here", "leave it out")
    flawsight("fit", good_dir, "--out", out, "--detector", "autoencoder", "--search", "quick").refused(
        "--search 'quick'"
    )
    assert not out.exists()
