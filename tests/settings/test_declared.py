"""Every option is declared once: its type, default, bounds and help."""

from collections import defaultdict

import pytest
from pydantic import ValidationError

from flawsight import settings
from flawsight.settings import (
    BenchSettings,
    DefectOptions,
    DemoSettings,
    EvaluateSettings,
    FitSettings,
    InspectSettings,
    LayersSettings,
    Options,
    SearchOptions,
    StudySettings,
    SynthesizeSettings,
    flag_of,
)
from flawsight.settings.base import RENAMED

COMMANDS = (
    FitSettings, InspectSettings, EvaluateSettings, BenchSettings, LayersSettings, SynthesizeSettings, DemoSettings,
    StudySettings,
)  # fmt: skip
OF_THE_COMMAND = {"good", "out", "bundle"}
"""What each command says of its own place."""
SAID_ANEW = {
    ("defects", "SynthesizeSettings"),
    ("generator", "SynthesizeSettings"),
    ("extractor", "LayersSettings"),
    ("seed", "LayersSettings"),
    ("backend", "BenchSettings"),
    ("threads", "BenchSettings"),
    ("device", "BackendOptions"),
    ("backend", "BackendOptions"),
    ("history", "DoctorSettings"),
    ("port", "DoctorSettings"),
    ("watch", "DoctorSettings"),
    ("image_size", "LayersSettings"),
    ("mm_per_pixel", "InspectSettings"),
    ("extractor", "StudySettings"),
    ("weights", "StudySettings"),
    ("image_size", "StudySettings"),
    ("detector", "StudySettings"),
    ("layers", "StudySettings"),
    ("parameter", "StudySettings"),
}
"""Options with another default, by their place, or that may be several, in one command."""


def everyone() -> list[type[Options]]:
    found = [getattr(settings, name) for name in settings.__all__]
    return [one for one in found if isinstance(one, type) and issubclass(one, Options)]


def test_no_option_is_declared_twice() -> None:
    declared = defaultdict(set)
    for group in everyone():
        for name in vars(group).get("__annotations__", {}):
            if name in group.model_fields and (name, group.__name__) not in SAID_ANEW:
                declared[name].add(group.__name__)
    assert {name: groups for name, groups in declared.items() if len(groups) > 1 and name not in OF_THE_COMMAND} == {}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_has_a_help_that_is_a_sentence(command: type[Options]) -> None:
    for name, field in command.model_fields.items():
        assert field.description and field.description.endswith("."), name


@pytest.mark.parametrize("command", COMMANDS)
def test_every_default_is_allowed(command: type[Options]) -> None:
    """A default is what would be had by giving it."""
    for name, field in command.model_fields.items():
        if not field.is_required():
            required = {key: "x" for key, other in command.model_fields.items() if other.is_required()}
            assert getattr(command.of({**required, name: field.default}), name) == field.default


def test_what_the_verbs_share_is_the_same() -> None:
    for name in DefectOptions.model_fields:
        one, other = FitSettings.model_fields[name], SynthesizeSettings.model_fields[name]
        assert one.annotation == other.annotation and one.metadata == other.metadata, name
        if name != "defects":
            assert one.default == other.default, name


def test_settings_do_not_change() -> None:
    given = FitSettings.of({"good": "good", "out": None})
    with pytest.raises(ValidationError, match="frozen"):
        given.seed = 1  # type: ignore[misc]


def test_flags() -> None:
    assert flag_of("max_memory") == "--max-memory"
    assert all(new in FitSettings.model_fields for new in RENAMED.values())
    assert set(SearchOptions.model_fields) <= set(FitSettings.model_fields)
