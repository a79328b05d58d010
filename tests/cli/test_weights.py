"""Weights files on the command line: tried by `layers`, and refused without a traceback."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torchvision


@pytest.fixture
def moco(tmp_path: Path) -> Path:
    state = torchvision.models.resnet18(weights=None).state_dict()
    both = {f"module.{name}.{key}": value for name in ("encoder_q", "encoder_k") for key, value in state.items()}
    torch.save({"state_dict": both}, tmp_path / "moco.pth.tar")
    return tmp_path / "moco.pth.tar"


def test_layers_says_what_it_reads(flawsight: Callable, moco: Path) -> None:
    plain = flawsight("layers", "resnet18", "--image-size", 64, "--json")
    done = flawsight("layers", "resnet18", "--image-size", 64, "--weights", moco, "--json")
    document = json.loads(done.out)
    assert document["layers"] == json.loads(plain.out)["layers"] and json.loads(plain.out)["warnings"] == []
    (said,) = document["warnings"]
    assert "moco.pth.tar" in said and "read the query encoder" in said and "module.encoder_k" in said
    shown = flawsight("layers", "resnet18", "--image-size", 64, "--weights", moco)
    assert "Mind: the weights in" in " ".join(shown.out.split())


def test_what_does_not_fit_is_named(flawsight: Callable, moco: Path, good_dir: Path, tmp_path: Path) -> None:
    for verb in (("layers", "resnet34"), ("fit", good_dir, "--out", tmp_path / "b", "--extractor", "resnet34")):
        done = flawsight(*verb, "--image-size", 64, "--weights", moco)
        done.refused("moco.pth.tar", "do not belong to 'resnet34'", "missing (layer1.2.conv1.weight", "...")
    (tmp_path / "note.pth").write_text("no checkpoint")
    flawsight("layers", "resnet18", "--weights", tmp_path / "note.pth").refused(
        "note.pth", "state dict", ".safetensors"
    )
    assert not (tmp_path / "b" / "inspector.json").exists()
