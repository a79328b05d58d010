"""What changes a bundle: the threshold with who and why, undo, and reading it again."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient

import flawsight as fs
from flawsight.core import FlawsightError
from flawsight.metrics import rate_at
from flawsight.station import Bundles, Station

WHO = {"by": "A. Smith", "why": "a test"}


def test_the_list_says_what_runs(client: TestClient, plates: Path) -> None:
    (one,) = client.get("/v1/bundles").json()["bundles"]
    inspector = fs.load(plates)
    assert one["name"] == "plates" and one["is_default"] and not one["changed_on_disk"]
    assert one["threshold"] == inspector.threshold and one["images"] == 24 and one["revisions"] == []
    assert client.get("/v1/bundles/plates").json() == one
    assert client.get("/v1/bundles/other").status_code == 404


def test_a_threshold_is_in_force_at_once_and_in_the_folder(client: TestClient, plates: Path, bad_png: bytes) -> None:
    before = fs.load(plates)
    score = client.post("/v1/inspect", content=bad_png).json()["score"]
    changed = client.post("/v1/bundles/plates/threshold", json={**WHO, "threshold": score + 1}).json()
    assert changed["false_alarm_rate"] == rate_at(score + 1, before.manifest.calibration.scores)
    assert client.post("/v1/inspect", content=bad_png).json()["verdict"] == "good"
    assert fs.load(plates).threshold == score + 1
    assert [one["by"] for one in changed["revisions"]] == ["fit", "A. Smith"] and not changed["changed_on_disk"]
    back = client.post("/v1/bundles/plates/undo", json=WHO).json()
    assert back["threshold"] == before.threshold == fs.load(plates).threshold and len(back["revisions"]) == 3
    assert client.post("/v1/inspect", content=bad_png).json()["verdict"] == "defective"


@pytest.mark.parametrize(
    "change",
    [{}, {"threshold": 5}, {**WHO, "threshold": "high"}, {**WHO, "threshold": 5, "by": ""}, {**WHO, "threshold": -1e9}],
)
def test_changes_that_are_not_whole_are_refused(client: TestClient, plates: Path, change: dict) -> None:
    before = (plates / "inspector.json").read_bytes()
    answer = client.post("/v1/bundles/plates/threshold", json=change)
    assert answer.status_code == 422 and answer.json()["detail"]
    assert client.post("/v1/bundles/plates/undo", json=WHO).status_code == 422  # nothing was changed
    assert (plates / "inspector.json").read_bytes() == before


def test_a_bundle_replaced_while_running(client: TestClient, station: Station, plates: Path, bad_png: bytes) -> None:
    document = json.loads((plates / "inspector.json").read_text())
    document["operating_point"]["threshold"] = document["colour_scale"]["threshold"] = 900.0
    (plates / "inspector.json").write_text(json.dumps(document))
    assert client.get("/v1/bundles/plates").json()["changed_on_disk"]
    assert client.post("/v1/inspect", content=bad_png).json()["verdict"] == "defective"  # the one that runs goes on
    refused = client.post("/v1/bundles/plates/threshold", json={**WHO, "threshold": 5.0})
    assert refused.status_code == 409 and "reload" in refused.json()["detail"]
    assert any("changed on the disk" in problem for problem in client.get("/v1/status").json()["problems"])
    assert client.post("/v1/bundles/plates/reload").json()["threshold"] == 900.0
    assert client.post("/v1/inspect", content=bad_png).json()["verdict"] == "good"


@pytest.mark.parametrize("what", ["newer", "tampered", "gone"])
def test_a_bundle_that_cannot_run_is_refused_and_the_old_one_goes_on(
    client: TestClient, plates: Path, good_png: bytes, what: str
) -> None:
    if what == "newer":
        document = json.loads((plates / "inspector.json").read_text()) | {"format": 99}
        (plates / "inspector.json").write_text(json.dumps(document))
    elif what == "tampered":
        data = (plates / "model.onnx").read_bytes()
        (plates / "model.onnx").write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    else:
        shutil.rmtree(plates)
    answer = client.post("/v1/bundles/plates/reload")
    said = {"newer": "reads formats up to", "tampered": "model.onnx has changed", "gone": "is no bundle"}
    assert answer.status_code == 422 and said[what] in answer.json()["detail"]
    assert client.post("/v1/inspect", content=good_png).json()["verdict"] == "good"


def test_two_bundles_of_one_name_are_refused(plates: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(plates, tmp_path / "other" / "plates"))
    with pytest.raises(FlawsightError, match="two bundles are called 'plates'"):
        Bundles([plates, other], fs.settings.GraphOptions(threads=1))
    with pytest.raises(FlawsightError, match="unknown bundle 'lids'"):
        Bundles([plates], fs.settings.GraphOptions(threads=1), default="lids")


def test_what_is_ignored_is_not_judged(station: Station, plates: Path, spoiled: Callable) -> None:
    mask = np.zeros((80, 96), bool)
    mask[32:, 48:] = True
    station.bundles.set_ignored(None, mask, **WHO)
    assert fs.load(plates).inspect(spoiled(200)).verdict == "good"
    with pytest.raises(FlawsightError, match="holds no pixel"):
        station.bundles.set_ignored(None, np.ones((80, 96), bool), **WHO)
    station.bundles.undo(None, **WHO)
    assert station.bundles.get().inspector.inspect(spoiled(200)).verdict == "defective"


def test_torch_is_never_asked_though_it_is_installed(plates: Path) -> None:
    for backend in ("auto", "onnxruntime"):
        assert Bundles([plates], fs.settings.GraphOptions(backend=backend)).get().inspector.backend.name != "torch"
    with pytest.raises(FlawsightError, match="never torch"):
        Bundles([plates], fs.settings.GraphOptions(backend="torch"))
    document = json.loads((plates / "inspector.json").read_text()) | {"runtime": None}
    (plates / "inspector.json").write_text(json.dumps(document))
    with pytest.raises(FlawsightError, match=r"`flawsight export .*plates` makes one"):
        Bundles([plates], fs.settings.GraphOptions())
