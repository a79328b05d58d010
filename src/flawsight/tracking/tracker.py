"""Each fit as a run of MLflow, in an experiment that is named by the product."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from flawsight.bundle import Manifest, read_manifest
from flawsight.bundle.store import MANIFEST
from flawsight.core import FlawsightError, first_line

LOCAL = "local"
STORE, ARTIFACTS = "mlflow.db", "mlflow"
"""Of a local store: the file, and the folder of the files that belong to runs."""
MOST_FAILURES = 1
"""In a row, after which no more is tried: each takes a minute, and the workers wait for it."""
LONGEST = 500
"""Characters of a parameter's value that every version of MLflow takes."""


class Tracker:
    """Notes nothing, as nobody asked for it. `notes`: what could not be noted.

    >>> Tracker().note("cap", bundle, seconds=12.0)
    """

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, product: str, bundle: Path, seconds: float | None) -> None:
        """Note a finished fit."""


class _MLflow(Tracker):
    def __init__(self, client: Any, artifacts: str | None) -> None:
        super().__init__()
        self._client, self._artifacts, self._failures = client, artifacts, 0

    def note(self, product: str, bundle: Path, seconds: float | None) -> None:
        """A run with parameters, figures, the manifest and the report; a store that fails now costs no inspector."""
        if self._failures > MOST_FAILURES:
            return
        try:
            self._note(product, bundle, seconds)
            self._failures = 0
        except Exception as error:  # of MLflow, its database and its transport
            self._failures += 1
            more = ", and no more was tried" if self._failures > MOST_FAILURES else ""
            self.notes.append(f"'{product}' could not be noted in MLflow{more}: {first_line(error)}")

    def _note(self, product: str, bundle: Path, seconds: float | None) -> None:
        from mlflow.entities import Metric, Param, RunTag

        manifest, client = read_manifest(bundle), self._client
        found = client.get_experiment_by_name(product)
        place = f"{self._artifacts}/{quote(product)}" if self._artifacts else None
        experiment = found.experiment_id if found else client.create_experiment(product, place)
        run = client.create_run(experiment, run_name=manifest.data.fingerprint[:12]).info
        figures = [Metric(name, value, run.start_time, 0) for name, value in _figures(manifest, seconds).items()]
        parameters = [Param(name, str(value)[:LONGEST]) for name, value in manifest.settings.items()]
        tags = {"fingerprint": manifest.data.fingerprint, "layers": " ".join("+".join(one) for one in manifest.layers)}
        client.log_batch(run.run_id, figures, parameters, [RunTag(f"flawsight.{key}", tags[key]) for key in tags])
        for name in (MANIFEST, "report.html"):
            if (bundle / name).exists():
                client.log_artifact(run.run_id, str(bundle / name))
        client.set_terminated(run.run_id)


def _figures(manifest: Manifest, seconds: float | None) -> dict[str, float]:
    point, chosen = manifest.operating_point, manifest.selection
    found = {"threshold": point.threshold, "false_alarm_rate": point.rate, "images": float(manifest.data.images)}
    if chosen and chosen.p_h:
        found |= {f"p_h_{kind}": value for kind, value in chosen.p_h.items()}
        found["p_h"] = sum(chosen.p_h.values()) / len(chosen.p_h)
    return found if seconds is None else found | {"seconds": seconds}


@contextmanager
def open_tracker(uri: str | None, folder: Path) -> Iterator[Tracker]:
    """Whoever notes fits in the store at `uri`, `local` for one in this folder; FlawsightError if it does not answer.

    >>> with open_tracker(None, tmp) as tracker:
    ...     tracker.note("cap", bundle, seconds=12.0)
    """
    if uri is None:
        yield Tracker()
        return
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"  # nothing leaves the machine but to the store that was named
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")  # else it tells how it makes its tables
    from mlflow import MlflowClient

    folder = folder.resolve()
    is_local = uri == LOCAL
    try:
        client = MlflowClient(f"sqlite:///{folder / STORE}" if is_local else uri)
        client.search_experiments(max_results=1)
    except Exception as error:  # of MLflow, its database and its transport
        raise FlawsightError(f"no MLflow store answers at '{uri}' ({first_line(error)}): check --track") from error
    yield _MLflow(client, (folder / ARTIFACTS).as_uri() if is_local else None)
