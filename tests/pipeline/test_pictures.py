"""Inspectors of detectors that read the pictures themselves: no search, and no network in the bundle."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from sklearn.base import clone

import flawsight as fs
from flawsight.features import INPUT, networks
from flawsight.inspection import Inspector
from flawsight.pipeline import FitRecord
from flawsight.settings import FitSettings

OPTIONS = {"image_size": 64, "device": "cpu", "false_alarm_rate": 0.1}
QUICK_AUTOENCODER = {"side": 32, "width": 4, "epochs": 2}


@pytest.fixture(scope="module")
def made(
    good_dir: Path, quick_detectors: dict, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Inspector, Path, FitRecord]:
    folder = tmp_path_factory.mktemp("pictures") / "bundle"
    result = fs.run_fit(FitSettings.of({"good": good_dir, "out": folder, **OPTIONS, "detector": "pictures"}))
    return result.inspector, folder, result.record


def test_it_is_fitted_without_a_search(made: tuple[Inspector, Path, FitRecord]) -> None:
    inspector, folder, record = made
    assert inspector.layers == ((INPUT,),) and inspector.backend.members[0].weight == 1
    assert inspector.manifest.selection is None and record.selection is None
    assert set(record.timings) == {"checking images", "learning and calibrating", "trying artificial defects"}
    assert {path.name for path in folder.iterdir()} == {
        "inspector.json", "network.safetensors", "detectors.safetensors", "report.html",
    }  # fmt: skip


def test_it_reads_the_resized_pictures_from_0_to_1(
    made: tuple[Inspector, Path, FitRecord], quick_detectors: dict
) -> None:
    inspector, _, record = made
    pixels = torch.from_numpy(np.stack(record.images[:])).permute(0, 3, 1, 2) / 255
    own = inspector.backend.members[0].detector
    by_hand = clone(own).fit([pixels])
    for name, value in by_hand.state_dict().items():
        assert torch.allclose(value, own.state_dict()[name], atol=1e-6)


def test_a_loaded_bundle_is_bit_equal_and_needs_no_weights(
    made: tuple[Inspector, Path, FitRecord], texture: Callable, spoiled: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    inspector, folder, _ = made
    assert load_file(folder / "network.safetensors") == {}
    monkeypatch.setattr(networks, "read_weights", lambda *_: pytest.fail("weights were read"))
    loaded = fs.load(folder, device="cpu")
    images = [texture(100), texture(101, (70, 84)), spoiled(1)]
    for image, one, other in zip(images, inspector.inspect_many(images), loaded.inspect_many(images), strict=True):
        assert (one.score, one.p_value, one.is_defective) == (other.score, other.p_value, other.is_defective)
        assert np.array_equal(one.anomaly_map, other.anomaly_map)
        assert one.anomaly_map.shape == image.shape[:2]
    assert one.is_defective
    row, column = np.unravel_index(one.anomaly_map.argmax(), one.anomaly_map.shape)
    assert 50 <= row <= 70 and 68 <= column <= 90


def test_a_changed_network_is_noticed_all_the_same(made: tuple[Inspector, Path, FitRecord], tmp_path: Path) -> None:
    copy = Path(shutil.copytree(made[1], tmp_path / "copy"))
    (copy / "network.safetensors").unlink()
    with pytest.raises(fs.FlawsightError, match=r"network\.safetensors is missing"):
        fs.load(copy, device="cpu")


def test_the_registered_one(good_dir: Path, tmp_path: Path, spoiled: Callable) -> None:
    options = OPTIONS | {"detector": "autoencoder", "detector_parameters": QUICK_AUTOENCODER, "seed": 4}
    inspector = fs.fit(good_dir, tmp_path / "b", **options, export="none")
    loaded = fs.load(tmp_path / "b", device="cpu")
    assert loaded.backend.members[0].detector.get_params() == inspector.backend.members[0].detector.get_params()
    assert loaded.backend.members[0].detector.seed == 4
    one, other = (each.inspect(spoiled(1)) for each in (inspector, loaded))
    assert one.score == other.score and np.array_equal(one.anomaly_map, other.anomaly_map)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"detector": "pictures,distance"}, "cannot be compared"),
        ({"detector": "distance,pictures"}, "cannot be compared"),
        ({"detector": "pictures,autoencoder"}, "cannot be compared"),
        ({"detector": "pictures", "fixed_layers": [["blocks.1.0.bn3"]]}, "reads images, not layers"),
        ({"detector": "pictures", "fixed_layers": [[INPUT]]}, "reads images, not layers"),
        ({"detector": "distance", "fixed_layers": [[INPUT]]}, f"unknown layer '{INPUT}'"),
    ],
)
def test_what_makes_no_sense_is_refused(
    good_dir: Path, quick_detectors: dict, tmp_path: Path, options: dict, message: str
) -> None:
    with pytest.raises(fs.FlawsightError, match=message):
        fs.fit(good_dir, tmp_path / "b", **OPTIONS | options)
    assert not (tmp_path / "b" / "inspector.json").exists()
