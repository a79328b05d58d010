"""A fit is repeated from the manifest it left: bit by bit the same inspector."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

CPU = ("--device", "cpu")
QUICK = ("--image-size", "64", *CPU, "--false-alarm-rate", "0.1", "--seed", "3")
NO_GRAPH = ("--export", "none")
FITS = {
    "search": ("--layers", "blocks.1.0.bn?,blocks.3.0.bn?", "--defects", "simple,cutpaste", "--finalists", "2",
               "--foreground", "20:15", "--object", "--strength", "0.3", "--parameter", "bank_size=60"),
    "exhaustive": ("--layers", "blocks.3.0.bn?", "--defects", "nsa", "--search", "exhaustive", "--fuse", "1",
                   *NO_GRAPH),
    "several": ("--layers", "blocks.3.0.bn?", "--defects", "simple", "--detector", "patchcore,gaussian",
                "--parameter", "patchcore.bank_size=50", "--parameter", "gaussian.dims=8", *NO_GRAPH),
    "fixed": ("--fixed-layers", "blocks.1.0.bn3+blocks.3.0.bn3,blocks.3.0.bn2", "--augment", "2",
              "--label-preserving", "noise,blur", *NO_GRAPH),
    "random": ("--layers", "blocks.3.0.bn?", "--defects", "simple", "--weights", "random", *NO_GRAPH),
    "autoencoder": ("--detector", "autoencoder", "--parameter", "side=32", "--parameter", "width=4",
                    "--parameter", "epochs=2", *NO_GRAPH),
}  # fmt: skip


def same_bundle(one: Path, other: Path) -> None:
    for name in ("inspector.json", "network.safetensors", "detectors.safetensors"):
        assert (one / name).read_bytes() == (other / name).read_bytes(), name


@pytest.mark.parametrize("how", FITS)
def test_a_fit_from_its_own_manifest_is_the_same(flawsight: Callable, good_dir: Path, tmp_path: Path, how: str) -> None:
    first, again = tmp_path / "first", tmp_path / "again"
    done = flawsight("fit", good_dir, "--out", first, *QUICK, *FITS[how])
    assert done.code == 0, done.err
    done = flawsight("fit", good_dir, "--out", again, *CPU, "--config", first / "inspector.json")
    assert done.code == 0, done.err
    same_bundle(first, again)


def test_the_command_line_goes_before_the_manifest(
    flawsight: Callable, good_dir: Path, bundle: Path, tmp_path: Path
) -> None:
    options = ("--layers", "blocks.3.0.bn3", "--defects", "simple", "--seed", "9", *CPU, *NO_GRAPH)
    done = flawsight("fit", good_dir, "--out", tmp_path / "b", "--config", bundle / "inspector.json", *options)
    assert done.code == 0, done.err
    document = json.loads((tmp_path / "b" / "inspector.json").read_text())
    assert (document["seed"], document["members"][0]["layers"]) == (9, ["blocks.3.0.bn3"])
    assert document["extractor"]["image_size"] == 64 and document["operating_point"]["requested_rate"] == 0.1


def test_textures_must_be_named_again(flawsight: Callable, good_dir: Path, tmp_path: Path) -> None:
    """A manifest keeps no folders: they may be elsewhere, or hold other things by now."""
    textures = Path(shutil.copytree(good_dir, tmp_path / "textures"))
    first, again = tmp_path / "first", tmp_path / "again"
    options = ("--layers", "blocks.3.0.bn?", "--defects", "perlin", "--textures", textures, *NO_GRAPH)
    assert flawsight("fit", good_dir, "--out", first, *QUICK, *options).code == 0
    assert str(tmp_path) not in (first / "inspector.json").read_text()
    assert json.loads((first / "inspector.json").read_text())["settings_paths"] == ["textures"]
    repeated = ("fit", good_dir, "--out", again, *CPU, "--config", first / "inspector.json")
    flawsight(*repeated).refused("inspector.json", "--textures", "say it again")
    assert not again.exists()
    done = flawsight(*repeated, "--textures", textures)
    assert done.code == 0, done.err
    same_bundle(first, again)


@pytest.mark.parametrize("text", ['{"format": 2, "working_point": {}}', "{}", "[1]", "3", "{", '{"settings": 1}'])
def test_other_json_is_refused(flawsight: Callable, good_dir: Path, tmp_path: Path, text: str) -> None:
    config = tmp_path / "other.json"
    config.write_text(text)
    flawsight("fit", good_dir, "--out", tmp_path / "b", "--config", config).refused("other.json")
    assert not (tmp_path / "b").exists()


def test_a_manifest_of_format_2_is_refused(flawsight: Callable, good_dir: Path, bundle: Path, tmp_path: Path) -> None:
    document = json.loads((bundle / "inspector.json").read_text())
    for name in ("settings", "settings_paths"):
        del document[name]
    config = tmp_path / "inspector.json"
    config.write_text(json.dumps(document | {"format": 2}))
    done = flawsight("fit", good_dir, "--out", tmp_path / "b", "--config", config)
    done.refused("inspector.json", "holds no settings", "older version")
    assert not (tmp_path / "b").exists()


def test_a_fits_manifest_is_for_fits(flawsight: Callable, good_dir: Path, bundle: Path, tmp_path: Path) -> None:
    done = flawsight("synthesize", good_dir, "--out", tmp_path / "s", "--config", bundle / "inspector.json")
    done.refused("unknown option", "inspector.json")
