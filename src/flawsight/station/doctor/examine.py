"""All checks of a machine, one after the other, each of which lets the others run."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from flawsight.bundle import Manifest
from flawsight.core import FlawsightError
from flawsight.runtime.measure import peak_mib
from flawsight.settings import DoctorSettings
from flawsight.station.bundles import open_graph
from flawsight.station.doctor import machine, places, trial
from flawsight.station.doctor.check import Check, Diagnosis
from flawsight.station.doctor.limits import MIB, free_memory

NO_PICTURES = "the bundle keeps no pictures to test with"


def run_doctor(settings: DoctorSettings) -> Diagnosis:
    """Look at everything that a station with these settings would need; leaves no file behind, needs no torch.

    >>> from flawsight.station.doctor import run_doctor
    >>> diagnosis = run_doctor(fs.settings.DoctorSettings(bundle=bundle, history=tmp / "history.db", port=0))
    >>> [check.state for check in diagnosis.checks if check.name in ("bundle", "self-test", "port")]
    ['ok', 'ok', 'ok']
    """
    bundle, manifest = trial.whole(settings.bundle)
    checks = [
        _guarded("packages", machine.packages),
        _guarded("processor", lambda: machine.processor(settings.threads)),
        bundle,
        *(_trials(settings, manifest) if manifest and bundle.state != "failed" else []),
        _guarded("clock", lambda: machine.clock(settings.bundle)),
        _guarded("disk", lambda: places.disk(settings.history, manifest)),
        _guarded("history", lambda: places.history_folder(settings.history)),
        *(_guarded(f"folder {folder.name}", partial(places.watched, folder)) for _, folder in settings.watch),
        _guarded("port", lambda: places.port(settings.port)),
    ]
    return Diagnosis(tuple(checks))


def _trials(settings: DoctorSettings, manifest: Manifest) -> list[Check]:
    """What the bundle does here; memory is asked for before and after."""
    free, before = free_memory(), peak_mib()
    try:
        inspector = open_graph(settings.bundle, settings)
        squares = trial.samples(settings.bundle, manifest)
    except FlawsightError as error:
        return [Check("self-test", "failed", str(error), "see packages, and --backend")]
    if not squares:
        remedy = f"`flawsight export {settings.bundle} --good FOLDER` puts some in where torch is installed"
        return [Check(name, "warning", NO_PICTURES, remedy) for name in ("self-test", "speed")]
    checks = [
        _guarded("self-test", lambda: trial.self_test(manifest, inspector, squares)),
        _guarded("speed", lambda: trial.speed(manifest, inspector, squares)),
    ]
    after = peak_mib()
    needed = None if after is None or before is None else int((after - before) * MIB) + machine.SERVICE
    return [*checks, machine.memory(free, needed)]


def _guarded(name: str, check: Callable[[], Check]) -> Check:
    """What goes wrong in a check is its finding."""
    try:
        return check()
    except (FlawsightError, OSError, RuntimeError) as error:
        return Check(
            name, "failed", f"could not be looked at ({error})", "see that the folder, or the package, is there"
        )
