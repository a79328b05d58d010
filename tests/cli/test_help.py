"""What the command line says of itself."""

import json
import re
from collections.abc import Callable

import pytest

VERBS = ("fit", "inspect", "evaluate", "export", "bench", "doctor", "serve", "layers", "synthesize", "demo")


def test_version(flawsight: Callable) -> None:
    done = flawsight("--version")
    assert done.code == 0 and re.fullmatch(r"flawsight \d+\.\d+\.\d+\S*\n", done.out)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_helps_with_an_example(flawsight: Callable, verb: str) -> None:
    done = flawsight(verb, "--help")
    assert done.code == 0
    assert f"flawsight {verb}" in done.out.split("Example:")[1]
    assert "--json" in done.out


def test_help_lists_the_verbs(flawsight: Callable) -> None:
    done = flawsight("--help")
    assert done.code == 0 and all(verb in done.out for verb in VERBS)


def test_layers(flawsight: Callable) -> None:
    document = json.loads(flawsight("layers", "resnet18", "--image-size", 64, "--json").out)
    names = [layer["name"] for layer in document["layers"]]
    assert "layer2.0.conv1" in names and len(set(names)) == len(names)
    assert [layer["order"] for layer in document["layers"]] == sorted(layer["order"] for layer in document["layers"])
    shown = flawsight("layers", "resnet18", "--image-size", 64)
    assert shown.code == 0 and all(name in shown.out.split() for name in names)
