"""The bundle on disk: whole or refused, with the file's name and the remedy."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file

import flawsight as fs
from flawsight.inspection import Inspector


@pytest.fixture
def copy(bundle: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(bundle, tmp_path / "copy"))


def refused(folder: Path, *parts: str) -> None:
    with pytest.raises(fs.FlawsightError) as caught:
        fs.load(folder, device="cpu")
    for part in parts:
        assert part in str(caught.value)


def test_what_a_bundle_holds(bundle: Path, fitted: Inspector) -> None:
    names = {path.name for path in bundle.iterdir()}
    assert names == {
        "inspector.json", "network.safetensors", "detectors.safetensors", "selection.csv", "report.html",
        "model.onnx", "samples.png",
    }  # fmt: skip
    document = json.loads((bundle / "inspector.json").read_text())
    assert document["format"] == 6
    assert document["view"] == {"kind": "squash", "side": 64, "tile": None, "overlap": 0.125}
    assert (document["region"], document["mm_per_pixel"], document["has_own_scores"]) == ("", None, False)
    assert document["extractor"]["name"] == "tf_efficientnet_lite0"
    assert document["extractor"]["weights_sha256"] == fitted.backend.extractor.weights_sha256
    assert sum(member["calibration"]["weight"] for member in document["members"]) == pytest.approx(1)
    assert {member["detector"]["name"] for member in document["members"]} == {"patchcore"}
    assert document["selection"]["detectors"] == ["patchcore"] and document["selection"]["untried"] == 0
    assert document["data"]["images"] == 24 and document["seed"] == 0
    assert document["versions"]["flawsight"]
    assert document["selection"]["layers_tried"] == 16
    assert set(document["selection"]["p_h"]) == set(document["selection"]["defects"])


def test_the_network_is_cut(bundle: Path, fitted: Inspector) -> None:
    whole = sum(value.numel() for value in fitted.backend.extractor.network.module.state_dict().values())
    kept = sum(value.numel() for value in load_file(bundle / "network.safetensors").values())
    assert 0 < kept < whole / 10


def test_a_bundle_may_move_and_be_read_alone(copy: Path, tmp_path: Path, fitted: Inspector, spoiled: Callable) -> None:
    for extra in ("report.html", "selection.csv"):
        (copy / extra).unlink()
    moved = copy.rename(tmp_path / "moved here")
    assert fs.load(str(moved), device="cpu").inspect(spoiled(1)).score == fitted.inspect(spoiled(1)).score


@pytest.mark.parametrize("name", ["network.safetensors", "detectors.safetensors"])
def test_a_missing_or_changed_file(copy: Path, name: str) -> None:
    path = copy / name
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)
    refused(copy, name, "changed", "again")
    path.write_bytes(content[: len(content) // 2])
    refused(copy, name, "changed", "again")
    path.unlink()
    refused(copy, name, "missing", "again")


def test_no_bundle_at_all(tmp_path: Path) -> None:
    refused(tmp_path / "nowhere", "no bundle", "flawsight fit")
    refused(tmp_path, "no bundle", "inspector.json")
    file = tmp_path / "file"
    file.write_text("x")
    refused(file, "file")


def changed(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    document = json.loads((folder / "inspector.json").read_text())
    change(document)
    (folder / "inspector.json").write_text(json.dumps(document))


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (lambda d: d.update(format=1), "format"),
        (lambda d: d.update(surprise="x"), "surprise"),
        (lambda d: d.pop("members"), "members"),
        (lambda d: d.update(members=[]), "members"),
        (lambda d: d["operating_point"].update(threshold="high"), "threshold"),
        (lambda d: d["operating_point"].update(rate=0), "false-alarm rates"),
        (lambda d: d["calibration"].update(scores=[]), "scores"),
        (lambda d: d["members"][0]["calibration"].update(weight=2), "weight"),
        (lambda d: d["members"][0]["calibration"].update(weight=0), "weight"),
        (lambda d: d["members"][0]["calibration"].pop("weight"), "weight"),
        (lambda d: d["members"][0]["calibration"]["maps"].update(tail_scale=0), "tail"),
        (lambda d: d["members"][0]["calibration"]["maps"]["knots"].pop(), "knots"),
        (lambda d: d["members"][0].update(layers=["blocks.9.nonsuch"]), "blocks.9.nonsuch"),
        (lambda d: d["members"].append(d["members"][0]), "detectors.safetensors"),
        (lambda d: d["members"][0]["detector"].update(name="nonsuch"), "nonsuch"),
        (lambda d: d["members"][0]["detector"]["parameters"].update(nonsuch=1), "nonsuch"),
        (lambda d: d["members"][0]["calibration"]["scores"].update(deviation=0), "deviation"),
        (lambda d: d["members"][0]["calibration"]["scores"].pop("mean"), "mean"),
        (lambda d: d["members"][0]["calibration"].update(surprise=1), "surprise"),
        (lambda d: d.update(colour_scale={"low": 2, "threshold": 1}), "low < threshold"),
        (lambda d: d.update(detector=d["members"][0]["detector"]), "detector"),
        (lambda d: d["extractor"].update(name="resnet18"), "resnet18"),
        (lambda d: d["extractor"].update(image_size=1), "image_size"),
        (lambda d: d.pop("view"), "view"),
        (lambda d: d["view"].update(kind="fisheye"), "kind"),
        (lambda d: d["view"].update(kind="tiles", overlap=0.6), "overlap"),
        (lambda d: d["view"].update(turned=True), "turned"),
        (lambda d: d.update(mm_per_pixel=0), "mm_per_pixel"),
    ],
)
def test_a_manifest_that_does_not_hold(copy: Path, change: Callable, part: str) -> None:
    changed(copy, change)
    refused(copy, part)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b'{"format": 2}', b'{"format": 3}', b'{"format": 4}', b'{"format": 6}', b"\xff\xfe", b"\x89PNG"],
)
def test_a_manifest_that_is_none(copy: Path, content: bytes) -> None:
    (copy / "inspector.json").write_bytes(content)
    refused(copy, "inspector.json")


def test_tensors_that_are_none_although_their_hash_is_right(copy: Path) -> None:
    import hashlib

    for name, content in (("detectors.safetensors", b"not tensors"), ("network.safetensors", b"\0" * 64)):
        (copy / name).write_bytes(content)
        changed(copy, lambda d, n=name, c=content: d["files"].update({n: hashlib.sha256(c).hexdigest()}))
        refused(copy, name)


def test_files_that_the_manifest_does_not_vouch_for(copy: Path) -> None:
    changed(copy, lambda d: d.pop("files"))
    (copy / "detectors.safetensors").unlink()
    refused(copy, "detectors.safetensors")


def test_weights_of_another_network(copy: Path) -> None:
    import hashlib

    path = copy / "network.safetensors"
    tensors = load_file(path)
    name = next(name for name, value in tensors.items() if value.ndim == 4)
    tensors[name] = tensors[name][:1].contiguous()
    save_file(tensors, path)
    changed(copy, lambda d: d["files"].update({path.name: hashlib.sha256(path.read_bytes()).hexdigest()}))
    refused(copy, "network.safetensors")


def test_an_existing_bundle_is_refused_and_stays(copy: Path, fitted: Inspector, good_dir: Path) -> None:
    before = {path.name: path.read_bytes() for path in copy.iterdir()}
    with pytest.raises(fs.FlawsightError, match=r"already holds a bundle.*--overwrite"):
        fs.fit(good_dir, copy, image_size=64)
    with pytest.raises(fs.FlawsightError, match="already holds a bundle"):
        fs.save(fitted, copy)
    assert {path.name: path.read_bytes() for path in copy.iterdir()} == before
    fs.save(fitted, copy, overwrite=True)
    assert fs.load(copy, device="cpu").threshold == fitted.threshold


def test_a_save_that_is_cut_off_leaves_the_bundle_as_it_was(
    copy: Path, fitted: Inspector, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "no space left on device")

    before = fs.load(copy, device="cpu").manifest
    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(fs.FlawsightError, match=r"cannot write .*network\.safetensors.*no space.*disk full"):
        fs.save(fitted, copy, overwrite=True)
    monkeypatch.undo()
    assert fs.load(copy, device="cpu").manifest == before
    assert not list(copy.glob("*.part"))


def test_every_file_of_a_bundle_has_the_usual_rights(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "usual").touch()
    usual = (tmp_path / "usual").stat().st_mode
    assert {path.name: path.stat().st_mode for path in bundle.iterdir() if path.stat().st_mode != usual} == {}


def test_an_output_that_cannot_be_written(fitted: Inspector, good_dir: Path, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("in the way")
    for out in (file, file / "below"):
        with pytest.raises(fs.FlawsightError, match=r"cannot write to .*another folder"):
            fs.save(fitted, out)
        with pytest.raises(fs.FlawsightError, match="cannot write to"):
            fs.fit(good_dir, out, image_size=64)


def test_loading_traces_no_network(
    bundle: Path, fitted: Inspector, spoiled: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    def traced(*_: object, **__: object) -> None:
        pytest.fail("a network was traced")

    with monkeypatch.context() as patch:
        for module in ("graph", "extractor"):
            for name in ("trace", "catalogue"):
                patch.setattr(f"flawsight.features.{module}.{name}", traced)
        loaded = fs.load(bundle, device="cpu")
    assert loaded.inspect(spoiled(1)).score == fitted.inspect(spoiled(1)).score
