"""MLflow's own client reads what was noted; a store that fails costs no inspector; nothing is sent elsewhere."""

import json
import os
import shutil
from pathlib import Path

import pytest

from flawsight.bundle import read_manifest
from flawsight.core import FlawsightError
from flawsight.tracking import open_tracker

pytest.importorskip("mlflow", reason="the extra 'track' is not installed")


def test_a_run_holds_parameters_figures_and_files(bundle: Path, tmp_path: Path) -> None:
    from mlflow import MlflowClient
    from mlflow.artifacts import download_artifacts

    with open_tracker("local", tmp_path) as tracker:
        tracker.note("cap", bundle, 12.5)
        tracker.note("cap", bundle, None)
        tracker.note("nut #3", bundle, 1.0)
    assert tracker.notes == [] and os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    client, manifest = MlflowClient(uri), read_manifest(bundle)
    names = {one.name: one.experiment_id for one in client.search_experiments()}
    assert {"cap", "nut #3"} <= set(names)
    (other,) = client.search_runs([names["nut #3"]])
    assert Path(download_artifacts(run_id=other.info.run_id, artifact_path="inspector.json", tracking_uri=uri)).exists()
    second, first = client.search_runs([names["cap"]], order_by=["attributes.start_time DESC"])
    assert first.data.metrics["seconds"] == 12.5 and "seconds" not in second.data.metrics
    assert first.data.metrics["threshold"] == pytest.approx(manifest.operating_point.threshold)
    assert manifest.selection is not None
    assert first.data.metrics["p_h_nsa"] == pytest.approx(manifest.selection.p_h["nsa"])
    assert first.data.params["image_size"] == str(manifest.settings["image_size"]) and first.info.status == "FINISHED"
    assert first.data.tags["flawsight.fingerprint"] == manifest.data.fingerprint
    kept = Path(download_artifacts(run_id=first.info.run_id, artifact_path="inspector.json", tracking_uri=uri))
    assert json.loads(kept.read_text())["seed"] == manifest.seed
    assert str(tmp_path) in first.info.artifact_uri


def test_a_store_that_fails_later_is_a_note(bundle: Path, tmp_path: Path) -> None:
    with open_tracker("local", tmp_path) as tracker:
        shutil.copytree(bundle, tmp_path / "broken")
        (tmp_path / "broken" / "inspector.json").write_text("{}")
        tracker.note("cap", tmp_path / "broken", 1.0)
        tracker.note("nut", tmp_path / "broken", 1.0)
        tracker.note("ring", tmp_path / "broken", 1.0)
    assert len(tracker.notes) == 2 and "'cap' could not be noted in MLflow" in tracker.notes[0]
    assert "and no more was tried" in tracker.notes[1]


def test_a_store_that_does_not_answer_is_said_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for uri in ("http://127.0.0.1:9/", f"sqlite:///{tmp_path / 'file' / 'mlflow.db'}", "nonsense://x"):
        with pytest.raises(FlawsightError, match=f"no MLflow store answers at '{uri}'"), open_tracker(uri, tmp_path):
            pass


def test_without_it_nothing_is_noted(bundle: Path, tmp_path: Path) -> None:
    with open_tracker(None, tmp_path) as tracker:
        tracker.note("cap", bundle, 1.0)
    assert tracker.notes == [] and list(tmp_path.iterdir()) == []


def test_fit_notes_beside_the_bundle(good_dir: Path, tmp_path: Path) -> None:
    from mlflow import MlflowClient
    from typer.testing import CliRunner

    from flawsight.cli import app

    given = {"image-size": 64, "fixed-layers": "blocks.3.0.bn3", "device": "cpu", "export": "none", "track": "local"}
    options = [f"--{name}={value}" for name, value in given.items()]
    done = CliRunner().invoke(app, ["fit", str(good_dir), "--out", str(tmp_path / "made" / "cap"), *options])
    assert done.exit_code == 0, done.output
    client = MlflowClient(f"sqlite:///{tmp_path / 'made' / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("cap")
    assert experiment is not None
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.data.metrics["seconds"] > 0 and "p_h" not in run.data.metrics
    assert sorted(path.name for path in (tmp_path / "made").iterdir()) == ["cap", "mlflow", "mlflow.db"]
