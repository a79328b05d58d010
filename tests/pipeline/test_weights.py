"""Fits with weights of one's own, or none: what the bundle keeps of them, and what is said."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import flawsight as fs
from flawsight.bundle import read_manifest
from flawsight.features import EXTRACTORS, Extractor
from flawsight.settings import FitSettings

TINY = {"image_size": 64, "export": "none", "device": "cpu", "pod": False}
RESNET = {"extractor": "resnet18", "fixed_layers": "layer1.0.relu_1", **TINY}


def fitted(good_dir: Path, out: Path, **options: object) -> fs.Inspector:
    return fs.run_fit(FitSettings.of({"good": good_dir, "out": out, **options})).inspector


@pytest.mark.parametrize("extractor", ["tf_efficientnet_lite0", "resnet18"])
def test_a_random_network_is_kept_and_inspects_the_same(
    good_dir: Path, texture: Callable, spoiled: Callable, tmp_path: Path, extractor: str
) -> None:
    layer = {"tf_efficientnet_lite0": "blocks.1.0.bn3", "resnet18": "layer1.0.relu_1"}[extractor]
    options = TINY | {"extractor": extractor, "fixed_layers": layer, "weights": "random"}
    inspector = fitted(good_dir, tmp_path / "b", seed=5, **options)
    manifest = read_manifest(tmp_path / "b")
    spec = manifest.extractor
    assert spec.weights_source == "random" and manifest.seed == 5
    assert manifest.settings["weights"] == "random" and manifest.settings_paths == []
    assert spec.weights_sha256 == Extractor(extractor, "random", 64, "cpu", seed=5).weights_sha256
    assert spec.weights_sha256 != Extractor(extractor, "random", 64, "cpu", seed=6).weights_sha256
    loaded = fs.load(tmp_path / "b", device="cpu")
    for image in (texture(100), spoiled(1)):
        one, other = inspector.inspect(image), loaded.inspect(image)
        assert one.score == other.score and np.array_equal(one.anomaly_map, other.anomaly_map)


def test_seeds_and_files_make_other_fits(good_dir: Path, tmp_path: Path) -> None:
    for seed in (1, 2):
        fitted(good_dir, tmp_path / str(seed), seed=seed, weights="random", **RESNET)
    fitted(good_dir, tmp_path / "again", seed=1, weights="random", **RESNET)
    found = {name: read_manifest(tmp_path / name).extractor.weights_sha256 for name in ("1", "2", "again")}
    assert found["1"] == found["again"] != found["2"]


def test_what_a_file_held_is_said_once_and_the_bundle_needs_it_no_more(good_dir: Path, tmp_path: Path) -> None:
    source = Extractor("resnet18", "random", seed=3).network.module
    state = {f"module.encoder_q.{key}": value for key, value in source.state_dict().items()}
    state |= {f"module.encoder_k.{key}": value + 1 for key, value in source.state_dict().items()}
    torch.save({"state_dict": state}, tmp_path / "moco.pth.tar")
    settings = {"good": good_dir, "out": tmp_path / "b", "weights": tmp_path / "moco.pth.tar", **RESNET}
    result = fs.run_fit(FitSettings.of(settings))
    (said,) = [note for note in result.record.notes if "moco.pth.tar" in note]
    assert "read the query encoder" in said and "ignored 122 tensors (module.encoder_k)" in said
    manifest = read_manifest(tmp_path / "b")
    assert manifest.extractor.weights_source == "file"
    assert manifest.extractor.weights_sha256 == Extractor("resnet18", "random", seed=3).weights_sha256
    (tmp_path / "moco.pth.tar").unlink()
    picture = next(good_dir.iterdir())
    assert fs.load(tmp_path / "b", device="cpu").inspect(picture).score == result.inspector.inspect(picture).score


def test_a_network_that_brings_its_weights_is_not_made_random(
    good_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(EXTRACTORS, "own", lambda size: (nn.Conv2d(3, 8, 3, 2), (0.5,) * 3, (0.5,) * 3))
    with pytest.raises(fs.FlawsightError, match="'own' comes with weights of its own"):
        fitted(good_dir, tmp_path / "b", **RESNET | {"extractor": "own", "weights": "random"})
