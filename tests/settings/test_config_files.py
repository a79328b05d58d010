"""Options from a file: YAML lines, or a bundle's inspector.json."""

import json
from pathlib import Path
from typing import Any

import pytest

from flawsight.core import FlawsightError
from flawsight.settings import EvaluateSettings, FitSettings, SynthesizeSettings, read_config


@pytest.fixture
def write(tmp_path: Path) -> Any:
    def text(content: str, name: str = "c.yaml") -> Path:
        (tmp_path / name).write_text(content)
        return tmp_path / name

    return text


def test_dashes_underscores_and_lists(write: Any) -> None:
    config = write(
        "image-size: 64\nfalse_alarm_rate: 0.2\nlayers: [blocks.1.*, blocks.3.*]\ndefects: nsa\n"
        "strength: 0.1:0.3\nlabel-preserving: [blur, flip]\nfixed-layers: a+b,c\nparameter: {epochs: 3}\n"
        "texture: false\nmax-memory: 4G\nforeground: '20:15'\ngood: pictures\n"
    )
    found = FitSettings.of(read_config(config, FitSettings, {"out": None}))
    assert (found.image_size, found.false_alarm_rate, found.good) == (64, 0.2, Path("pictures"))
    assert (found.layers, found.defects, found.strength) == ("blocks.1.*,blocks.3.*", "nsa", (0.1, 0.3))
    assert (found.label_preserving, found.fixed_layers) == (("blur", "flip"), (("a", "b"), ("c",)))
    assert (found.parameter, found.texture, found.foreground) == ({"epochs": 3}, False, (20.0, 15.0))
    assert found.max_memory == 4_000_000_000


def test_what_is_given_goes_before_the_file_and_the_file_before_defaults(write: Any) -> None:
    config = write("seed: 5\nfuse: 1\n")
    found = FitSettings.of(read_config(config, FitSettings, {"good": "g", "out": None, "seed": 7}))
    assert (found.seed, found.fuse, found.finalists) == (7, 1, 4)


def test_an_old_name_in_a_file_still_works(write: Any) -> None:
    found = read_config(write("safe: [blur]\n"), FitSettings, {"good": "g", "out": None})
    with pytest.warns(DeprecationWarning, match="label_preserving"):
        assert FitSettings.of(found).label_preserving == ("blur",)


def test_what_is_given_goes_before_an_old_name_in_a_file(write: Any) -> None:
    given = {"good": "g", "out": None, "label_preserving": "noise"}
    with pytest.warns(DeprecationWarning, match="label_preserving"):
        assert FitSettings.of(read_config(write("safe: [blur]\n"), FitSettings, given)).label_preserving == ("noise",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image-sise: 64", r"unknown option 'image-sise': did you mean image-size.*c\.yaml"),
        ("- 1", r"c\.yaml' must hold 'option: value' lines"),
        ("", "must hold 'option: value' lines"),
        ("a: [", r"c\.yaml' cannot be read"),
    ],
)
def test_bad_files(write: Any, text: str, message: str) -> None:
    with pytest.raises(FlawsightError, match=message):
        read_config(write(text), FitSettings, {})
    with pytest.raises(FlawsightError, match=r"nowhere\.yaml' cannot be read"):
        read_config(Path("nowhere.yaml"), FitSettings, {})


def test_an_option_of_another_command_is_unknown(write: Any) -> None:
    with pytest.raises(FlawsightError, match="unknown option 'fuse'"):
        read_config(write("fuse: 1"), EvaluateSettings, {})
    assert read_config(write("count: 3"), SynthesizeSettings, {}) == {"count": 3}


def test_a_bundles_manifest_holds_its_settings(bundle: Path, fit_options: dict) -> None:
    found = read_config(bundle / "inspector.json", FitSettings, {"good": "g", "out": "o"})
    settings = FitSettings.of(found)
    usual = FitSettings.of({"good": "g", "out": "o", **fit_options, "device": "auto"})
    assert settings == usual
    for name in ("device", "out", "good", "overwrite", "budget", "max_memory"):
        assert name not in json.loads((bundle / "inspector.json").read_text())["settings"]


def test_files_and_folders_must_be_said_again(bundle: Path, write: Any) -> None:
    document = json.loads((bundle / "inspector.json").read_text()) | {"settings_paths": ["textures", "generator"]}
    config = write(json.dumps(document), "inspector.json")
    with pytest.raises(FlawsightError, match=r"also took --textures and --generator.*say it again"):
        read_config(config, FitSettings, {})
    with pytest.raises(FlawsightError, match=r"also took --generator,"):
        read_config(config, FitSettings, {"textures": "t"})
    found = read_config(config, FitSettings, {"textures": "t", "generator": "g"})
    assert (found["textures"], found["generator"]) == ("t", "g")


@pytest.mark.parametrize("text", ['{"format": 2, "members": []}', '{"settings": {}}', "[]", "3", '"text"', "null"])
def test_json_that_holds_no_settings(write: Any, text: str) -> None:
    with pytest.raises(FlawsightError, match=r"other\.json' holds no settings"):
        read_config(write(text, "other.json"), FitSettings, {})


@pytest.mark.parametrize(
    "text", ['{"settings": [1], "settings_paths": []}', '{"settings": 3, "settings_paths": 4}', "{", ""]
)
def test_json_that_is_none(write: Any, text: str) -> None:
    with pytest.raises(FlawsightError, match=r"other\.json'"):
        read_config(write(text, "other.json"), FitSettings, {})
